/** Runs the history of one seed to its end and judges it. */

import { busMessageKinds } from "../../src/protocol/bus-messages.js";
import { requests } from "../../src/protocol/exchange-frames.js";
import { checkAtRest } from "./final-checks.js";
import { History } from "./history.js";
import { SimulatedFleet } from "./simulated-fleet.js";

export interface SeedOptions {
  readonly seed: number;
  /** Several hosts, and a bus between them. */
  readonly isFleet: boolean;
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
/** In a fleet also: verdicts on hosts, heartbeats that tell of what was lost, what is sent again and asked for again. */
const fleetSettleMs = 8_500;
const silenceMs = 1_500;
/** What the last step has planned happens, too. */
const lastStepMs = 20;
const lastWordsMs = 500;
/** What is lost is sent again, more and more slowly. */
const settleLimitMs = 30_000;
/** Messages arrive; clients that missed some are sent away within a second, and their rooms are left after a cooldown. */
const probeMs = 3_500;
/** On the slowest bus, with the smallest datagrams, the answers of all to all take about a second. */
const probeLimitMs = 2_000;
const restLimitMs = 1_000;

export async function runSeed({ seed, isFleet, steps, writeTrace }: SeedOptions): Promise<SeedResult> {
  const fleet = new SimulatedFleet(seed, isFleet, writeTrace);
  const history = new History(fleet);
  const run = new Run(fleet);
  await run.until(
    () => fleet.isHealthy && fleet.livingHosts.length === fleet.hosts.length,
    healLimitMs,
    "the host never starts",
  );
  let left = steps;
  const takeStep = (): void => {
    history.step();
    if (--left > 0) fleet.time.after(history.chooseGapMs(), takeStep);
  };
  fleet.time.after(history.chooseGapMs(), takeStep);
  await run.until(() => left === 0, Number.POSITIVE_INFINITY, "");
  fleet.observer.log?.("the history ends");
  if (fleet.bus !== undefined) fleet.bus.isMended = true;
  await run.forMs(lastStepMs);
  await run.until(() => fleet.isHealthy, healLimitMs, "the host never heals");
  await run.forMs(isFleet ? fleetSettleMs : settleMs);
  if (isFleet) await checkSilence(fleet, run);
  fleet.exactSinceMs = fleet.time.nowMs;
  probe(fleet, history);
  await run.forMs(probeMs);
  if (isFleet) await run.until(() => isSettled(fleet), settleLimitMs, "hosts never take what was sent to them");
  if (isFleet) await run.forMs(lastWordsMs);
  // A ping, or its answer, may be on its way at any moment.
  await run.until(() => isSilent(fleet), restLimitMs, "there is always something to write");
  checkAtRest(fleet);
  const { truth, observer, settings } = fleet;
  return {
    violation: observer.violation,
    deliveries: truth.deliveries,
    requests: fleet.requests.ended,
    profile: settings.profile,
  };
}

/** With nobody saying anything, hosts say that they live, and nothing else. */
async function checkSilence(fleet: SimulatedFleet, run: Run): Promise<void> {
  const published = new Map<number, number>();
  fleet.published = published;
  await run.forMs(silenceMs);
  fleet.published = undefined;
  for (const [kind, count] of published) {
    if (kind !== busMessageKinds.heartbeat) fleet.observer.fail(`${count} messages of kind ${kind} on a bus at rest`);
  }
}

function isSettled(fleet: SimulatedFleet): boolean {
  return fleet.livingHosts.every(({ router }) => router?.core.bus?.isSettled === true);
}

function isSilent(fleet: SimulatedFleet): boolean {
  return fleet.livingWorkers.every(({ session }) => !session.hasWrites && session.queuedBytes === 0);
}

/** Everybody sends to every room, and asks everybody: all of it has to arrive now. */
function probe(fleet: SimulatedFleet, history: History): void {
  if (fleet.observer.violation !== undefined) return;
  const nobody = new Set<never>();
  const rooms = new Set(
    fleet.livingWorkers.flatMap((worker) => worker.adapters.flatMap((adapter) => [...adapter.rooms.keys()])),
  );
  for (const worker of fleet.livingWorkers) {
    for (const adapter of worker.adapters) {
      for (const room of rooms) {
        if (fleet.random.chance(0.15))
          history.applications.emit(worker, adapter, { rooms: new Set([room]), except: nobody }, false, []);
      }
      history.applications.emit(worker, adapter, { rooms: nobody, except: nobody }, false, []);
      history.applications.request(
        worker,
        adapter,
        requests.fetchSockets,
        { rooms: nobody, except: nobody },
        probeLimitMs,
      );
    }
  }
}

class Run {
  readonly #fleet: SimulatedFleet;

  constructor(fleet: SimulatedFleet) {
    this.#fleet = fleet;
  }

  async forMs(durationMs: number): Promise<void> {
    const endMs = this.#fleet.time.nowMs + durationMs;
    // Where every host has left or died, time passes without anything happening.
    this.#fleet.time.at(endMs, () => {});
    await this.until(() => this.#fleet.time.nowMs >= endMs, Number.POSITIVE_INFINITY, "");
  }

  async until(isReached: () => boolean, limitMs: number, otherwise: string): Promise<void> {
    const fleet = this.#fleet;
    const endMs = fleet.time.nowMs + limitMs;
    while (fleet.observer.violation === undefined && !isReached()) {
      if (fleet.time.nowMs > endMs) {
        fleet.observer.fail(otherwise);
        return;
      }
      this.#step();
      // Promises of joins are resolved between two moments.
      if (fleet.pendingJoins > 0) await Promise.resolve();
    }
  }

  #step(): void {
    try {
      this.#fleet.time.step();
    } catch (error) {
      this.#fleet.observer.fail(`thrown: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }
}
