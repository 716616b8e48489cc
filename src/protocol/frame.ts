/** What every frame of the fabric shares: length and kind, the limits, the version, and the error of a bad one. Pure. */

/**
 * A frame is `u32 length` (of all that follows), `u8 kind`, `u8 flags`, and what the kind says. Integers are big-endian.
 * Header texts are UTF-8. A body is opaque to the router.
 */
export const frameKinds = {
  // Worker to router.
  hello: 1,
  namespaceUp: 2,
  namespaceDown: 3,
  interest: 4,
  interestComplete: 5,
  floodMe: 6,
  pong: 7,
  joinsDone: 8,
  unsent: 9,
  // Router to worker.
  welcome: 16,
  refused: 17,
  memberUp: 18,
  memberDown: 19,
  membersReset: 20,
  placeDown: 21,
  placeStalled: 22,
  placeResumed: 23,
  interestTaken: 24,
  ping: 25,
  routed: 26,
  lost: 27,
  hostUnreachable: 28,
  // Through the router, from worker to worker.
  broadcast: 32,
  command: 33,
  request: 34,
  response: 35,
  routedAt: 36,
  emitter: 37,
  regional: 38,
  // From router to router.
  joinMark: 48,
  hostJoinsDone: 49,
  missed: 50,
  linkResume: 51,
  linkAnswers: 52,
} as const;

/** Version that a hello names. The one before is accepted too, so that a fleet can be upgraded part by part. */
export const protocolVersion = 1;
export const acceptedVersions: readonly number[] = [protocolVersion];

/** Bytes of the length field, and of length, kind and flags together. */
export const lengthBytes = 4;
export const frameHeadBytes = 6;

/** Longest frame, its length field included. Larger messages are refused where they are made. */
export const maxFrameBytes = 64 * 1024 * 1024;
/** Longest room name that is encoded, in bytes of UTF-8; the length field could say 65,535. */
export const maxRoomBytes = 32 * 1024;
export const maxNamespaceBytes = 32 * 1024;
/** Most rooms, or excepted rooms, of one frame. */
export const maxRoomsPerFrame = 65_535;

/** Flags of broadcast, command and request frames. */
export const frameFlags = {
  volatile: 1,
  /** The application said something about compression; without it, Engine.IO's default holds. */
  hasCompress: 2,
  compress: 4,
  /** For the workers of the host it comes from, or of the region, and nobody else. */
  hostOnly: 8,
  regionOnly: 16,
} as const;

export type FrameFault =
  | "too-long"
  | "too-short"
  | "truncated"
  | "unknown-kind"
  | "bad-text"
  | "bad-room"
  | "bad-version"
  | "bad-value"
  | "trailing-bytes";

/** Bytes that are not a frame, or a frame that says what it must not. The only error that decoding throws. */
export class FrameError extends Error {
  readonly fault: FrameFault;

  constructor(fault: FrameFault, message: string) {
    super(message);
    this.name = "FrameError";
    this.fault = fault;
  }
}
