/** What an application and Signalbox promise each other: the module's shape and the context it is given. */

import type { Server as HttpServer } from "node:http";
import type { Logger } from "pino";
import type { Namespace, Server, ServerOptions } from "socket.io";

/** Given to the application in each worker. */
export interface SignalboxContext {
  /** The worker's HTTP server: add `request` listeners or mount a framework on it. */
  readonly httpServer: HttpServer;
  /** Structured log (pino); every line carries the worker slot. */
  readonly log: Logger;
  /** Slot of this worker on its host, from 0; the worker that replaces a crashed one has the same, one that replaces it in a reload has another. */
  readonly workerSlot: number;
  /** The 4 characters that name this host in every session id and socket id. */
  readonly hostKey: string;
  /** Region of this host, from the configuration. */
  readonly region: string;
  /**
   * What is emitted, fetched or changed through it stays on this host, as `io.local` stays on this worker (fabric `routed`).
   * @param of the main namespace, unless another one is given
   */
  onHost(of?: Server | Namespace): Namespace["local"];
  /** The same of this host's region: nothing of it goes to other regions. */
  onRegion(of?: Server | Namespace): Namespace["local"];
  /**
   * Runs `fn` when this worker starts to drain: stop timers, leave queues, save state. May be async; bounded by the
   * drain deadline. Several may be registered; they run together.
   */
  onDrain(fn: () => void | Promise<void>): void;
  /**
   * Runs `fn` on one worker of the host at a time, and again on another worker when that one drains or dies. `signal`
   * is aborted when this worker gives the job up: clear intervals there. A job that throws is logged and not retried.
   */
  runOnce(name: string, fn: (signal: AbortSignal) => void | Promise<void>): void;
}

/** Default export of an application module. Signalbox takes sessions only after it has returned (or resolved). */
export type SignalboxApp = (io: Server, context: SignalboxContext) => void | Promise<void>;

/** Optional named export `serverOptions` of an application module: Socket.IO's own options. */
export type SignalboxServerOptions = Partial<ServerOptions>;
