/** Gives other hosts everything that this one has announced, a few parts for each asking. Pure. */

import { type HostTruth, type SnapshotPage, writeSnapshot } from "./announcement-writer.js";
import { partsPerRequest } from "./host-view.js";

interface Serving {
  readonly snapshotId: number;
  readonly pages: Generator<SnapshotPage, void, void>;
  nextPart: number;
}

export interface ServedPart extends SnapshotPage {
  readonly part: number;
}

export class SnapshotServer {
  readonly #truth: HostTruth;
  /** One for each host: who asks anew begins anew. */
  readonly #servingByHost = new Map<string, Serving>();

  constructor(truth: HostTruth) {
    this.#truth = truth;
  }

  /**
   * The parts that follow, as of now: all that is news has to have been announced. None when they cannot be given: whoever
   * asked asks anew.
   */
  serve(hostKey: string, snapshotId: number, part: number): ServedPart[] {
    let serving = this.#servingByHost.get(hostKey);
    if (part === 0 && serving?.snapshotId !== snapshotId) {
      serving = { snapshotId, pages: writeSnapshot(this.#truth), nextPart: 0 };
      this.#servingByHost.set(hostKey, serving);
    }
    if (serving?.snapshotId !== snapshotId || serving.nextPart !== part) return [];
    const parts: ServedPart[] = [];
    while (parts.length < partsPerRequest) {
      const page = serving.pages.next();
      if (page.done === true) break;
      parts.push({ part: serving.nextPart++, ...page.value });
      if (!page.value.isLast) continue;
      this.#servingByHost.delete(hostKey);
      break;
    }
    return parts;
  }

  forget(hostKey: string): void {
    this.#servingByHost.delete(hostKey);
  }
}
