/** What the bus port asks of the process around it, what it notes, and what it counts. Types, and the zero counters. */

import type { Hello } from "../../protocol/bus-messages.js";

/** Something worth a log line. */
export type BusNote =
  | { readonly type: "bus-up" }
  | { readonly type: "bus-down"; readonly reason: string }
  | { readonly type: "joined"; readonly hosts: number }
  | { readonly type: "host-up"; readonly hostKey: string; readonly name: string }
  | { readonly type: "host-left"; readonly hostKey: string; readonly name: string }
  | { readonly type: "host-unreachable"; readonly hostKey: string; readonly name: string }
  | { readonly type: "host-back"; readonly hostKey: string; readonly name: string }
  | { readonly type: "host-gone"; readonly hostKey: string; readonly name: string; readonly givenUp: number }
  /** `uncertain` frames had been sent, and nobody knows whether they were taken. */
  | { readonly type: "host-restarted"; readonly hostKey: string; readonly name: string; readonly uncertain: number }
  /** More waits for it than is kept. */
  | { readonly type: "host-overflowed"; readonly hostKey: string; readonly name: string }
  /** That is over: `lost` frames did not come there. */
  | { readonly type: "host-recovered"; readonly hostKey: string; readonly name: string; readonly lost: number }
  /** It gave up frames that were for this host; undefined: nobody knows how many. */
  | {
      readonly type: "missed-of-host";
      readonly hostKey: string;
      readonly name: string;
      readonly frames: number | undefined;
    }
  | { readonly type: "host-flooded"; readonly hostKey: string; readonly name: string }
  | {
      readonly type: "clash";
      readonly hostKey: string;
      readonly name: string;
      readonly otherName: string;
      readonly mustStop: boolean;
    }
  | {
      readonly type: "incompatible";
      readonly hostKey: string;
      readonly name: string;
      readonly version: number;
    }
  | { readonly type: "too-many-hosts" }
  /** The user of Redis may not subscribe the channels of emitters. */
  | { readonly type: "emitter-refused"; readonly reason: string }
  | { readonly type: "unreadable"; readonly reason: string };

export interface BusEffects {
  /** Sends a message to all who have subscribed the channel; false when it was not taken. */
  publish(channel: string, payload: Buffer): boolean;
  /** Much waits to be sent: nothing more is to be published until `flush` is called. */
  readonly isFull: boolean;
  /** Messages that `publish` has taken, ever. */
  readonly published: number;
  /** Of those, the first so many are not on their way any more; `HostBus.noteArrived` is to be called when it grows. */
  readonly arrived: number;
  /** There is something to publish: `flush` is to be called, once for all that is said in this turn. */
  wake(): void;
  note(note: BusNote): void;
  /** Another host has this host's key, and was there first: this one must end. */
  mustStop(other: Hello): void;
}

/** Totals since the router began, all hosts together; loss in (frame, host) pairs. */
export interface BusCounters {
  framesIn: number;
  framesOut: number;
  messagesIn: number;
  messagesOut: number;
  bytesIn: number;
  bytesOut: number;
  droppedVolatile: number;
  /** Given up: too much, or too old. Those that did not arrive, as the other hosts have said, are `lostFrames`. */
  givenUpFrames: number;
  lostFrames: number;
  /** Given up by other hosts, for this one. */
  missedFrames: number;
  /** Sent to a router that ended before it said whether it had taken them. */
  uncertainFrames: number;
  badMessages: number;
  announcements: number;
  snapshots: number;
}

export function emptyBusCounters(): BusCounters {
  return {
    framesIn: 0,
    framesOut: 0,
    messagesIn: 0,
    messagesOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    droppedVolatile: 0,
    givenUpFrames: 0,
    lostFrames: 0,
    missedFrames: 0,
    uncertainFrames: 0,
    badMessages: 0,
    announcements: 0,
    snapshots: 0,
  };
}
