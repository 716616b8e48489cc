// Makes the Socket.IO server of a message scenario and listens on a port of its own; used by fleets and by the single process.
import { once } from "node:events";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
import { Server } from "socket.io";

/** Answers the port once it listens. `adapter` undefined leaves Socket.IO's in-memory adapter. */
export async function startMessageServer(adapter) {
  const { default: startApplication } = await import(pathToFileURL(process.env.BENCH_APP).href);
  const httpServer = createServer();
  const io = new Server(httpServer, {
    ...(adapter === undefined ? {} : { adapter }),
    transports: ["websocket"],
    perMessageDeflate: false,
    serveClient: false,
    pingInterval: 300_000, // no pings within a scenario
  });
  startApplication(io);
  httpServer.listen({ port: 0, host: "127.0.0.1", exclusive: true }); // exclusive: not shared between the workers
  await once(httpServer, "listening");
  return httpServer.address().port;
}
