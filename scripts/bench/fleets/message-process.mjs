// Side "in-memory" of the message scenarios: one process, no adapter; what a fleet is measured against.
import { startMessageServer } from "./message-server.mjs";

process.on("SIGINT", () => {}); // Ctrl-C reaches the whole group; the scenario ends its processes itself
process.on("SIGTERM", () => process.exit());
process.on("disconnect", () => process.exit());
const port = await startMessageServer(undefined);
process.send({ type: "ready", workers: [{ pid: process.pid, port }] });
