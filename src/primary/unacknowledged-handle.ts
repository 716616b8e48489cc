/** Closes the connection that was on the channel of a worker when it ended: Node forgets it there, open. */

import type { ChildProcess } from "node:child_process";

/** The private face of a child process that this needs (read and tried on node 20.20, `lib/internal/child_process.js`). */
interface PendingHandleOwner {
  _pendingMessage?: { readonly handle: { close(): void } } | null;
}

/**
 * Node keeps its own copy of a handle that it has written until the worker acknowledges it, and closes that copy when the
 * channel ends, but only if no handle is unacknowledged then (`target.disconnect` skips `_disconnect`), so never. The
 * client of a worker that was killed with an unread connection on its channel would wait for ever. The connection is
 * closed and not given to another worker, because this one may have read its request.
 */
export function closeUnacknowledgedHandle(process: ChildProcess): void {
  const owner = process as unknown as PendingHandleOwner;
  const handle = owner._pendingMessage?.handle;
  owner._pendingMessage = null;
  handle?.close();
}
