/**
 * What is known of another host's members and rooms, from its announcements. While one is missing, or the whole has not been
 * said yet, the view is incomplete, and the host gets everything; a snapshot completes it. Pure.
 */

import { walkFrames } from "../../protocol/bus-messages.js";
import { FrameError, frameKinds } from "../../protocol/frame.js";
import { readInterestFrame } from "../../protocol/interest-frame.js";
import { decodeRouterToWorker, decodeWorkerToRouter, readFrameKind } from "../../protocol/worker-port-frames.js";

/** What the announcements are about: each call says what is true from now on. */
export interface HostViewTarget {
  setRoom(namespaceKey: string, roomKey: string, isWanted: boolean): void;
  /** All rooms, before they are said anew, or because everything is wanted. */
  forgetRooms(): void;
  setMember(uid: string, member: { readonly namespace: string; readonly parserId: number } | undefined): void;
  /** Every member but these is gone. */
  keepMembers(uids: ReadonlySet<string>): void;
  noteStalled(place: string): void;
  /** Whether it has to get everything has changed. */
  noteWantsAll(): void;
}

/** Parts that come for one asking. */
export const partsPerRequest = 4;
/** Without a part for this long, the snapshot is asked for anew. */
const snapshotTimeoutMs = 1_500;

const floodFact = "flood";

interface Snapshot {
  readonly id: number;
  nextPart: number;
  /** Announcements up to here have to be in the view before it is complete. */
  neededSequence: number;
  isWhole: boolean;
  progressMs: number;
  readonly memberUids: Set<string>;
  /** What announcements have said since it began, by the sequence that said it: newer than what a part may say. */
  readonly sequenceByFact: Map<string, number>;
}

export class HostView {
  readonly #hostKey: string;
  readonly #target: HostViewTarget;
  #sequence = 0;
  #isFlooded = false;
  #snapshot: Snapshot | undefined;
  #isComplete = false;
  #isAsking = false;
  #lastSnapshotId: number;

  /** @param firstSnapshotId random: a snapshot that was asked for by a view before this one must not be taken for this one's */
  constructor(hostKey: string, target: HostViewTarget, firstSnapshotId: number) {
    this.#hostKey = hostKey;
    this.#target = target;
    this.#lastSnapshotId = firstSnapshotId;
  }

  /** Nothing that the host has announced up to here is missed: it is known, or the host gets everything. */
  get sequence(): number {
    return this.#sequence;
  }

  get isComplete(): boolean {
    return this.#isComplete;
  }

  get wantsAll(): boolean {
    return !this.#isComplete || this.#isFlooded;
  }

  /** Part that is to be asked for now; answers it once. */
  takeWanted(nowMs: number): { readonly snapshotId: number; readonly part: number } | undefined {
    const { snapshot } = this.#current(nowMs);
    if (snapshot === undefined || !this.#isAsking) return undefined;
    this.#isAsking = false;
    return { snapshotId: snapshot.id, part: snapshot.nextPart };
  }

  /** When a snapshot that does not come is to be asked for again. */
  tick(nowMs: number): void {
    const snapshot = this.#snapshot;
    if (snapshot === undefined || nowMs - snapshot.progressMs < snapshotTimeoutMs) return;
    this.#beginSnapshot(nowMs);
  }

  get hasWanted(): boolean {
    return this.#isAsking || (!this.#isComplete && this.#snapshot === undefined);
  }

  /** The host has announced up to `head`: when less has come, some is missing. */
  noteHead(head: number, nowMs: number): void {
    if (head > this.#sequence) this.#miss(head, nowMs);
  }

  /** @throws FrameError for what is no announcement; the view is incomplete then */
  takeAnnouncement(sequence: number, frames: Buffer, nowMs: number): void {
    if (sequence <= this.#sequence) return;
    if (sequence > this.#sequence + 1) {
      this.#miss(sequence, nowMs);
      return;
    }
    this.#sequence = sequence;
    this.#takeFrames(frames, sequence, nowMs);
    this.#completeIfWhole();
  }

  /** @throws FrameError for what is no part; the view is incomplete then */
  takePart(
    part: {
      readonly snapshotId: number;
      readonly part: number;
      readonly isLast: boolean;
      readonly sequence: number;
      readonly frames: Buffer;
    },
    nowMs: number,
  ): void {
    const snapshot = this.#snapshot;
    if (snapshot === undefined || snapshot.id !== part.snapshotId || snapshot.nextPart !== part.part) return;
    snapshot.nextPart++;
    snapshot.progressMs = nowMs;
    snapshot.neededSequence = Math.max(snapshot.neededSequence, part.sequence);
    this.#takeFrames(part.frames, part.sequence, nowMs, snapshot);
    if (this.#snapshot !== snapshot) return;
    if (part.isLast) snapshot.isWhole = true;
    else if (snapshot.nextPart % partsPerRequest === 0) this.#isAsking = true;
    this.#completeIfWhole();
  }

  #current(nowMs: number): { readonly snapshot: Snapshot | undefined } {
    if (!this.#isComplete && this.#snapshot === undefined) this.#beginSnapshot(nowMs);
    return { snapshot: this.#snapshot };
  }

  /** What was announced up to here is not known: everything is to be said anew. */
  #miss(sequence: number, nowMs: number): void {
    this.#sequence = sequence;
    this.#beginSnapshot(nowMs);
  }

  #beginSnapshot(nowMs: number): void {
    const wasComplete = this.#isComplete;
    this.#isComplete = false;
    this.#lastSnapshotId = (this.#lastSnapshotId + 1) % 0x1_00_00_00_00;
    this.#snapshot = {
      id: this.#lastSnapshotId,
      nextPart: 0,
      neededSequence: this.#sequence,
      isWhole: false,
      progressMs: nowMs,
      memberUids: new Set(),
      sequenceByFact: new Map(),
    };
    this.#isAsking = true;
    this.#isFlooded = false;
    this.#target.forgetRooms();
    if (wasComplete) this.#target.noteWantsAll();
  }

  #completeIfWhole(): void {
    const snapshot = this.#snapshot;
    if (snapshot?.isWhole !== true || this.#sequence < snapshot.neededSequence) return;
    this.#snapshot = undefined;
    this.#isComplete = true;
    this.#target.keepMembers(snapshot.memberUids);
    this.#target.noteWantsAll();
  }

  #takeFrames(frames: Buffer, sequence: number, nowMs: number, part?: Snapshot): void {
    try {
      walkFrames(frames, (bytes, start, end) => this.#takeFrame(bytes, start, end, sequence, part));
    } catch (error) {
      // What else it said is unknown now.
      this.#beginSnapshot(nowMs);
      this.#isAsking = false;
      throw error;
    }
  }

  #takeFrame(bytes: Buffer, start: number, end: number, sequence: number, part: Snapshot | undefined): void {
    const kind = readFrameKind(bytes, start);
    if (kind === frameKinds.interest) {
      this.#takeRooms(bytes, start, end, sequence, part);
      return;
    }
    const stalled = kind === frameKinds.placeStalled ? decodeRouterToWorker(bytes, start, end) : undefined;
    if (stalled?.type === "place-stalled") {
      this.#checkOwn(stalled.place);
      this.#target.noteStalled(stalled.place);
      return;
    }
    const message = decodeWorkerToRouter(bytes, start, end);
    switch (message?.type) {
      case "namespace-up":
        this.#checkOwn(message.uid);
        this.#setMember(message.uid, message, sequence, part);
        break;
      case "namespace-down":
        this.#checkOwn(message.uid);
        this.#setMember(message.uid, undefined, sequence, part);
        break;
      case "flood-me":
        if (this.#isOutdated(floodFact, sequence, part)) break;
        this.#setFlooded(message.isOn);
        break;
      default:
      // Of a later version.
    }
  }

  #checkOwn(id: string): void {
    if (!id.startsWith(this.#hostKey)) throw new FrameError("bad-value", `${this.#hostKey} speaks of ${id}`);
  }

  #setMember(
    uid: string,
    member: { readonly namespace: string; readonly parserId: number } | undefined,
    sequence: number,
    part: Snapshot | undefined,
  ): void {
    if (this.#isOutdated(`m${uid}`, sequence, part)) return;
    if (member === undefined) this.#snapshot?.memberUids.delete(uid);
    else this.#snapshot?.memberUids.add(uid);
    this.#target.setMember(uid, member);
  }

  #takeRooms(bytes: Buffer, start: number, end: number, sequence: number, part: Snapshot | undefined): void {
    let namespaceKey = "";
    // Of a flood that began or ended since, its beginning has taken all rooms away, or its end has said all.
    const isFloodNewer = part !== undefined && (part.sequenceByFact.get(floodFact) ?? 0) > sequence;
    readInterestFrame(
      bytes,
      start,
      end,
      (key) => {
        namespaceKey = key;
      },
      (roomKey, isJoined) => {
        const isOutdated =
          this.#snapshot !== undefined &&
          (isFloodNewer || this.#isOutdated(`r${namespaceKey.length} ${namespaceKey}${roomKey}`, sequence, part));
        // While it gets everything, too: the end of a flood follows on all the rooms.
        if (!isOutdated) this.#target.setRoom(namespaceKey, roomKey, isJoined);
      },
    );
  }

  #setFlooded(isOn: boolean): void {
    if (this.#isFlooded === isOn) return;
    this.#isFlooded = isOn;
    if (isOn) this.#target.forgetRooms();
    this.#target.noteWantsAll();
  }

  /** Whether a part says what an announcement has said since; and remembers what announcements say. */
  #isOutdated(fact: string, sequence: number, part: Snapshot | undefined): boolean {
    const snapshot = this.#snapshot;
    if (snapshot === undefined) return false;
    if (part !== undefined) return (snapshot.sequenceByFact.get(fact) ?? 0) > sequence;
    snapshot.sequenceByFact.set(fact, sequence);
    return false;
  }
}
