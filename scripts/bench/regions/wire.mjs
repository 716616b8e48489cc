// The way of a link: passes bytes on, each after so many milliseconds, and counts them.
import { openWays } from "../../fleet-regions.mjs";

const sockets = [];

process.on("message", async (message) => {
  if (message.type === "open") {
    const [server] = await openWays({ [message.region]: [message.targetPath] }, message.delayMs, message.directory);
    server.on("connection", (socket) => sockets.push(socket));
    process.send({ type: "opened" });
  } else if (message.type === "count") {
    const bytes = sockets.reduce((sum, { bytesRead, bytesWritten }) => sum + bytesRead + bytesWritten, 0);
    process.send({ type: "counted", bytes });
  }
});
process.on("disconnect", () => process.exit());
process.on("SIGTERM", () => process.exit());
process.on("SIGINT", () => {}); // Ctrl-C reaches the whole group; the scenario ends its processes itself
