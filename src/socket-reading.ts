/** Stops and resumes the reading of a socket at kernel level, so that no byte is in this process when its handle leaves. */

import type { Socket } from "node:net";

/** The private face of `net.Socket` that stopping needs. */
interface HandleOwner {
  readonly _handle?: { reading?: boolean; readStop?: () => number } | null;
}

/**
 * From the return on, what the client sends stays in the kernel, for whoever gets the handle.
 *
 * `pause()` is not enough: it keeps reading into the stream's buffer, which does not travel with the handle. Nor is
 * `readStop()`: after each chunk the stream asks for more on the next tick (`maybeReadMore`), and while the handle waits
 * to be sent that starts the reading again. The primary would then go on reading, beside the worker, until the worker's
 * acknowledgement: 1 upgrade in 2,000 lost its first frame that way (measured). So the stream's `_read`, the public place
 * where a stream is told how to get more, gets nothing.
 */
export function stopReading(socket: Socket): void {
  socket._read = () => {};
  const handle = (socket as unknown as HandleOwner)._handle;
  if (handle === null || handle === undefined) return;
  handle.reading = false;
  handle.readStop?.();
}

/** Takes `stopReading` back, for a socket that is answered here after all. */
export function resumeReading(socket: Socket): void {
  Reflect.deleteProperty(socket, "_read");
  // Directly: the stream may believe that it is reading already, since it has asked while nothing answered.
  socket._read(socket.readableHighWaterMark);
}
