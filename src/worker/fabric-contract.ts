/** What a worker knows of its fabric, whichever it is. */

import type { Namespace } from "socket.io";
import type { FabricCounts } from "../protocol/worker-messages.js";

export type AdapterFactory = (namespace: Namespace) => object;

/** How this worker reaches the others. */
export interface Fabric {
  readonly createAdapter: AdapterFactory;
  /** Resolves when the way to the others is open; not before the first adapter is made. */
  readonly connected: Promise<void>;
  readCounts(): FabricCounts;
}
