/** What a worker says about a connection that it gives back to the primary, with the connection itself. Pure. */

import { type Peer, parsePeer, type UnnamedPeer, unnamedPeer } from "./peer.js";

export interface ReturnedConnection {
  readonly type: "signalbox:connection";
  /** The head of its request, and what came with it. */
  readonly received: Buffer;
  /** As the primary had said when it handed the connection over. */
  readonly client: Peer | UnnamedPeer | undefined;
}

/** Checks such a message at the wall; undefined for everything else. */
export function parseReturnedConnection(raw: unknown): ReturnedConnection | undefined {
  if (typeof raw !== "object" || raw === null || !("type" in raw) || raw.type !== "signalbox:connection")
    return undefined;
  if (!("received" in raw) || !(raw.received instanceof Uint8Array)) return undefined;
  const said = "client" in raw ? raw.client : undefined;
  const client = said === unnamedPeer ? unnamedPeer : parsePeer(said);
  return { type: raw.type, received: Buffer.from(raw.received), client };
}
