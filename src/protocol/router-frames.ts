/** What two routers say to each other between the messages that pass through, in their order. Pure. */

import { ByteReader } from "./byte-reader.js";
import { ByteWriter } from "./byte-writer.js";
import { frameHeadBytes, frameKinds, lengthBytes } from "./frame.js";

export type RouterToRouter =
  /** All `socketsJoin` commands before this one are meant by this number. */
  | { readonly type: "join-mark"; readonly number: number }
  /** They have been carried out, and what came of them is in the announcements up to `head`. */
  | { readonly type: "joins-done"; readonly number: number; readonly head: number }
  /** What was for this host has been thrown away, nobody knows how much: its clients have to begin anew. */
  | { readonly type: "missed" }
  /** First on a link to another region: frames up to `acked` have been taken there, or are lost; `lost` in all are. */
  | { readonly type: "link-resume"; readonly acked: number; readonly lost: number }
  /** Whether this host can answer the region that has linked to it: it has a link there itself. */
  | { readonly type: "link-answers"; readonly isOn: boolean };

export function encodeRouterToRouter(message: RouterToRouter): Buffer {
  switch (message.type) {
    case "join-mark":
      return new ByteWriter(frameKinds.joinMark).u48(message.number).finish();
    case "joins-done":
      return new ByteWriter(frameKinds.hostJoinsDone).u48(message.number).u48(message.head).finish();
    case "missed":
      return new ByteWriter(frameKinds.missed).finish();
    case "link-resume":
      return new ByteWriter(frameKinds.linkResume).u48(message.acked).u48(message.lost).finish();
    case "link-answers":
      return new ByteWriter(frameKinds.linkAnswers).u8(message.isOn ? 1 : 0).finish();
  }
}

/** Undefined for kinds that are none of these. @throws FrameError when the frame is not what its kind says */
export function decodeRouterToRouter(bytes: Buffer, start: number, end: number): RouterToRouter | undefined {
  const reader = new ByteReader(bytes, start + frameHeadBytes, end);
  switch (bytes[start + lengthBytes]) {
    case frameKinds.joinMark:
      return { type: "join-mark", number: reader.u48() };
    case frameKinds.hostJoinsDone:
      return { type: "joins-done", number: reader.u48(), head: reader.u48() };
    case frameKinds.missed:
      return { type: "missed" };
    case frameKinds.linkResume:
      return { type: "link-resume", acked: reader.u48(), lost: reader.u48() };
    case frameKinds.linkAnswers:
      return { type: "link-answers", isOn: reader.u8() === 1 };
    default:
      return undefined;
  }
}
