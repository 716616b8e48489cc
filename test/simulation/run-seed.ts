/** Runs the history of one seed to its end and judges it. */

import { requests } from "../../src/protocol/exchange-frames.js";
import { checkAtRest } from "./final-checks.js";
import { History } from "./history.js";
import { SimulatedHost } from "./simulated-host.js";

export interface SeedOptions {
  readonly seed: number;
  /** Steps of the history. */
  readonly steps: number;
  /** Gets a line for each thing that happens. */
  readonly writeTrace?: ((line: string) => void) | undefined;
}

export interface SeedResult {
  readonly violation: string | undefined;
  readonly deliveries: number;
  readonly requests: number;
  readonly profile: string;
}

/** Faults heal within seconds; this long says that one does not. */
const healLimitMs = 30_000;
/** The longest of: requests' limits, cooldown of leaves, expectation of a worker, farewells. */
const settleMs = 6_500;
/** Messages arrive; clients that missed some are sent away within a second, and their rooms are left after a cooldown. */
const probeMs = 2_500;
const restLimitMs = 1_000;

export async function runSeed({ seed, steps, writeTrace }: SeedOptions): Promise<SeedResult> {
  const host = new SimulatedHost(seed, writeTrace);
  const history = new History(host);
  const run = new Run(host);
  await run.until(() => host.isHealthy, healLimitMs, "the host never starts");
  let left = steps;
  const takeStep = (): void => {
    history.step();
    if (--left > 0) host.time.after(history.chooseGapMs(), takeStep);
  };
  host.time.after(history.chooseGapMs(), takeStep);
  await run.until(() => left === 0, Number.POSITIVE_INFINITY, "");
  host.observer.log?.("the history ends");
  await run.until(() => host.isHealthy, healLimitMs, "the host never heals");
  await run.forMs(settleMs);
  host.exactSinceMs = host.time.nowMs;
  probe(host, history);
  await run.forMs(probeMs);
  // A ping, or its answer, may be on its way at any moment.
  await run.until(() => isSilent(host), restLimitMs, "there is always something to write");
  checkAtRest(host);
  const { truth, observer, settings } = host;
  return {
    violation: observer.violation,
    deliveries: truth.deliveries,
    requests: host.requests.ended,
    profile: settings.profile,
  };
}

function isSilent(host: SimulatedHost): boolean {
  return host.livingWorkers.every(({ session }) => !session.hasWrites && session.queuedBytes === 0);
}

/** Everybody sends to every room, and asks everybody: all of it has to arrive now. */
function probe(host: SimulatedHost, history: History): void {
  if (host.observer.violation !== undefined) return;
  const nobody = new Set<never>();
  const rooms = new Set(
    host.livingWorkers.flatMap((worker) => worker.adapters.flatMap((adapter) => [...adapter.rooms.keys()])),
  );
  for (const worker of host.livingWorkers) {
    for (const adapter of worker.adapters) {
      for (const room of rooms) {
        if (host.random.chance(0.15))
          history.applications.emit(worker, adapter, { rooms: new Set([room]), except: nobody }, false, []);
      }
      history.applications.emit(worker, adapter, { rooms: nobody, except: nobody }, false, []);
      history.applications.request(worker, adapter, requests.fetchSockets, { rooms: nobody, except: nobody }, 1_000);
    }
  }
}

class Run {
  readonly #host: SimulatedHost;

  constructor(host: SimulatedHost) {
    this.#host = host;
  }

  async forMs(durationMs: number): Promise<void> {
    const endMs = this.#host.time.nowMs + durationMs;
    await this.until(() => this.#host.time.nowMs >= endMs, Number.POSITIVE_INFINITY, "");
  }

  async until(isReached: () => boolean, limitMs: number, otherwise: string): Promise<void> {
    const host = this.#host;
    const endMs = host.time.nowMs + limitMs;
    while (host.observer.violation === undefined && !isReached()) {
      if (host.time.nowMs > endMs) {
        host.observer.fail(otherwise);
        return;
      }
      this.#step();
      // Promises of joins are resolved between two moments.
      if (host.pendingJoins > 0) await Promise.resolve();
    }
  }

  #step(): void {
    try {
      this.#host.time.step();
    } catch (error) {
      this.#host.observer.fail(`thrown: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }
}
