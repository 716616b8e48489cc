/** What `fetchSockets()` tells of a socket of another worker (as Socket.IO's own adapters do). Pure. */

import type { Socket } from "socket.io";

export interface SocketDetails {
  readonly id: string;
  readonly handshake: unknown;
  readonly rooms: readonly unknown[];
  readonly data: unknown;
}

export function describeSocket(socket: Socket): SocketDetails {
  // A session store, which express-session puts there, may contain itself, and functions.
  const { sessionStore: _, ...handshake } = socket.handshake as Socket["handshake"] & { sessionStore?: unknown };
  return { id: socket.id, handshake, rooms: [...socket.rooms], data: socket.data };
}

export function isSocketDetailsList(value: unknown): value is SocketDetails[] {
  return (
    Array.isArray(value) &&
    value.every(
      (item) => typeof item === "object" && item !== null && typeof item.id === "string" && Array.isArray(item.rooms),
    )
  );
}
