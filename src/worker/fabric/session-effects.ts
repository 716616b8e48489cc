/** What the worker's end of the connection asks of the process around it, and what it counts. */

/** Something worth a log line, or worth acting on. */
export type SessionNote =
  | { readonly type: "welcome" }
  /** A new router: what the former had in its memory is gone, and nobody knows how much that was. */
  | { readonly type: "router-restarted" }
  /** The same router, after a broken connection: what it sent in between is gone. */
  | { readonly type: "reconnected" }
  /** The outbox is full: what waits for the router is given up. */
  | { readonly type: "overflowed" }
  /** Another worker sent what cannot be read. */
  | { readonly type: "unreadable"; readonly reason: string }
  /** The router had to throw away frames for this worker. */
  | { readonly type: "missed"; readonly frames: number };

export interface SessionEffects {
  /** There is something to write; called once until `takeWrites`. */
  wake(): void;
  /** `tick` is to be called at this time, if not before. */
  schedule(dueMs: number): void;
  /** Thrown by code of the application in a callback. */
  raise(error: unknown): void;
  refused(code: number, reason: string, shouldReconnectNow: boolean): void;
  note(note: SessionNote): void;
}

/** Totals since the worker began. */
export interface SessionCounters {
  framesOut: number;
  framesIn: number;
  droppedVolatile: number;
  /** Frames of this worker that never reached the router. */
  unsentFrames: number;
  /** Frames for this worker that the router threw away. */
  missedFrames: number;
  /** Frames of other regions that came again after a link was made anew, and were dropped. */
  doubles: number;
}

export function emptySessionCounters(): SessionCounters {
  return { framesOut: 0, framesIn: 0, droppedVolatile: 0, unsentFrames: 0, missedFrames: 0, doubles: 0 };
}
