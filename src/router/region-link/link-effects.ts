/** What the port to other regions asks of the process around it, what it notes, and what it counts. Types, and zero counters. */

import type { LinkClosure } from "../../protocol/link-closures.js";

/** Who is at the other end of a link. */
export interface LinkPeer {
  readonly region: string;
  readonly hostKey: string;
  readonly incarnation: string;
}

/** Something worth a log line. */
export type LinkNote =
  /** `isDialled`: this host sends on it. */
  | {
      readonly type: "link-up";
      readonly isDialled: boolean;
      readonly region: string;
      readonly hostKey: string;
      /** How long there was none, if that has been told. */
      readonly afterMs: number | undefined;
    }
  | { readonly type: "link-down"; readonly isDialled: boolean; readonly region: string; readonly reason: string }
  /** It could not be made; it is tried again. */
  | { readonly type: "link-failed"; readonly region: string; readonly reason: string }
  /** There has been none for some seconds; told once, until there is one. */
  | {
      readonly type: "region-missing";
      readonly region: string;
      readonly isFromStart: boolean;
      readonly forMs: number;
      readonly reason: string;
    }
  /** Somebody wanted to link to this host, and may not. */
  | { readonly type: "link-refused"; readonly closure: LinkClosure; readonly reason: string }
  | { readonly type: "region-gone"; readonly region: string; readonly givenUp: number }
  | { readonly type: "region-overflowed"; readonly region: string }
  | { readonly type: "region-recovered"; readonly region: string; readonly lost: number }
  | { readonly type: "region-flooded"; readonly region: string }
  /** It gave up frames that were for this region; undefined: nobody knows how many. */
  | { readonly type: "missed-of-region"; readonly region: string; readonly frames: number | undefined }
  | { readonly type: "too-long"; readonly bytes: number };

export interface LinkEffects {
  /** Sends a message; what is lost with the link is repeated where it has to be. */
  send(link: number, payload: Buffer): void;
  /** Much waits to be sent: nothing more is to be sent there until `RegionLinks.drained`. */
  isFull(link: number): boolean;
  /** The other end has said what cannot be. */
  close(link: number, closure: LinkClosure, reason: string): void;
  /** There is something to send: `flush` is to be called, once for all that is said in this turn. */
  wake(): void;
  note(note: LinkNote): void;
}

/** Totals since the router began, all links together; loss in (frame, region) pairs. */
export interface LinkCounters {
  framesIn: number;
  framesOut: number;
  messagesIn: number;
  messagesOut: number;
  bytesIn: number;
  bytesOut: number;
  droppedVolatile: number;
  givenUpFrames: number;
  lostFrames: number;
  missedFrames: number;
  badMessages: number;
  announcements: number;
  snapshots: number;
  /** Handshakes that were refused, and links that were closed for what was said on them. */
  refusals: number;
  /** Links that were closed because the other end did not answer, or did not read. */
  silences: number;
}

export function emptyLinkCounters(): LinkCounters {
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
    badMessages: 0,
    announcements: 0,
    snapshots: 0,
    refusals: 0,
    silences: 0,
  };
}
