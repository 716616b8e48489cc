/** Tells each worker about the others: who is there, how loaded, and who takes no new sessions. Only when that has changed. */

import { listTakers, type WorkerRecord } from "./worker-record.js";

export class SiblingNews {
  #last = "";

  spread(records: readonly WorkerRecord[]): void {
    const nowMs = performance.now();
    const takers = new Set(listTakers(records));
    const siblings = records
      .filter((record) => record.state === "ready" || record.state === "draining")
      .map((record) => ({
        slot: record.slot,
        socketPath: record.socketPath,
        load: record.countLoad(nowMs),
        isDraining: !takers.has(record),
        isStalled: record.isStalled,
      }));
    const text = JSON.stringify(siblings);
    if (text === this.#last) return;
    this.#last = text;
    for (const record of records) {
      if (record.state === "starting") continue;
      record.send({
        type: "signalbox:siblings",
        siblings: siblings.filter((sibling) => sibling.slot !== record.slot),
        takesSessions: takers.has(record),
      });
    }
  }
}
