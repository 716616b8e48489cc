/**
 * Makes `listen()` of the application's HTTP server succeed without taking the public port: under Signalbox the primary
 * has that port, and hands connections over. The server really listens, on the worker's private Unix socket.
 */

import { Server as HttpServer } from "node:http";
import type { Server as NetServer } from "node:net";

/** What the application asked for. */
export interface RequestedAddress {
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly path: string | undefined;
}

/** A `listen()` call that waits for the decision which server it is about. */
export interface HeldListen {
  readonly server: HttpServer;
  readonly requested: RequestedAddress;
  readonly heldSinceMs: number;
  /** Listens where the application asked to, as if nothing had been intercepted. */
  readonly listenForReal: () => void;
  /** Listens on a private Unix socket instead; `address()` goes on saying what was asked. */
  readonly listenPrivately: (socketPath: string) => void;
}

/** Reads the documented forms of `server.listen()`; undefined for handles and descriptors, which are left alone. */
export function parseListenArguments(values: readonly unknown[]): RequestedAddress | undefined {
  const [first, second] = values;
  const none = { host: undefined, port: undefined, path: undefined };
  if (first === undefined || first === null || typeof first === "function") return none;
  if (typeof first === "number") return { ...none, port: first, host: typeof second === "string" ? second : undefined };
  if (typeof first === "string") {
    // `listen("3000")` is a port, as in Node itself.
    if (first !== "" && Number.isInteger(Number(first))) {
      return { ...none, port: Number(first), host: typeof second === "string" ? second : undefined };
    }
    return { ...none, path: first };
  }
  if (typeof first !== "object" || "_handle" in first || "fd" in first) return undefined;
  const options = first as { host?: unknown; port?: unknown; path?: unknown };
  const port = options.port === undefined || options.port === null ? undefined : Number(options.port);
  return {
    host: typeof options.host === "string" ? options.host : undefined,
    port,
    path: typeof options.path === "string" && port === undefined ? options.path : undefined,
  };
}

/** What `server.address()` says after such a call. */
export function describeRequestedAddress(requested: RequestedAddress): string | object {
  if (requested.path !== undefined) return requested.path;
  const address = requested.host === undefined || requested.host === "localhost" ? "127.0.0.1" : requested.host;
  return { address, family: address.includes(":") ? "IPv6" : "IPv4", port: requested.port ?? 0 };
}

/**
 * Intercepts `listen()` of every plain HTTP server in this process from now on.
 * @param onListen gets each call; it calls one of the two functions in it, now or later
 */
export function interceptListen(onListen: (held: HeldListen) => void): void {
  const listen = HttpServer.prototype.listen as (this: NetServer, ...values: unknown[]) => NetServer;
  function interceptedListen(this: HttpServer, ...values: unknown[]): HttpServer {
    const requested = parseListenArguments(values);
    if (requested === undefined) {
      listen.apply(this, values);
      return this;
    }
    const callback = values.at(-1);
    onListen({
      server: this,
      requested,
      heldSinceMs: performance.now(),
      listenForReal: () => {
        listen.apply(this, values);
      },
      listenPrivately: (socketPath) => {
        if (typeof callback === "function") this.once("listening", callback as () => void);
        this.address = () => describeRequestedAddress(requested) as ReturnType<HttpServer["address"]>;
        // Exclusive: node:cluster would otherwise ask the primary to listen and share.
        listen.call(this, { path: socketPath, exclusive: true });
      },
    });
    return this;
  }
  HttpServer.prototype.listen = interceptedListen as typeof HttpServer.prototype.listen;
}
