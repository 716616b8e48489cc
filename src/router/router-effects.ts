/** What the router's core asks of the process around it, and what it counts. Types, and the zero counters. */

import type { PortRefusal } from "../protocol/port-refusals.js";

/** Something worth a log line. */
export type RouterNote =
  | { readonly type: "port-up"; readonly place: string }
  | { readonly type: "port-down"; readonly place: string; readonly lostFrames: number }
  | {
      readonly type: "refused";
      readonly place: string | undefined;
      readonly refusal: PortRefusal;
      readonly reason: string;
    }
  | { readonly type: "stalled"; readonly place: string }
  | { readonly type: "resumed"; readonly place: string }
  /** Its outbox is full: what waits is given up, and the worker will be told. */
  | { readonly type: "overflowed"; readonly place: string }
  | { readonly type: "loss-told"; readonly place: string; readonly lostFrames: number }
  /** A worker had to throw away what it had for the router. */
  | { readonly type: "unsent"; readonly place: string; readonly lostFrames: number }
  | { readonly type: "flooded"; readonly place: string }
  | { readonly type: "not-flooded"; readonly place: string }
  /** A worker that was expected back did not come. */
  | { readonly type: "not-back"; readonly place: string; readonly lostFrames: number };

export interface RouterEffects {
  /** A connection has something to write; called once until `takeWrites`. */
  wake(connection: number): void;
  /** Write what `takeWrites` gives, then close. */
  closeAfterWrite(connection: number): void;
  note(note: RouterNote): void;
}

/** Totals since the router began. A frame that goes to three workers counts once in, three times out. */
export interface RouterCounters {
  framesIn: number;
  framesOut: number;
  bytesIn: number;
  bytesOut: number;
  /** (frame, worker) pairs. */
  droppedVolatile: number;
  /** (frame, worker) pairs of frames that should have been kept. */
  lostFrames: number;
  /** Frames that workers threw away before they reached the router. */
  unsentFrames: number;
  unroutableResponses: number;
  badFrames: number;
  /** Connections that were refused, or closed with a reason. */
  refusals: number;
  interestChanges: number;
  stalls: number;
}

export function emptyCounters(): RouterCounters {
  return {
    framesIn: 0,
    framesOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    droppedVolatile: 0,
    lostFrames: 0,
    unsentFrames: 0,
    unroutableResponses: 0,
    badFrames: 0,
    refusals: 0,
    interestChanges: 0,
    stalls: 0,
  };
}
