/** Every metric of the workers' side of the fabric `routed`, declared once; summed up over the workers. */

import { Counter, type Registry } from "prom-client";
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
};

export class FabricMetrics {
  readonly #counters: readonly (readonly [keyof FabricCounts, Counter])[];

  constructor(registry: Registry) {
    this.#counters = (Object.keys(declarations) as (keyof FabricCounts)[]).map((key) => {
      const [name, help] = declarations[key];
      return [key, new Counter({ name: `signalbox_fabric_${name}_total`, help, registers: [registry] })] as const;
    });
  }

  /** Adds what a worker has counted since its last report; `before` is undefined for the first of a process. */
  addCounts(before: FabricCounts | undefined, after: FabricCounts): void {
    for (const [key, counter] of this.#counters) counter.inc(Math.max(0, after[key] - (before?.[key] ?? 0)));
  }
}
