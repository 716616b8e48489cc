/** What a step is about, by chance: ids, rooms, receivers, time limits. */

import { encodeRoom, type RoomName } from "../../src/protocol/room-key.js";
import type { ModelAdapter } from "./model-adapter.js";
import type { Selection } from "./records.js";
import type { SimulatedFleet } from "./simulated-fleet.js";
import type { SimulatedWorker } from "./simulated-worker.js";

const nobody: ReadonlySet<RoomName> = new Set();

export class Choices {
  readonly #fleet: SimulatedFleet;

  constructor(fleet: SimulatedFleet) {
    this.#fleet = fleet;
  }

  chooseLimitMs(): number {
    return this.#fleet.random.mustPick([30, 500, 2_000, 5_000, 5_000]);
  }

  /** Mostly an address of this worker; ids that recovered sockets brought along name other places, or none. */
  chooseId(worker: SimulatedWorker, adapter: ModelAdapter): string {
    const { random, livingWorkers } = this.#fleet;
    const dice = random.next();
    if (dice < 0.8) return worker.createId();
    if (dice < 0.9) return `${adapter.namespace}#${worker.createId()}`;
    const other = random.pick(livingWorkers);
    return dice < 0.95 && other !== undefined ? other.createId() : `else${random.characters(16)}`;
  }

  chooseRooms(namespace: string, count: number): RoomName[] {
    const { random, settings } = this.#fleet;
    const rooms: RoomName[] = [];
    for (let left = count; left > 0; left--) {
      rooms.push(random.chance(0.1) ? this.chooseSocketId(namespace) : (random.pick(settings.rooms) ?? "red"));
    }
    return rooms;
  }

  chooseSocketId(namespace: string): string {
    const adapters = this.#fleet.livingWorkers.flatMap((worker) =>
      worker.adapters.filter((adapter) => adapter.namespace === namespace),
    );
    const sockets = adapters.flatMap((adapter) => [...adapter.sockets.keys()]);
    return this.#fleet.random.pick(sockets) ?? "nobody";
  }

  chooseSelection(adapter: ModelAdapter): Selection {
    const { random } = this.#fleet;
    const { namespace } = adapter;
    // What cannot be encoded excepts nobody elsewhere.
    const excepted = random.chance(0.2) ? this.chooseRooms(namespace, random.whole(1, 2)) : [];
    const except = new Set(excepted.filter((room) => encodeRoom(room) !== undefined));
    const dice = random.next();
    if (dice < 0.12) return { rooms: nobody, except };
    if (dice < 0.32) return { rooms: new Set([this.chooseSocketId(namespace)]), except };
    return { rooms: new Set(this.chooseRooms(namespace, dice < 0.8 ? 1 : 3)), except };
  }

  chooseRequestSelection(adapter: ModelAdapter): Selection {
    return this.#fleet.random.chance(0.5) ? { rooms: nobody, except: nobody } : this.chooseSelection(adapter);
  }
}
