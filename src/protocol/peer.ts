/** The other end of a client's TCP connection, where the connection that carries its requests has another. Pure. */

export interface Peer {
  /** IPv4 or IPv6. */
  readonly address: string;
  readonly port: number;
}

/** A proxy has begun the connection with a header that names nobody. */
export const unnamedPeer = "unnamed";
export type UnnamedPeer = typeof unnamedPeer;

/** Checks what came with a connection at the wall; undefined for everything else. */
export function parsePeer(raw: unknown): Peer | undefined {
  if (typeof raw !== "object" || raw === null || !("address" in raw) || !("port" in raw)) return undefined;
  const { address, port } = raw;
  return typeof address === "string" && typeof port === "number" ? { address, port } : undefined;
}
