/** Closes the connections of a server's clients, who then come back by themselves and start anew. */

import type { Server } from "socket.io";

/** All of a worker's clients in one moment would be a storm of handshakes. */
const spreadMs = 1_000;

interface EngineFace {
  readonly clients: Readonly<Record<string, { close(): void }>>;
}

export function resynchroniseClients(servers: ReadonlySet<object>): void {
  for (const server of servers) {
    const engine = (server as Server).engine as unknown as EngineFace | undefined;
    for (const client of Object.values(engine?.clients ?? {})) {
      // `socket.disconnect()` would keep them from coming back.
      setTimeout(() => client.close(), Math.random() * spreadMs).unref();
    }
  }
}
