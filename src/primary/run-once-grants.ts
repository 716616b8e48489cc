/** Tells workers that a `runOnce` job is theirs: it acts, `run-once-registry` decides. */

import { RunOnceRegistry } from "./run-once-registry.js";
import type { WorkerRecord } from "./worker-record.js";

export class RunOnceGrants {
  readonly #registry: RunOnceRegistry;
  readonly #findWorker: (slot: number) => WorkerRecord | undefined;

  constructor(findWorker: (slot: number) => WorkerRecord | undefined) {
    this.#findWorker = findWorker;
    this.#registry = new RunOnceRegistry((slot) => findWorker(slot)?.isLeaving === true);
  }

  claim(name: string, slot: number): void {
    this.#tell(this.#registry.claim(name, slot));
  }

  release(name: string, slot: number): void {
    this.#tell(this.#registry.release(name, slot));
  }

  /** The slot's worker has ended. */
  releaseAll(slot: number): void {
    for (const grant of this.#registry.releaseAll(slot)) this.#tell(grant);
  }

  #tell(grant: { readonly name: string; readonly slot: number } | undefined): void {
    if (grant === undefined) return;
    this.#findWorker(grant.slot)?.send({ type: "signalbox:run-once-granted", name: grant.name });
  }
}
