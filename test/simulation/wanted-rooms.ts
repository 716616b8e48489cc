/** Rooms that a simulated worker has to announce. */

import type { SimulatedWorker } from "./simulated-worker.js";

/** (namespace, room) pairs: what cannot be encoded is not announced. */
export function listWantedRooms(worker: SimulatedWorker): Set<string> {
  const wanted = new Set<string>();
  for (const adapter of worker.adapters) {
    for (const room of adapter.rooms.keys()) {
      if (typeof room === "string" && !room.isWellFormed()) continue;
      if (adapter.isRoomWanted(room)) wanted.add(`${adapter.namespace} ${typeof room} ${room}`);
    }
  }
  return wanted;
}
