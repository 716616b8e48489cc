/**
 * What a worker announces of one namespace: rooms that got their first local member, or lost their last. Pure.
 *
 * `u48 sequence`, the namespace, `u32 changes`, and for each `u8 joined`, `u16 length` and the room's bytes.
 */

import { ByteReader } from "./byte-reader.js";
import { ByteWriter } from "./byte-writer.js";
import { FrameError, frameHeadBytes, frameKinds } from "./frame.js";
import { readRoomKey } from "./room-key.js";

/** A frame is closed when it is this long: a snapshot of many rooms goes in pieces. */
const fullFrameBytes = 48 * 1024;

export interface InterestChange {
  /** Encoded room. */
  readonly room: Uint8Array;
  readonly isJoined: boolean;
}

/** Writes one frame after the other; `add` says when the frame is full. */
export class InterestFrameWriter {
  readonly #writer: ByteWriter;
  readonly #countAt: number;
  #count = 0;

  constructor(sequence: number, namespace: string) {
    this.#writer = new ByteWriter(frameKinds.interest, 0, 1_024).u48(sequence).text(namespace);
    this.#countAt = this.#writer.length;
    this.#writer.u32(0);
  }

  get isFull(): boolean {
    return this.#writer.length >= fullFrameBytes;
  }

  add(change: InterestChange): void {
    this.#count++;
    this.#writer
      .u8(change.isJoined ? 1 : 0)
      .u16(change.room.length)
      .raw(change.room);
  }

  finish(): Buffer {
    return this.#writer.patchU32(this.#countAt, this.#count).finish();
  }
}

/**
 * Reads a frame, calling `take` with each room's key. Answers its sequence.
 * @throws FrameError when it is none; the changes before the fault have been taken then
 */
export function readInterestFrame(
  bytes: Buffer,
  start: number,
  end: number,
  begin: (namespaceKey: string) => void,
  take: (roomKey: string, isJoined: boolean, roomStart: number, roomEnd: number) => void,
): number {
  const reader = new ByteReader(bytes, start + frameHeadBytes, end);
  const sequence = reader.u48();
  const namespaceBytes = reader.u16();
  const namespaceAt = reader.skip(namespaceBytes);
  begin(bytes.toString("latin1", namespaceAt, namespaceAt + namespaceBytes));
  for (let left = reader.u32(); left > 0; left--) {
    const joined = reader.u8();
    if (joined > 1) throw new FrameError("bad-value", "a room is joined or left");
    const roomBytes = reader.u16();
    const roomAt = reader.skip(roomBytes);
    take(readRoomKey(bytes, roomAt, roomAt + roomBytes), joined === 1, roomAt, roomAt + roomBytes);
  }
  reader.finish();
  return sequence;
}
