/**
 * Values of the application between workers (arguments of server-side events, acknowledgements, socket data), in V8's own
 * format: what `structuredClone` keeps is kept (Buffer, Date, Map, Set, typed arrays, undefined, BigInt, Error, RegExp,
 * cycles); functions and symbols cannot be sent; instances of classes become plain objects.
 */

import { deserialize, serialize } from "node:v8";
import { FrameError } from "../../protocol/frame.js";

/** @throws DOMException-like Error (`could not be cloned`) for what cannot be sent */
export function encodeValue(value: unknown): Buffer {
  return serialize(value);
}

/** @throws FrameError when the bytes are no value */
export function decodeValue(bytes: Buffer): unknown {
  try {
    // A copy: what V8 gives out may share memory with the frame, whose bytes are used again.
    return deserialize(Buffer.from(bytes));
  } catch {
    throw new FrameError("bad-value", "a value cannot be read");
  }
}
