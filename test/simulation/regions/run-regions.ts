/**
 * Runs the history of one seed of linked regions to its end and judges it: each message of another region once, in order, to
 * everybody who was in the room, whatever happens to links and routers; and what did not fit is counted alike on both sides.
 */

import type { RoomName } from "../../../src/protocol/room-key.js";
import { SeededRandom } from "../seeded-random.js";
import { SimulatedBus } from "../simulated-bus.js";
import { VirtualTime } from "../virtual-time.js";
import { SimulatedLink } from "./link-wire.js";
import { RegionHost } from "./region-host.js";
import type { RegionWorker } from "./region-worker.js";

/** Who has been in a room for so long is known to all who can know, or gets everything: a cut is noticed after 3 s. */
const knownAfterMs = 5_000;
const noticedAfterMs = 3_000;
const settleMs = 12_000;
const rooms = ["a", "b", "c", "d"];

interface Message {
  readonly id: number;
  readonly sender: RegionWorker;
  readonly sentMs: number;
  /** Those of other regions to whom it has to come. */
  readonly owed: Set<RegionWorker>;
}

export interface RegionResult {
  readonly violation: string | undefined;
  readonly deliveries: number;
  readonly lost: number;
  readonly kills: number;
  readonly cuts: number;
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
  readonly #hosts: RegionHost[] = [];
  readonly #regions: readonly string[];
  readonly #messages: Message[] = [];
  readonly #lastIds = new Map<string, number>();
  readonly #links = new Set<SimulatedLink>();
  /** The host of each region that takes links now, and since when: a load balancer's choice. */
  readonly #acceptors = new Map<string, { readonly host: RegionHost; readonly sinceMs: number }>();
  readonly #blockedUntilMs = new Map<string, number>();
  readonly #delayMs: number;
  readonly #isTight: boolean;
  /** In every fourth history hosts lose their Redis, and no router dies: it would take along what it kept for one without Redis. */
  readonly #cutsBuses: boolean;
  readonly #writeTrace: ((line: string) => void) | undefined;
  #violation: string | undefined;
  #deliveries = 0;
  #kills = 0;
  #cuts = 0;
  #joins = 0;

  constructor(seed: number, writeTrace: ((line: string) => void) | undefined) {
    this.#writeTrace = writeTrace;
    const random = new SeededRandom(seed);
    this.#random = random;
    this.#isTight = random.chance(0.25);
    this.#cutsBuses = seed % 4 === 3;
    this.#delayMs = random.mustPick([1, 20, 80]);
    this.#regions = ["eu", "us", "ap"].slice(0, random.whole(2, 3));
    const around = {
      time: this.#time,
      random,
      regions: this.#regions,
      linkOutboxBytes: this.#isTight ? 3_000 : 4_000_000,
      dial: (from: RegionHost, region: string) => this.#dial(from, region),
      log: (text: string) => this.#log(text),
      onMessage: (worker: RegionWorker, id: number) => this.#take(worker, id),
      onMissed: (worker: RegionWorker) => this.#release((message) => message.owed.delete(worker)),
      fail: (text: string) => this.#fail(text),
    };
    for (const region of this.#regions) {
      const wire = { delayMs: 2, loss: 0, doubling: 0, doesReorder: false, maxUnsentBytes: 1_000_000 };
      const bus = new SimulatedBus(this.#time, random, wire);
      const count = random.whole(1, 3);
      for (let index = 0; index < count; index++) {
        const host = new RegionHost(around, bus, region, `${region}-${index}`, random.whole(1, 2));
        this.#hosts.push(host);
        if (index === 0) this.#acceptors.set(region, { host, sinceMs: 0 });
      }
    }
  }

  get result(): RegionResult {
    return {
      violation: this.#violation,
      deliveries: this.#deliveries,
      lost: this.#sum("lostFrames"),
      kills: this.#kills,
      cuts: this.#cuts,
    };
  }

  get #workers(): RegionWorker[] {
    return this.#hosts.flatMap(({ workers }) => [...workers]);
  }

  // Running.

  play(steps: number): void {
    const random = this.#random;
    for (const host of this.#hosts) host.start();
    for (const worker of this.#workers) {
      for (const room of rooms) if (random.chance(0.4)) worker.join(room);
    }
    this.#forMs(knownAfterMs + 1_000);
    for (let left = steps; left > 0 && this.#violation === undefined; left--) {
      this.#step();
      this.#forMs(random.chance(0.2) ? random.between(100, 1_500) : random.between(0, 15));
    }
    this.#blockedUntilMs.clear();
    this.#forMs(settleMs);
    this.#checkAtRest();
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

  #log(text: string): void {
    this.#writeTrace?.(`${this.#time.nowMs.toFixed(2)} ${text}`);
  }

  #fail(text: string): void {
    this.#log(`BROKEN: ${text}`);
    this.#violation ??= `at ${this.#time.nowMs.toFixed(1)} ms: ${text}`;
  }

  #step(): void {
    const random = this.#random;
    const worker = random.pick(this.#workers) as RegionWorker;
    const chance = random.next();
    if (chance < 0.72) this.#send(worker, random.chance(0.15) ? [] : [random.pick(rooms) as string]);
    else if (chance < 0.8) this.#sendToAddress(worker);
    else if (chance < 0.85) this.#sendAfterJoin(worker);
    else if (chance < 0.91) this.#move(worker);
    else if (chance < 0.96) this.#cutOne();
    else if (this.#cutsBuses) this.#cutBus();
    else if (chance < 0.98) this.#balance();
    else this.#killOne();
  }

  // What applications do.

  #send(sender: RegionWorker, to: readonly RoomName[], members = to): void {
    const nowMs = this.#time.nowMs;
    const owed = new Set<RegionWorker>();
    // What is sent while the own router is away waits in the worker, and goes.
    for (const worker of this.#workers) {
      if (worker.host.region === sender.host.region) continue;
      const sinceMs = members.length === 0 ? 0 : this.#memberSince(worker, members);
      if (sinceMs !== undefined && nowMs - sinceMs >= knownAfterMs) owed.add(worker);
    }
    this.#push(sender, to, owed);
  }

  #push(sender: RegionWorker, to: readonly RoomName[], owed: Set<RegionWorker>): void {
    const message: Message = { id: this.#messages.length, sender, sentMs: this.#time.nowMs, owed };
    this.#messages.push(message);
    this.#log(
      `${sender.place} sends ${message.id} to ${to.join() || "all"}: ${[...owed].map(({ place }) => place).join()}`,
    );
    sender.send(message.id, to, this.#random.below(this.#isTight ? 600 : 3_000));
  }

  #memberSince(worker: RegionWorker, to: readonly RoomName[]): number | undefined {
    const times = to.map((room) => worker.joinedMs.get(room)).filter((each) => each !== undefined);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  #sendToAddress(sender: RegionWorker): void {
    const target = this.#random.pick(this.#workers) as RegionWorker;
    if (target.host.region !== sender.host.region) this.#push(sender, [target.uid], new Set([target]));
  }

  /** `in(room).socketsJoin("j"); to("j").emit()` delivers, as on one server. */
  #sendAfterJoin(sender: RegionWorker): void {
    const room = this.#random.pick(rooms) as string;
    const joined = `joined ${++this.#joins}`;
    sender.sendJoin(room, joined);
    this.#send(sender, [joined], [room]);
    const kills = this.#kills;
    this.#time.after(this.#random.between(0, 600), () => {
      // Whoever had the command in its memory may have taken it along.
      if (this.#kills === kills) this.#send(sender, [joined], [room]);
    });
  }

  #move(worker: RegionWorker): void {
    const room = this.#random.pick(rooms) as string;
    if (!worker.joinedMs.has(room)) worker.join(room);
    else {
      worker.leave(room);
      this.#release((message) => message.owed.delete(worker));
    }
  }

  #release(release: (message: Message) => void): void {
    for (const message of this.#messages) if (message.owed.size > 0) release(message);
  }

  #take(worker: RegionWorker, id: number): void {
    const message = this.#messages[id];
    if (message === undefined) {
      this.#fail(`${worker.place} hears of a message that nobody has sent`);
      return;
    }
    if (message.sender.host.region === worker.host.region) return;
    const pair = `${message.sender.place} ${worker.place}`;
    const last = this.#lastIds.get(pair) ?? -1;
    if (id === last) this.#fail(`${worker.place} hears message ${id} twice`);
    else if (id < last) this.#fail(`${worker.place} hears message ${id} after ${last}`);
    this.#lastIds.set(pair, id);
    this.#deliveries++;
    // In order: what came before and has not come, will not.
    for (let before = last + 1; before < id; before++) {
      const missed = this.#messages[before];
      // It may be told later that it has missed something.
      const mayBeTold = this.#isTight || this.#cutsBuses;
      if (missed?.sender === message.sender && missed.owed.has(worker) && !mayBeTold) {
        this.#fail(`${worker.place} hears message ${id}, and has not heard ${before}`);
      }
    }
    message.owed.delete(worker);
  }

  // What happens to links and routers.

  #dial(from: RegionHost, region: string): void {
    const target = this.#acceptors.get(region)?.host;
    const isBlocked = this.#time.nowMs < (this.#blockedUntilMs.get(`${from.hostKey} ${region}`) ?? 0);
    if (!from.isRunning || target?.core?.knowsRegion(this.#time.nowMs) !== true || isBlocked) {
      from.dial(region);
      return;
    }
    const link = new SimulatedLink(this.#time, from, target, this.#delayMs);
    this.#links.add(link);
    this.#log(`link ${link.id}: ${from.hostKey} to ${target.hostKey}`);
    link.open();
  }

  #cutOne(): void {
    const living = [...this.#links].filter(({ isCut }) => !isCut);
    const link = this.#random.pick(living);
    if (link === undefined) return;
    this.#cuts++;
    const until = this.#time.nowMs + (this.#random.chance(0.5) ? 0 : this.#random.between(0, 9_000));
    this.#blockedUntilMs.set(`${link.dialler.hostKey} ${link.acceptor.region}`, until);
    const isSilent = this.#random.chance(0.4);
    const noticed = (): number => (isSilent ? this.#random.between(0, noticedAfterMs) : 1);
    this.#log(`link ${link.id} is cut`);
    link.cut([noticed(), noticed()]);
  }

  /** Links to a region go to another of its hosts from now on; those that there are, are cut. */
  #balance(): void {
    const region = this.#random.pick(this.#regions) as string;
    const host = this.#random.pick(this.#hosts.filter((each) => each.region === region)) as RegionHost;
    if (this.#acceptors.get(region)?.host === host) return;
    this.#log(`links to ${region} go to ${host.hostKey}`);
    this.#acceptors.set(region, { host, sinceMs: this.#time.nowMs });
    for (const link of this.#links) if (!link.isCut && link.acceptor.region === region) link.cut([1, 1]);
  }

  /** It lasts for longer than hosts wait for each other, or not. */
  #cutBus(): void {
    const host = this.#random.pick(this.#hosts) as RegionHost;
    const ms = this.#random.between(100, 6_000);
    this.#log(`the bus of ${host.hostKey} is cut for ${ms.toFixed(0)} ms`);
    host.cutBus(ms);
    this.#time.after(this.#random.between(0, ms), () => this.#balance());
  }

  /** What its memory held and nobody else has kept may be lost: what its workers sent, and what came to them over the bus. */
  #killOne(): void {
    const host = this.#random.pick(this.#hosts) as RegionHost;
    if (!host.isRunning) return;
    this.#kills++;
    this.#log(`the router of ${host.hostKey} is killed`);
    const acceptor = this.#acceptors.get(host.region);
    this.#release((message) => {
      if (message.sender.host === host) message.owed.clear();
      // Whoever takes links itself has not acknowledged what its workers do not have.
      if (acceptor?.host === host && acceptor.sinceMs + noticedAfterMs + 1_000 < message.sentMs) return;
      for (const worker of host.workers) message.owed.delete(worker);
    });
    host.kill();
    this.#time.after(this.#random.between(50, 300), () => host.start());
  }

  // At the end.

  #sum(counter: "lostFrames" | "missedFrames"): number {
    return this.#hosts.reduce((sum, host) => {
      const before = counter === "lostFrames" ? host.lostBefore : host.missedBefore;
      return sum + before + (host.core?.links?.counters[counter] ?? 0);
    }, 0);
  }

  #checkAtRest(): void {
    for (const { id, owed, sender } of this.#messages) {
      if (owed.size > 0 && !this.#isTight) {
        this.#fail(`message ${id} of ${sender.place} never came to ${[...owed].map(({ place }) => place).join()}`);
      }
    }
    const lost = this.#sum("lostFrames");
    const missed = this.#sum("missedFrames");
    if (this.#kills === 0 && lost !== missed) this.#fail(`${lost} frames are lost, and ${missed} were missed`);
    if (!this.#isTight && lost + missed > 0) this.#fail(`${lost} frames are lost, though all would fit`);
    for (const host of this.#hosts) this.#checkHost(host);
  }

  #checkHost(host: RegionHost): void {
    const { links } = host.core ?? {};
    if (links === undefined) return;
    if (!links.isSettled) this.#fail(`${host.hostKey} waits for other regions to take what it has sent`);
    if (links.counters.badMessages > 0) this.#fail(`${host.hostKey} has read bad messages`);
    for (const { region, link, wantsAll, expectedRooms, answers, members, roomCount } of links.regions) {
      const who = `${host.hostKey} of ${region}`;
      if (link === undefined || wantsAll || !answers) {
        this.#fail(`${who}: link ${link?.id}, wants all: ${wantsAll}, answers: ${answers}`);
      }
      if (expectedRooms.size > 0) this.#fail(`${who}: ${expectedRooms.size} joins are still expected`);
      const there = this.#workers.filter((worker) => worker.host.region === region);
      const uids = there.map(({ uid }) => uid).sort();
      if ([...members.keys()].sort().join() !== uids.join()) this.#fail(`${who}: knows ${[...members.keys()].join()}`);
      const wanted = new Set(there.flatMap(({ joinedMs }) => [...joinedMs.keys()]));
      if (roomCount !== wanted.size) this.#fail(`${who}: knows ${roomCount} rooms, and ${wanted.size} are true`);
    }
  }

  /** Everybody speaks to everybody, and asks everybody: now all of it has to come. */
  #probe(): void {
    const all = this.#workers.map(({ uid }) => uid).sort();
    let open = 0;
    for (const worker of this.#workers) {
      this.#send(worker, []);
      const others = all.filter((uid) => uid !== worker.uid);
      open++;
      worker.ask((end, uids) => {
        open--;
        if (end !== "complete" || uids.join() !== others.join()) {
          this.#fail(`${worker.place} has asked all (${end}), and heard ${uids.join()}`);
        }
      });
    }
    this.#forMs(4_500);
    if (open > 0) this.#fail(`${open} requests have no end`);
    for (const { id, owed } of this.#messages) {
      if (owed.size > 0 && !this.#isTight)
        this.#fail(`probe ${id} did not come to ${[...owed].map(({ place }) => place).join()}`);
    }
  }
}
