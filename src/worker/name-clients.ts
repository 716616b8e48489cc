/** Gives each session the address of its client, where proxies stand between. */

import type { IncomingMessage } from "node:http";
import type { Server } from "socket.io";
import { findClientAddress } from "../address/forwarded-for.js";
import type { TrustedProxies } from "../address/trusted-proxies.js";

/** The part of an Engine.IO session that this needs (engine.io 6.6, `socket.js`). */
interface EngineSession {
  remoteAddress: string | undefined;
  readonly request: IncomingMessage;
}

/**
 * From now on `conn.remoteAddress`, and with it `socket.handshake.address`, is found in the request that began the session.
 * It is not changed on the TCP connection: a proxy sends requests of many clients over one.
 */
export function nameClients(io: Server, proxies: TrustedProxies): void {
  // Before Socket.IO's own listener: with Engine.IO 3 the handshake is made in it.
  io.engine.prependListener("connection", (session: EngineSession) => {
    const forwardedFor = [session.request.headers["x-forwarded-for"] ?? []].flat().join();
    session.remoteAddress = findClientAddress(session.remoteAddress, forwardedFor, proxies);
  });
}
