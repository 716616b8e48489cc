/** `attach(io)`: brings an application that makes its own HTTP server into Signalbox; without Signalbox it changes nothing. */

import type { Server as HttpServer } from "node:http";
import { pino } from "pino";
import type { Server } from "socket.io";
import type { SignalboxContext } from "./app-contract.js";
import { findRuntime } from "./runtime-registry.js";
import { createScopedEmitter } from "./scoped-emitters.js";

/**
 * Under Signalbox: gives `io` the fabric's adapter and addressed ids, and makes its server's `listen()` succeed without
 * binding. Under plain `node`: leaves `io` alone, so that the same file listens as before; the context then describes
 * this one process, and `runOnce` runs at once.
 *
 * Call it once, before clients connect; `listen()` may come before or after.
 * @throws AppStartError for a second `io`, a TLS server, or a server that is not node's (uWebSockets.js).
 */
export async function attach(io: Server): Promise<SignalboxContext> {
  const runtime = findRuntime();
  return runtime === undefined ? createStandaloneContext(io) : await runtime.adopt(io);
}

function createStandaloneContext(io: Server): SignalboxContext {
  return {
    get httpServer(): HttpServer {
      return io.httpServer as HttpServer;
    },
    log: pino(),
    workerSlot: 0,
    hostKey: "self",
    region: "default",
    onHost: (of = io) => createScopedEmitter(of, "host"),
    onRegion: (of = io) => createScopedEmitter(of, "region"),
    onDrain: () => {
      // One process by itself never drains.
    },
    runOnce: (_name, fn) => {
      // As under Signalbox: a job that throws is reported and does not end the process.
      void (async () => fn(new AbortController().signal))().catch((thrown: unknown) => console.error(thrown));
    },
  };
}
