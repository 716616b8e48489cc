/** What a worker and its router say to each other besides the messages that pass through: encoded and checked here. Pure. */

import { ByteReader } from "./byte-reader.js";
import { ByteWriter } from "./byte-writer.js";
import { FrameError, frameHeadBytes, frameKinds, lengthBytes } from "./frame.js";
import type { RefusalCode } from "./port-refusals.js";

/** Characters of an adapter's uid: an address. The first six, its place, say whose it is. */
export const uidLength = 20;
export const placeLength = 6;
export const hostKeyLength = 4;

/** Stands for a whole host among those who are asked, until its router says who they are; it begins like their uids. */
export function nameHostAsked(hostKey: string): string {
  return hostKey.padEnd(uidLength, "*");
}

export type WorkerToRouter =
  /** First on a connection. */
  | { readonly type: "hello"; readonly version: number; readonly place: string; readonly workerId: string }
  /** An adapter of this worker serves a namespace. */
  | { readonly type: "namespace-up"; readonly uid: string; readonly parserId: number; readonly namespace: string }
  | { readonly type: "namespace-down"; readonly uid: string }
  /** All that was announced before is the whole truth: no more flooding. */
  | { readonly type: "interest-complete" }
  /** More rooms than it is worth announcing: send everything (true), or: what was announced since then is the truth (false). */
  | { readonly type: "flood-me"; readonly isOn: boolean }
  | { readonly type: "pong"; readonly token: number }
  /** How many `socketsJoin` commands of this connection have been carried out and announced. */
  | { readonly type: "joins-done"; readonly count: number }
  /** Frames that did not fit the worker's outbox while there was no way to the router. */
  | { readonly type: "unsent"; readonly frames: number };

export type RouterToWorker =
  | { readonly type: "welcome"; readonly version: number; readonly incarnation: string }
  | { readonly type: "refused"; readonly code: RefusalCode; readonly reason: string }
  | { readonly type: "member-up"; readonly uid: string; readonly parserId: number; readonly namespace: string }
  | { readonly type: "member-down"; readonly uid: string; readonly namespace: string }
  /** What is known of members is no longer true; the members follow. */
  | { readonly type: "members-reset" }
  /** A worker has ended. */
  | { readonly type: "place-down"; readonly place: string }
  /** A worker does not answer: not waited for, still sent to. */
  | { readonly type: "place-stalled"; readonly place: string }
  | { readonly type: "place-resumed"; readonly place: string }
  /** Interest up to this sequence holds. */
  | { readonly type: "interest-taken"; readonly sequence: number }
  | { readonly type: "ping"; readonly token: number }
  /** Who was asked. */
  | { readonly type: "routed"; readonly uid: string; readonly requestId: number; readonly askedUids: readonly string[] }
  /** Who was asked on another host, by that host's router: they take the place of the host, which `routed` named. */
  | {
      readonly type: "routed-at";
      readonly uid: string;
      readonly requestId: number;
      readonly hostKey: string;
      readonly askedUids: readonly string[];
    }
  /** Another host cannot be reached: not waited for, still sent to. */
  | { readonly type: "host-unreachable"; readonly hostKey: string }
  /** At this point of the stream, `frames` frames for this worker were thrown away. */
  | { readonly type: "lost"; readonly frames: number; readonly joinsSent: number };

export function encodeWorkerToRouter(message: WorkerToRouter): Buffer {
  switch (message.type) {
    case "hello":
      return new ByteWriter(frameKinds.hello)
        .u16(message.version)
        .ascii(message.place)
        .ascii(message.workerId)
        .finish();
    case "namespace-up":
      return new ByteWriter(frameKinds.namespaceUp)
        .ascii(message.uid)
        .u32(message.parserId)
        .text(message.namespace)
        .finish();
    case "namespace-down":
      return new ByteWriter(frameKinds.namespaceDown).ascii(message.uid).finish();
    case "interest-complete":
      return new ByteWriter(frameKinds.interestComplete).finish();
    case "flood-me":
      return new ByteWriter(frameKinds.floodMe).u8(message.isOn ? 1 : 0).finish();
    case "pong":
      return new ByteWriter(frameKinds.pong).u32(message.token).finish();
    case "joins-done":
      return new ByteWriter(frameKinds.joinsDone).u48(message.count).finish();
    case "unsent":
      return new ByteWriter(frameKinds.unsent).u48(message.frames).finish();
  }
}

/**
 * Decodes what a worker says to its router; undefined for kinds that are none of these (interest, and what passes through).
 * @throws FrameError when the frame is not what its kind says
 */
export function decodeWorkerToRouter(bytes: Buffer, start: number, end: number): WorkerToRouter | undefined {
  const reader = new ByteReader(bytes, start + frameHeadBytes, end);
  const message = readWorkerToRouter(bytes[start + lengthBytes], reader);
  if (message !== undefined && message.type !== "hello") reader.finish();
  return message;
}

function readWorkerToRouter(kind: number | undefined, reader: ByteReader): WorkerToRouter | undefined {
  switch (kind) {
    case frameKinds.hello:
      // Later versions may say more after this.
      return {
        type: "hello",
        version: reader.u16(),
        place: reader.ascii(placeLength),
        workerId: reader.ascii(uidLength),
      };
    case frameKinds.namespaceUp:
      return { type: "namespace-up", uid: reader.ascii(uidLength), parserId: reader.u32(), namespace: reader.text() };
    case frameKinds.namespaceDown:
      return { type: "namespace-down", uid: reader.ascii(uidLength) };
    case frameKinds.interestComplete:
      return { type: "interest-complete" };
    case frameKinds.floodMe:
      return { type: "flood-me", isOn: reader.u8() === 1 };
    case frameKinds.pong:
      return { type: "pong", token: reader.u32() };
    case frameKinds.joinsDone:
      return { type: "joins-done", count: reader.u48() };
    case frameKinds.unsent:
      return { type: "unsent", frames: reader.u48() };
    default:
      return undefined;
  }
}

export function encodeRouterToWorker(message: RouterToWorker): Buffer {
  switch (message.type) {
    case "welcome":
      return new ByteWriter(frameKinds.welcome).u16(message.version).text(message.incarnation).finish();
    case "refused":
      return new ByteWriter(frameKinds.refused).u16(message.code).text(message.reason).finish();
    case "member-up":
      return new ByteWriter(frameKinds.memberUp)
        .ascii(message.uid)
        .u32(message.parserId)
        .text(message.namespace)
        .finish();
    case "member-down":
      return new ByteWriter(frameKinds.memberDown).ascii(message.uid).text(message.namespace).finish();
    case "members-reset":
      return new ByteWriter(frameKinds.membersReset).finish();
    case "place-down":
      return new ByteWriter(frameKinds.placeDown).ascii(message.place).finish();
    case "place-stalled":
      return new ByteWriter(frameKinds.placeStalled).ascii(message.place).finish();
    case "place-resumed":
      return new ByteWriter(frameKinds.placeResumed).ascii(message.place).finish();
    case "interest-taken":
      return new ByteWriter(frameKinds.interestTaken).u48(message.sequence).finish();
    case "ping":
      return new ByteWriter(frameKinds.ping).u32(message.token).finish();
    case "routed": {
      const writer = new ByteWriter(frameKinds.routed).ascii(message.uid).u32(message.requestId);
      writer.u16(message.askedUids.length);
      for (const uid of message.askedUids) writer.ascii(uid);
      return writer.finish();
    }
    case "routed-at": {
      const writer = new ByteWriter(frameKinds.routedAt).ascii(message.uid).u32(message.requestId);
      writer.ascii(message.hostKey).u16(message.askedUids.length);
      for (const uid of message.askedUids) writer.ascii(uid);
      return writer.finish();
    }
    case "host-unreachable":
      return new ByteWriter(frameKinds.hostUnreachable).ascii(message.hostKey).finish();
    case "lost":
      return new ByteWriter(frameKinds.lost).u48(message.frames).u48(message.joinsSent).finish();
  }
}

/**
 * Decodes what a router says to its worker; undefined for kinds that are none of these.
 * @throws FrameError when the frame is not what its kind says
 */
export function decodeRouterToWorker(bytes: Buffer, start: number, end: number): RouterToWorker | undefined {
  const reader = new ByteReader(bytes, start + frameHeadBytes, end);
  const message = readRouterToWorker(bytes[start + lengthBytes], reader);
  if (message !== undefined && message.type !== "welcome") reader.finish();
  return message;
}

function readRouterToWorker(kind: number | undefined, reader: ByteReader): RouterToWorker | undefined {
  switch (kind) {
    case frameKinds.welcome:
      return { type: "welcome", version: reader.u16(), incarnation: reader.text() };
    case frameKinds.refused:
      return { type: "refused", code: reader.u16() as RefusalCode, reason: reader.text() };
    case frameKinds.memberUp:
      return { type: "member-up", uid: reader.ascii(uidLength), parserId: reader.u32(), namespace: reader.text() };
    case frameKinds.memberDown:
      return { type: "member-down", uid: reader.ascii(uidLength), namespace: reader.text() };
    case frameKinds.membersReset:
      return { type: "members-reset" };
    case frameKinds.placeDown:
      return { type: "place-down", place: reader.ascii(placeLength) };
    case frameKinds.placeStalled:
      return { type: "place-stalled", place: reader.ascii(placeLength) };
    case frameKinds.placeResumed:
      return { type: "place-resumed", place: reader.ascii(placeLength) };
    case frameKinds.interestTaken:
      return { type: "interest-taken", sequence: reader.u48() };
    case frameKinds.ping:
      return { type: "ping", token: reader.u32() };
    case frameKinds.routed:
      return readRouted(reader);
    case frameKinds.routedAt:
      return readRoutedAt(reader);
    case frameKinds.hostUnreachable:
      return { type: "host-unreachable", hostKey: reader.ascii(hostKeyLength) };
    case frameKinds.lost:
      return { type: "lost", frames: reader.u48(), joinsSent: reader.u48() };
    default:
      return undefined;
  }
}

function readRouted(reader: ByteReader): RouterToWorker {
  const uid = reader.ascii(uidLength);
  const requestId = reader.u32();
  return { type: "routed", uid, requestId, askedUids: readUids(reader) };
}

function readRoutedAt(reader: ByteReader): RouterToWorker {
  const uid = reader.ascii(uidLength);
  const requestId = reader.u32();
  const hostKey = reader.ascii(hostKeyLength);
  return { type: "routed-at", uid, requestId, hostKey, askedUids: readUids(reader) };
}

function readUids(reader: ByteReader): string[] {
  const uids: string[] = [];
  for (let left = reader.u16(); left > 0; left--) uids.push(reader.ascii(uidLength));
  return uids;
}

/** Kind of the frame that begins at `start`. */
export function readFrameKind(bytes: Buffer, start: number): number {
  const kind = bytes[start + lengthBytes];
  if (kind === undefined) throw new FrameError("too-short", "a frame without a kind");
  return kind;
}
