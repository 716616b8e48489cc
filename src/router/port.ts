/** State of one worker port: the router's view of a worker, connected or expected back. Pure data. */

import { Outbox, type OutboxLimits } from "../routing/outbox.js";

export interface PortMember {
  readonly namespace: string;
  readonly namespaceKey: string;
  readonly parserId: number;
}

/** Rooms of `socketsJoin` commands on their way somewhere, and the number of the last that named each; in their order. */
export type ExpectedRooms = Map<
  string,
  { readonly namespaceKey: string; readonly roomKey: string; readonly joinNumber: number }
>;

export class Port {
  readonly isWorker = true;
  readonly isRegion = false;
  readonly place: string;
  readonly outbox: Outbox;
  /** Undefined while the worker is expected back: frames wait for it in the outbox. */
  connection: number | undefined;
  workerId = "";
  /** Adapters of this worker, by uid. */
  readonly members = new Map<string, PortMember>();
  /** Its announcements are the whole truth. Until then it gets everything. */
  isComplete = false;
  /** It has more rooms than it announces. */
  isFlooded = false;
  isStalled = false;
  /** Of the outbox's `passedBytes`: what the last taking took, and what has been written. */
  takenBytes = 0;
  writtenBytes = 0;
  /** Told the process that there is something to write. */
  isAwake = false;
  roomCount = 0;
  /** Highest interest sequence that has been taken, here and where others need to know; and whether the worker was told. */
  interestSequence = 0;
  isInterestUntold = false;
  /** Taken here, and waiting for other hosts: with the announcement that says it, undefined until that is made. */
  untakenInterest: { readonly sequence: number; announcement: number | undefined }[] = [];
  /** `socketsJoin` commands sent on this connection. */
  joinsSent = 0;
  /** Rooms of such commands, and the number of the last that named them: wanted until the worker has said its truth. */
  readonly expectedRooms: ExpectedRooms = new Map();
  /** Number of the last of such commands whose rooms the router does not read: until then any room may be wanted. */
  anyRoomExpected = 0;
  pingToken = 0;
  /** When the ping was sent that is not answered yet. */
  pingSentMs: number | undefined;
  expectedSinceMs = 0;
  /** Number of the last frame that was sent here, so that no frame is sent twice. */
  stamp = 0;

  constructor(place: string, limits: OutboxLimits) {
    this.place = place;
    this.outbox = new Outbox(limits);
  }

  /** Gets every frame, wanted or not: too much is better than too little. */
  get wantsAll(): boolean {
    return !this.isComplete || this.isFlooded;
  }
}
