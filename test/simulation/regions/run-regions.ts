/**
 * Runs the history of one seed of linked regions to its end and judges it: each message of another region once, in order, to
 * everybody who was in the room, whatever happens to links and routers; and what did not fit is counted alike on both sides.
 */

import type { RoomName } from "../../../src/protocol/room-key.js";
import type { SeedResult } from "../run-seed.js";
import { SeededRandom } from "../seeded-random.js";
import { VirtualTime } from "../virtual-time.js";
import type { Strikes } from "./link-phases.js";
import { MessageLedger } from "./message-ledger.js";
import type { RegionHost } from "./region-host.js";
import { noticedAfterMs, RegionNetwork } from "./region-network.js";
import type { RegionWorker } from "./region-worker.js";

/** Who has been in a room for so long is known to all who can know, or gets everything. */
const knownAfterMs = noticedAfterMs + 2_000;
const settleLimitMs = 12_000;
/** The longest after which something is sent again over a bus. */
const restMs = 2_000;
const lastWordsMs = 350;
const requestLimitMs = 4_000;
/** A worker's timers, and what its router says with the last answer. */
const requestMarginMs = 50;
const rooms = ["a", "b", "c", "d"];

export interface RegionResult extends SeedResult {
  readonly lost: number;
  readonly kills: number;
  readonly cuts: number;
  readonly strikes: Strikes;
}

export interface RegionOptions {
  readonly seed: number;
  readonly steps: number;
  readonly writeTrace?: ((line: string) => void) | undefined;
}

export function runRegions({ seed, steps, writeTrace }: RegionOptions): RegionResult {
  const run = new RegionRun(seed, writeTrace);
  run.play(steps);
  return run.result;
}

class RegionRun {
  readonly #time = new VirtualTime();
  readonly #random: SeededRandom;
  readonly #network: RegionNetwork;
  readonly #ledger: MessageLedger;
  readonly #isTight: boolean;
  /** In some histories hosts lose their Redis, and no router dies: it would take along what it kept for one without Redis. */
  readonly #cutsBuses: boolean;
  readonly #writeTrace: ((line: string) => void) | undefined;
  #violation: string | undefined;
  #joins = 0;
  #requests = 0;
  #openRequests = 0;

  constructor(seed: number, writeTrace: ((line: string) => void) | undefined) {
    this.#writeTrace = writeTrace;
    const random = new SeededRandom(seed);
    this.#random = random;
    this.#isTight = random.chance(0.25);
    this.#cutsBuses = seed % 5 === 3;
    const fail = (text: string): void => this.#fail(text);
    this.#ledger = new MessageLedger(this.#isTight, this.#isTight || this.#cutsBuses, fail);
    const profile = { isTight: this.#isTight, cutsBuses: this.#cutsBuses };
    this.#network = new RegionNetwork(this.#time, random, profile, {
      onMessage: (worker, id) => this.#ledger.take(worker, id),
      onMissed: (worker) => this.#ledger.release(({ owed }) => owed.delete(worker)),
      onKill: (host, acceptsSinceMs) => this.#releaseKilled(host, acceptsSinceMs),
      isTraced: writeTrace !== undefined,
      log: (text) => this.#log(text),
      fail,
    });
  }

  get result(): RegionResult {
    const { kills, cuts, strikes, regions, hosts } = this.#network;
    return {
      violation: this.#violation,
      deliveries: this.#ledger.deliveries,
      requests: this.#requests,
      profile: `${regions.length} regions, ${hosts.length} hosts${this.#isTight ? ", little fits" : ""}${this.#cutsBuses ? ", buses are cut" : ""}`,
      lost: this.#network.sum("lostFrames"),
      kills,
      cuts,
      strikes,
    };
  }

  // Running.

  play(steps: number): void {
    const random = this.#random;
    this.#network.start();
    for (const worker of this.#network.workers) {
      for (const room of rooms) if (random.chance(0.4)) worker.join(room);
    }
    this.#untilRest();
    for (const { joinedMs } of this.#network.workers) {
      for (const room of joinedMs.keys()) joinedMs.set(room, Number.NEGATIVE_INFINITY);
    }
    for (let left = steps; left > 0 && this.#violation === undefined; left--) {
      this.#step();
      this.#forMs(random.chance(0.12) ? random.between(100, 1_500) : random.between(0, 15));
    }
    this.#network.mend();
    this.#forMs(restMs);
    this.#untilRest();
    // A worker that is busy reads late that it has missed something, and then gives up what it has asked.
    this.#forMs(lastWordsMs);
    this.#checkCounters();
    this.#probe();
  }

  #forMs(ms: number): void {
    const endMs = this.#time.nowMs + ms;
    let isOver = false;
    this.#time.at(endMs, () => {
      isOver = true;
    });
    while (!isOver && this.#violation === undefined) {
      try {
        this.#time.step();
      } catch (error) {
        this.#fail(`thrown: ${error instanceof Error ? error.stack : String(error)}`);
      }
    }
  }

  /** Passes when all hosts know all, and nothing is owed. */
  #untilRest(): void {
    const limitMs = this.#time.nowMs + settleLimitMs;
    for (;;) {
      const unrest = this.#network.describeUnrest() ?? this.#ledger.describeOpen();
      if (unrest === undefined || this.#violation !== undefined) return;
      if (this.#time.nowMs >= limitMs) this.#fail(unrest);
      this.#forMs(100);
    }
  }

  #log(text: string): void {
    this.#writeTrace?.(`${this.#time.nowMs.toFixed(2)} ${text}`);
  }

  #fail(text: string): void {
    this.#log(`VIOLATION: ${text}`);
    this.#violation ??= `at ${this.#time.nowMs.toFixed(1)} ms: ${text}`;
  }

  #step(): void {
    const random = this.#random;
    const worker = random.pick(this.#network.workers) as RegionWorker;
    const chance = random.next();
    if (chance < 0.65) this.#send(worker, random.chance(0.15) ? [] : [random.pick(rooms) as string]);
    else if (chance < 0.73) this.#sendToAddress(worker);
    else if (chance < 0.78) this.#sendAfterJoin(worker);
    else if (chance < 0.84) this.#move(worker);
    else if (chance < 0.88) this.#askNow(worker);
    else this.#network.disturb();
  }

  // What applications do.

  #send(sender: RegionWorker, to: readonly RoomName[], members = to): void {
    const nowMs = this.#time.nowMs;
    const owed = new Set<RegionWorker>();
    // What is sent while the own router is away waits in the worker, and goes.
    for (const worker of this.#network.workers) {
      if (worker.host.region === sender.host.region) continue;
      if (members.length === 0 || nowMs - findFirstJoin(worker, members) >= knownAfterMs) owed.add(worker);
    }
    this.#push(sender, to, owed);
  }

  #push(sender: RegionWorker, to: readonly RoomName[], owed: Set<RegionWorker>): void {
    const { id } = this.#ledger.add(sender, this.#time.nowMs, owed);
    if (this.#writeTrace !== undefined) {
      this.#log(`${sender.place} sends ${id} to ${to.join() || "all"}: ${[...owed].map(({ place }) => place).join()}`);
    }
    sender.send(id, to, this.#random.below(this.#isTight ? 300 : 1_000));
  }

  #sendToAddress(sender: RegionWorker): void {
    const target = this.#random.pick(this.#network.workers) as RegionWorker;
    if (target.host.region !== sender.host.region) this.#push(sender, [target.uid], new Set([target]));
  }

  /** `in(room).socketsJoin("j"); to("j").emit()` delivers, as on one server. */
  #sendAfterJoin(sender: RegionWorker): void {
    const room = this.#random.pick(rooms) as string;
    const joined = `joined ${++this.#joins}`;
    sender.sendJoin(room, joined);
    this.#send(sender, [joined], [room]);
    const { kills } = this.#network;
    this.#time.after(this.#random.between(0, 600), () => {
      // Whoever had the command in its memory may have taken it along.
      if (this.#network.kills === kills) this.#send(sender, [joined], [room]);
    });
  }

  #move(worker: RegionWorker): void {
    const room = this.#random.pick(rooms) as string;
    if (!worker.joinedMs.has(room)) worker.join(room);
    else {
      worker.leave(room);
      this.#ledger.release(({ owed }) => owed.delete(worker));
    }
  }

  /** If nothing has happened for a while, all answer. */
  #askNow(worker: RegionWorker): void {
    const sentMs = this.#time.nowMs;
    this.#ask(worker, () => !this.#isTight && this.#network.disturbedUntilMs + knownAfterMs < sentMs);
  }

  /** It ends in time, with each answer once. @param mustBeWhole whether all have to have answered */
  #ask(worker: RegionWorker, mustBeWhole: () => boolean): void {
    const sentMs = this.#time.nowMs;
    const others = this.#network.workers.map(({ uid }) => uid).filter((uid) => uid !== worker.uid);
    this.#requests++;
    this.#openRequests++;
    worker.ask(sentMs + requestLimitMs, (end, uids) => {
      const nowMs = this.#time.nowMs;
      this.#openRequests--;
      this.#log(`${worker.place} has asked all ${(nowMs - sentMs).toFixed(1)} ms ago (${end}): ${uids.length} answers`);
      if (new Set(uids).size !== uids.length) this.#fail(`${worker.place} has an answer twice: ${uids.join()}`);
      if (!uids.every((uid) => others.includes(uid))) this.#fail(`${worker.place} is answered by ${uids.join()}`);
      if (nowMs - sentMs > requestLimitMs + requestMarginMs) this.#fail(`${worker.place} has waited too long`);
      if (mustBeWhole() && !(end === "complete" && uids.length === others.length)) {
        this.#fail(`${worker.place} has asked all (${end}), and heard ${uids.join()}`);
      }
    });
  }

  /** What its memory held and nobody else has kept may be lost: what its workers sent, and what came to them over the bus. */
  #releaseKilled(host: RegionHost, acceptsSinceMs: number | undefined): void {
    this.#ledger.release(({ sender, sentMs, owed }) => {
      if (sender.host === host) owed.clear();
      // Whoever takes links itself has not acknowledged what its workers do not have.
      if (acceptsSinceMs !== undefined && acceptsSinceMs < sentMs) return;
      for (const worker of host.workers) owed.delete(worker);
    });
  }

  // At the end.

  #checkCounters(): void {
    const lost = this.#network.sum("lostFrames");
    const missed = this.#network.sum("missedFrames");
    // A host that took frames and could not pass them on acknowledges them when the link is back on it: another has counted them.
    const isEqual = lost === missed || (this.#cutsBuses && missed > lost);
    if (this.#network.kills === 0 && !isEqual) this.#fail(`${lost} frames are lost, and ${missed} were missed`);
    if (!this.#isTight && lost + missed > 0) this.#fail(`${lost} frames are lost, though all would fit`);
  }

  /** Everybody speaks to everybody, and asks everybody: now all of it has to come. */
  #probe(): void {
    for (const worker of this.#network.workers) {
      this.#send(worker, []);
      this.#ask(worker, () => true);
    }
    const limitMs = this.#time.nowMs + requestLimitMs;
    while (this.#openRequests > 0 && this.#time.nowMs <= limitMs && this.#violation === undefined) this.#forMs(50);
    if (this.#openRequests > 0) this.#fail(`${this.#openRequests} requests have no end`);
    // Whatever comes twice comes soon.
    this.#forMs(lastWordsMs);
    const open = this.#ledger.describeOpen();
    if (open !== undefined) this.#fail(open);
  }
}

/** In any of the rooms; infinity for none. */
function findFirstJoin({ joinedMs }: RegionWorker, to: readonly RoomName[]): number {
  return Math.min(...to.map((room) => joinedMs.get(room) ?? Number.POSITIVE_INFINITY));
}
