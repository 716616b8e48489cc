/** Gives the adapter factory of a fabric. */

import type { Namespace } from "socket.io";
import { AppStartError } from "../errors.js";
import type { WorkerInit } from "../protocol/worker-messages.js";

export type AdapterFactory = (namespace: Namespace) => object;

/** `stock` on one host is `@socket.io/cluster-adapter`, unchanged. */
export async function createFabricAdapter(fabric: WorkerInit["fabric"]): Promise<AdapterFactory> {
  switch (fabric) {
    case "stock": {
      const { createAdapter } = await import("@socket.io/cluster-adapter");
      // That package adds a process listener for each namespace: Node's leak warning would be noise.
      process.setMaxListeners(0);
      return createAdapter() as AdapterFactory;
    }
    case "routed":
      throw new AppStartError("SIGNALBOX_APP_UNSUPPORTED", "the fabric routed is not part of this build.");
  }
}
