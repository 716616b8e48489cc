/**
 * Says what a host has: members, and rooms with members, as the frames in which its workers said it. What changes is gathered
 * and said together; a snapshot says everything, a part at a time. Pure.
 */

import { InterestFrameWriter } from "../../protocol/interest-frame.js";
import { encodeRouterToWorker, encodeWorkerToRouter } from "../../protocol/worker-port-frames.js";
import type { PortMember } from "../port.js";

/** A message of the bus holds about this much. */
const fullBytes = 48 * 1024;

/** What there is to say everything of. */
export interface HostTruth {
  readonly isFlooded: boolean;
  /** Adapters of this host's workers, by uid. */
  listMembers(): Iterable<readonly [string, PortMember]>;
  listStalledPlaces(): Iterable<string>;
  /** Keys of the rooms that workers of this host have announced, by key of the namespace; changed while it is read. */
  listRooms(): Iterable<readonly [string, Iterable<string>]>;
}

/** Frames, gathered into messages of about `fullBytes`. */
class Pages {
  #frames: Buffer[] = [];
  #bytes = 0;

  get isFull(): boolean {
    return this.#bytes >= fullBytes;
  }

  get isEmpty(): boolean {
    return this.#bytes === 0;
  }

  add(frame: Buffer): void {
    this.#frames.push(frame);
    this.#bytes += frame.length;
  }

  take(): Buffer {
    const page = Buffer.concat(this.#frames, this.#bytes);
    this.#frames = [];
    this.#bytes = 0;
    return page;
  }
}

/** Writes rooms of one namespace after the other as interest frames. */
class RoomWriter {
  #namespaceKey: string | undefined;
  #writer: InterestFrameWriter | undefined;

  /** Answers a frame that is full, when there is one. */
  add(namespaceKey: string, roomKey: string, isJoined: boolean): Buffer | undefined {
    const finished = this.#namespaceKey === namespaceKey ? undefined : this.finish();
    this.#namespaceKey = namespaceKey;
    // The sequence is that of the message around it.
    this.#writer ??= new InterestFrameWriter(0, Buffer.from(namespaceKey, "latin1").toString("utf8"));
    this.#writer.add({ room: Buffer.from(roomKey, "latin1"), isJoined });
    return finished ?? (this.#writer.isFull ? this.finish() : undefined);
  }

  finish(): Buffer | undefined {
    const frame = this.#writer?.finish();
    this.#writer = undefined;
    return frame;
  }
}

export interface SnapshotPage {
  readonly frames: Buffer;
  readonly isLast: boolean;
}

/** Yields parts of a snapshot. What changes meanwhile is in the announcements of that time. */
export function* writeSnapshot(truth: HostTruth): Generator<SnapshotPage, void, void> {
  const pages = new Pages();
  if (truth.isFlooded) pages.add(encodeWorkerToRouter({ type: "flood-me", isOn: true }));
  for (const [uid, { namespace, parserId }] of truth.listMembers()) {
    pages.add(encodeWorkerToRouter({ type: "namespace-up", uid, parserId, namespace }));
    if (pages.isFull) yield { frames: pages.take(), isLast: false };
  }
  for (const place of truth.listStalledPlaces()) pages.add(encodeRouterToWorker({ type: "place-stalled", place }));
  const rooms = new RoomWriter();
  for (const [namespaceKey, roomKeys] of truth.listRooms()) {
    for (const roomKey of roomKeys) {
      if (truth.isFlooded) break;
      const frame = rooms.add(namespaceKey, roomKey, true);
      if (frame === undefined) continue;
      pages.add(frame);
      if (pages.isFull) yield { frames: pages.take(), isLast: false };
    }
  }
  const last = rooms.finish();
  if (last !== undefined) pages.add(last);
  // The last part may be empty: it says that it is the last.
  yield { frames: pages.take(), isLast: true };
}

export class AnnouncementWriter {
  #frames: Buffer[] = [];
  /** By namespace and room: what is true now. */
  readonly #rooms = new Map<string, Map<string, boolean>>();
  #roomChanges = 0;
  /** Places of workers that do not answer. */
  readonly #stalledPlaces = new Set<string>();
  #head = 0;
  #isFlooded = false;
  #saidFlooded = false;

  /** Sequence of the last announcement. */
  get head(): number {
    return this.#head;
  }

  get hasNews(): boolean {
    return this.#frames.length > 0 || this.#rooms.size > 0 || this.#isFlooded !== this.#saidFlooded;
  }

  /** Changes of rooms that have not been said. */
  get waitingChanges(): number {
    return this.#roomChanges + this.#frames.length;
  }

  /** What was said, and is true: everything is wanted. */
  get isFlooded(): boolean {
    return this.#saidFlooded;
  }

  get stalledPlaces(): ReadonlySet<string> {
    return this.#stalledPlaces;
  }

  noteRoom(namespaceKey: string, roomKey: string, isWanted: boolean): void {
    let rooms = this.#rooms.get(namespaceKey);
    if (rooms === undefined) {
      rooms = new Map();
      this.#rooms.set(namespaceKey, rooms);
    }
    rooms.set(roomKey, isWanted);
    this.#roomChanges++;
  }

  noteMember(uid: string, member: PortMember | undefined): void {
    this.#frames.push(
      member === undefined
        ? encodeWorkerToRouter({ type: "namespace-down", uid })
        : encodeWorkerToRouter({ type: "namespace-up", uid, parserId: member.parserId, namespace: member.namespace }),
    );
  }

  /** A worker does not answer, answers again, or has ended. */
  notePlace(place: string, isStalled: boolean): void {
    if (isStalled) {
      this.#stalledPlaces.add(place);
      this.#frames.push(encodeRouterToWorker({ type: "place-stalled", place }));
    } else {
      this.#stalledPlaces.delete(place);
    }
  }

  noteFlooded(isOn: boolean): void {
    this.#isFlooded = isOn;
  }

  /**
   * Says what is new, each message with its sequence.
   * @param listRooms all rooms: said again when a flood ends
   */
  flush(listRooms: HostTruth["listRooms"], send: (sequence: number, frames: Buffer) => void): void {
    if (!this.hasNews) return;
    const pages = new Pages();
    const add = (frame: Buffer | undefined): void => {
      if (frame === undefined) return;
      pages.add(frame);
      if (pages.isFull) send(++this.#head, pages.take());
    };
    const wasFlooded = this.#saidFlooded;
    this.#saidFlooded = this.#isFlooded;
    // Flooded first: what follows may be too much to say.
    if (this.#isFlooded && !wasFlooded) add(encodeWorkerToRouter({ type: "flood-me", isOn: true }));
    for (const frame of this.#frames) add(frame);
    this.#frames = [];
    if (!this.#isFlooded) this.#addRooms(wasFlooded ? listRooms() : undefined, add);
    this.#rooms.clear();
    this.#roomChanges = 0;
    // The truth first, then the end of the flood: in between is no moment with too little.
    if (!this.#isFlooded && wasFlooded) add(encodeWorkerToRouter({ type: "flood-me", isOn: false }));
    if (!pages.isEmpty) send(++this.#head, pages.take());
  }

  #addRooms(
    all: Iterable<readonly [string, Iterable<string>]> | undefined,
    add: (frame: Buffer | undefined) => void,
  ): void {
    const writer = new RoomWriter();
    if (all === undefined) {
      for (const [namespaceKey, rooms] of this.#rooms) {
        for (const [roomKey, isWanted] of rooms) add(writer.add(namespaceKey, roomKey, isWanted));
      }
    } else {
      for (const [namespaceKey, roomKeys] of all) {
        for (const roomKey of roomKeys) add(writer.add(namespaceKey, roomKey, true));
      }
    }
    add(writer.finish());
  }
}
