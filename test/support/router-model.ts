/**
 * What a router promises of forwarding, said naively: for each worker the sets that it has announced, and a list of what
 * it must have read. Slow, and without a clever idea on purpose.
 */

/** Rooms by namespace, as one text each. */
type RoomText = string;

interface ModelWorker {
  /** `expected`: what is for it is kept. */
  state: "absent" | "expected" | "connected";
  isComplete: boolean;
  isFlooded: boolean;
  adapters: { uid: string; namespace: string }[];
  rooms: Set<RoomText>;
  /** Rooms of each `socketsJoin` that was sent to it, in order, and how many of these it has carried out. */
  joins: RoomText[][];
  joinsDone: number;
  /** Bodies that it must read next, in order. */
  inbox: string[];
}

export interface ModelFrame {
  readonly from: number;
  readonly namespace: string;
  readonly rooms: readonly string[];
  readonly body: string;
}

function makeWorker(): ModelWorker {
  return {
    state: "absent",
    isComplete: false,
    isFlooded: false,
    adapters: [],
    rooms: new Set(),
    joins: [],
    joinsDone: 0,
    inbox: [],
  };
}

function toText(namespace: string, room: string): RoomText {
  return JSON.stringify([namespace, room]);
}

export class RouterModel {
  readonly workers: ModelWorker[];
  readonly #placeOf: (slot: number) => string;

  constructor(slots: number, placeOf: (slot: number) => string) {
    this.workers = Array.from({ length: slots }, makeWorker);
    this.#placeOf = placeOf;
  }

  at(slot: number): ModelWorker {
    const worker = this.workers[slot];
    if (worker === undefined) throw new Error(`slot ${slot}`);
    return worker;
  }

  get areAllComplete(): boolean {
    return this.workers.every(({ state, isComplete }) => state === "absent" || isComplete);
  }

  get interestSize(): number {
    return this.workers.reduce((sum, { rooms }) => sum + rooms.size, 0);
  }

  expect(slot: number): void {
    if (this.at(slot).state === "absent") this.at(slot).state = "expected";
  }

  connect(slot: number): void {
    this.at(slot).state = "connected";
  }

  remove(slot: number): void {
    this.workers[slot] = makeWorker();
  }

  flood(slot: number, isOn: boolean): void {
    const worker = this.at(slot);
    if (isOn && !worker.isFlooded) worker.rooms.clear();
    worker.isFlooded = isOn;
  }

  change(slot: number, namespace: string, room: string, isJoined: boolean): void {
    const { rooms } = this.at(slot);
    if (isJoined) rooms.add(toText(namespace, room));
    else rooms.delete(toText(namespace, room));
  }

  /** Puts the frame into the inboxes that it is for; answers their slots. */
  forward(frame: ModelFrame): number[] {
    const targets = [...this.workers.keys()].filter((slot) => this.#isFor(frame, slot));
    for (const slot of targets) this.at(slot).inbox.push(frame.body);
    return targets;
  }

  forwardJoin(frame: ModelFrame, joined: readonly string[]): void {
    const texts = joined.map((room) => toText(frame.namespace, room));
    for (const slot of this.forward(frame)) this.at(slot).joins.push(texts);
  }

  /** Uids that a request asks. */
  ask(frame: ModelFrame): string[] {
    const targets = this.forward(frame).filter((slot) => this.at(slot).state === "connected");
    const adapters = targets.flatMap((slot) => this.at(slot).adapters);
    return adapters.filter(({ namespace }) => namespace === frame.namespace).map(({ uid }) => uid);
  }

  #isFor({ from, namespace, rooms }: ModelFrame, slot: number): boolean {
    const worker = this.at(slot);
    if (slot === from || worker.state === "absent") return false;
    if (worker.isFlooded || !worker.isComplete) return true;
    if (rooms.length === 0) return worker.adapters.some((adapter) => adapter.namespace === namespace);
    const onTheirWay = worker.joins.slice(worker.joinsDone).flat();
    return rooms.some((room) => {
      const text = toText(namespace, room);
      const address = room.includes("#") ? room.slice(room.lastIndexOf("#") + 1) : room;
      const isAddress = address.length === 20 && address.startsWith(this.#placeOf(slot));
      return isAddress || worker.rooms.has(text) || onTheirWay.includes(text);
    });
  }
}
