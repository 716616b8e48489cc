// The application of the message scenarios under `signalbox start`: clients connect to a port of each worker, past the
// primary and the gate, so that the fabric alone is measured. Where it listens is written to BENCH_PORTS_DIR.
import { once } from "node:events";
import { renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join } from "node:path";
import startApplication from "./message-app.mjs";

/** The same as the other sides have, in message-server.mjs. */
export const serverOptions = {
  transports: ["websocket"],
  perMessageDeflate: false,
  serveClient: false,
  pingInterval: 300_000, // no pings within a scenario
};

/** @type {import("../../../dist/index.js").SignalboxApp} */
export default async (io, { workerSlot }) => {
  startApplication(io);
  const server = createServer();
  server.on("upgrade", (request, socket, head) => io.engine.handleUpgrade(request, socket, head));
  server.listen({ port: 0, host: "127.0.0.1", exclusive: true }); // exclusive: not shared between the workers
  await once(server, "listening");
  const file = join(process.env.BENCH_PORTS_DIR, `${workerSlot}.json`);
  // Renamed: nobody reads half of it.
  writeFileSync(`${file}.new`, JSON.stringify({ slot: workerSlot, pid: process.pid, port: server.address().port }));
  renameSync(`${file}.new`, file);
};
