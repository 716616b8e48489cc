/** Every metric of the workers' side of the fabric, declared once; summed up over the workers. */

import { Counter, type Registry } from "prom-client";
import type { FabricName } from "../config/config.js";
import type { FabricCounts } from "../protocol/worker-messages.js";

/** Name, without what all have in common, and help. */
const declarations: Readonly<Record<keyof FabricCounts, readonly [name: string, help: string]>> = {
  broadcastsReceived: ["broadcasts_received", "Broadcasts of other workers that had a receiver on the worker."],
  broadcastsFiltered: [
    "broadcasts_filtered",
    "Broadcasts of other workers that had no receiver on the worker: sent in vain, to be safe.",
  ],
  packetsDecoded: ["packets_decoded", "Packets of other workers that were decoded because a listener wanted them."],
  packetsReencoded: [
    "packets_reencoded",
    "Packets of other workers that were encoded anew, for an acknowledgement or another parser.",
  ],
  messagesRefused: ["messages_refused", "Messages too long or with too many rooms to be sent to other workers."],
  messagesUnreadable: ["messages_unreadable", "Messages of other workers that could not be read."],
  volatileDropped: ["volatile_dropped", "Volatile messages that a worker dropped because much waited for the router."],
  framesUnsent: ["frames_unsent", "Messages of a worker that never reached the router."],
  framesMissed: [
    "frames_missed",
    "Messages that the router gave up and told the worker of, whose clients then reconnect.",
  ],
  lateJoins: ["late_joins", "Joins that the router did not acknowledge in time."],
  publishesFailed: ["publishes_failed", "Messages of a worker that did not reach Redis (fabric stock)."],
};

/** With Redis, the fabric `stock` counts this; all else is counted by the fabric `routed`. */
const stockKeys: readonly (keyof FabricCounts)[] = ["publishesFailed"];

export class FabricMetrics {
  readonly #counters: readonly (readonly [keyof FabricCounts, Counter])[];

  constructor(registry: Registry, fabric: FabricName) {
    const keys = (Object.keys(declarations) as (keyof FabricCounts)[]).filter(
      (key) => stockKeys.includes(key) === (fabric === "stock"),
    );
    this.#counters = keys.map((key) => {
      const [name, help] = declarations[key];
      return [key, new Counter({ name: `signalbox_fabric_${name}_total`, help, registers: [registry] })] as const;
    });
  }

  /** Adds what a worker has counted since its last report; `before` is undefined for the first of a process. */
  addCounts(before: FabricCounts | undefined, after: FabricCounts): void {
    for (const [key, counter] of this.#counters) counter.inc(Math.max(0, after[key] - (before?.[key] ?? 0)));
  }
}
