/** The hosts of linked regions with what lies between them, and what happens to links and routers. */

import type { SeededRandom } from "../seeded-random.js";
import { SimulatedBus } from "../simulated-bus.js";
import type { VirtualTime } from "../virtual-time.js";
import {
  type Ambush,
  isInPhase,
  type LinkFault,
  linkFaults,
  linkPhases,
  nameStrike,
  type Strikes,
} from "./link-phases.js";
import { type LinkedHost, type LinkSurroundings, SimulatedLink } from "./link-wire.js";
import { RegionHost } from "./region-host.js";
import type { RegionWorker, WorkerEvents } from "./region-worker.js";

/** A silent cut is noticed after so long. */
export const noticedAfterMs = 3_000;
const longestOutageMs = 9_000;
const longestBusOutageMs = 6_000;

/** Who is meant by a fault. */
const likelyFaults: readonly LinkFault[] = [...linkFaults, "cut", "cut", "moved", "acceptor killed"];

export interface NetworkProfile {
  /** Little fits into what waits for another region. */
  readonly isTight: boolean;
  /** Hosts lose their Redis, and no router dies. */
  readonly cutsBuses: boolean;
}

export interface NetworkEvents extends WorkerEvents {
  readonly isTraced: boolean;
  readonly log: (text: string) => void;
  /** Before a router is killed. @param acceptsSinceMs since when it has taken the links of its region; undefined if it does not */
  readonly onKill: (host: RegionHost, acceptsSinceMs: number | undefined) => void;
}

export class RegionNetwork {
  readonly regions: readonly string[];
  readonly hosts: readonly RegionHost[];
  readonly workers: readonly RegionWorker[];
  readonly strikes: Strikes = new Map();
  kills = 0;
  cuts = 0;
  /** What was disturbed last is as it was from then on. */
  disturbedUntilMs = 0;
  #isMended = false;
  readonly #time: VirtualTime;
  readonly #random: SeededRandom;
  readonly #events: NetworkEvents;
  readonly #cutsBuses: boolean;
  readonly #linksAround: LinkSurroundings;
  readonly #links = new Set<SimulatedLink>();
  /** The host of each region that takes links now, and since when: a load balancer's choice. */
  readonly #acceptors = new Map<string, { readonly host: RegionHost; readonly sinceMs: number }>();
  readonly #blockedUntilMs = new Map<string, number>();
  #ambush: Ambush | undefined;
  #lastLink = 0;

  constructor(time: VirtualTime, random: SeededRandom, { isTight, cutsBuses }: NetworkProfile, events: NetworkEvents) {
    this.#cutsBuses = cutsBuses;
    this.#time = time;
    this.#random = random;
    this.#events = events;
    this.#linksAround = {
      time,
      delayMs: random.mustPick([1, 20, 80]),
      onUse: (link) => this.#noteUse(link),
      fail: events.fail,
    };
    this.regions = ["eu", "us", "ap"].slice(0, random.whole(2, 3));
    const around = {
      ...events,
      time,
      random,
      regions: this.regions,
      linkOutboxBytes: isTight ? 1_500 : 4_000_000,
      dial: (from: RegionHost, region: string) => this.#dial(from, region),
    };
    const hosts: RegionHost[] = [];
    for (const region of this.regions) {
      const wire = { delayMs: 2, loss: 0, doubling: 0, doesReorder: false, maxUnsentBytes: 1_000_000 };
      const bus = new SimulatedBus(time, random, wire);
      const count = random.mustPick([1, 2, 2, 3]);
      for (let index = 0; index < count; index++) {
        const host = new RegionHost(around, bus, region, `${region}-${index}`, random.mustPick([1, 1, 2]));
        hosts.push(host);
        if (index === 0) this.#acceptors.set(region, { host, sinceMs: 0 });
      }
    }
    this.hosts = hosts;
    this.workers = hosts.flatMap(({ workers }) => workers);
  }

  start(): void {
    for (const host of this.hosts) host.start();
  }

  /** Every link can be made again, and nothing lies in wait. */
  mend(): void {
    this.#isMended = true;
    this.#blockedUntilMs.clear();
    this.#ambush = undefined;
  }

  #dial(from: RegionHost, region: string): void {
    const target = this.#acceptors.get(region)?.host;
    const isBlocked = this.#time.nowMs < (this.#blockedUntilMs.get(`${from.hostKey} ${region}`) ?? 0);
    if (!from.isRunning || target?.core?.knowsRegion(this.#time.nowMs) !== true || isBlocked) {
      from.dial(region);
      return;
    }
    const nonces = [this.#createNonce(), this.#createNonce()] as const;
    const link = new SimulatedLink(this.#linksAround, ++this.#lastLink, { dialler: from, acceptor: target }, nonces);
    this.#links.add(link);
    this.#events.log(`link ${link.id}: ${from.hostKey} to ${target.hostKey}`);
    link.open();
  }

  #createNonce(): Buffer {
    return Buffer.from(this.#random.characters(32));
  }

  // Faults.

  /** A fault at this moment, or one that waits for a phase of a link; for the first phases links are made anew. */
  disturb(): void {
    const random = this.#random;
    if (this.#cutsBuses && random.chance(0.3)) {
      this.#cutBus();
      return;
    }
    const faults = this.#cutsBuses ? likelyFaults.filter((fault) => !fault.endsWith("killed")) : likelyFaults;
    const pickFault = (): LinkFault => random.pick(faults) as LinkFault;
    if (random.chance(0.4)) {
      const link = this.#pickLink();
      if (link !== undefined) this.#strike(link, pickFault());
      return;
    }
    const phase = random.mustPick(linkPhases);
    const fault = pickFault();
    this.#ambush = { phase, fault, usesLeft: random.below(4) };
    this.#events.log(`waits for a link: ${nameStrike({ phase, fault })}`);
    if (phase === "frames under way" || phase === "acks held") return;
    const link = this.#pickLink();
    if (link === undefined) return;
    if (random.chance(0.5)) this.#cut(link, true);
    else this.#moveLinks(link.acceptor.region);
  }

  #pickLink(): SimulatedLink | undefined {
    return this.#random.pick([...this.#links].filter(({ isCut }) => !isCut));
  }

  #noteUse(link: SimulatedLink): void {
    const ambush = this.#ambush;
    if (ambush === undefined || !isInPhase(link, ambush.phase) || ambush.usesLeft-- > 0) return;
    this.#ambush = undefined;
    this.#events.log(`link ${link.id}: ${nameStrike(ambush)}`);
    // Not within what the router does at the moment.
    this.#time.after(0, () => {
      if (link.isCut || !isInPhase(link, ambush.phase)) return;
      const name = nameStrike(ambush);
      this.strikes.set(name, (this.strikes.get(name) ?? 0) + 1);
      this.#strike(link, ambush.fault);
    });
  }

  #strike(link: SimulatedLink, fault: LinkFault): void {
    switch (fault) {
      case "cut":
        this.#cut(link, false);
        break;
      case "moved":
        if (!this.#moveLinks(link.acceptor.region)) this.#cut(link, false);
        break;
      case "acceptor killed":
        this.#kill(link.acceptor);
        break;
      case "dialler killed":
        this.#kill(link.dialler);
    }
  }

  #noteDisturbance(endsInMs: number): void {
    this.disturbedUntilMs = Math.max(this.disturbedUntilMs, this.#time.nowMs + endsInMs);
  }

  /** @param isShort it can be made again at once, and both ends know of it */
  #cut(link: SimulatedLink, isShort: boolean): void {
    const random = this.#random;
    this.cuts++;
    const outageMs = isShort || random.chance(0.5) ? 0 : random.between(0, longestOutageMs);
    this.#blockedUntilMs.set(`${link.dialler.hostKey} ${link.acceptor.region}`, this.#time.nowMs + outageMs);
    // A host that Redis leads to again before a silent cut is noticed is not told what it may have missed.
    const isSilent = !isShort && !this.#cutsBuses && random.chance(0.4);
    const noticed = (): number => (isSilent ? random.between(0, noticedAfterMs) : 1);
    this.#events.log(`link ${link.id} is cut${isSilent ? " without a word" : ""}`);
    this.#noteDisturbance(Math.max(outageMs, noticedAfterMs));
    link.cut([noticed(), noticed()]);
  }

  /** It lasts for longer than hosts wait for each other, or not; meanwhile links move. */
  #cutBus(): void {
    const host = this.#random.pick(this.hosts) as RegionHost;
    const ms = this.#random.between(100, longestBusOutageMs);
    this.#events.log(`the bus of ${host.hostKey} is cut for ${ms.toFixed(0)} ms`);
    this.#noteDisturbance(ms + noticedAfterMs);
    host.cutBus(ms);
    this.#time.after(this.#random.between(0, ms), () => {
      if (!this.#isMended) this.#moveLinks(this.#random.pick(this.regions) as string);
    });
  }

  /** Links to a region go to another of its hosts from now on; those that there are, are cut. False when it has no other. */
  #moveLinks(region: string): boolean {
    const former = this.#acceptors.get(region)?.host;
    const host = this.#random.pick(this.hosts.filter((each) => each.region === region && each !== former));
    if (host === undefined) return false;
    this.#events.log(`links to ${region} go to ${host.hostKey}`);
    this.#acceptors.set(region, { host, sinceMs: this.#time.nowMs });
    this.#noteDisturbance(0);
    for (const link of this.#links) if (!link.isCut && link.acceptor.region === region) link.cut([1, 1]);
    return true;
  }

  #kill({ hostKey }: LinkedHost): void {
    const host = this.hosts.find((each) => each.hostKey === hostKey);
    if (host?.isRunning !== true) return;
    this.kills++;
    this.#events.log(`the router of ${hostKey} is killed`);
    this.#noteDisturbance(noticedAfterMs);
    const acceptor = this.#acceptors.get(host.region);
    this.#events.onKill(host, acceptor?.host === host ? acceptor.sinceMs : undefined);
    host.kill();
    for (const link of this.#links) if (link.dialler === host || link.acceptor === host) link.cut([2, 2]);
    this.#time.after(this.#random.between(50, 300), () => host.start());
  }

  // At rest.

  sum(counter: "lostFrames" | "missedFrames"): number {
    return this.hosts.reduce((sum, host) => {
      const before = counter === "lostFrames" ? host.lostBefore : host.missedBefore;
      return sum + before + (host.core?.links?.counters[counter] ?? 0);
    }, 0);
  }

  /** In words, what is not yet as it has to be once nothing happens any more. */
  describeUnrest(): string | undefined {
    for (const link of this.#links) {
      if (link.isHalfKnown)
        return `${link.dialler.hostKey} or ${link.acceptor.hostKey} still takes link ${link.id} for whole`;
      if (link.isCut) this.#links.delete(link);
    }
    for (const host of this.hosts) {
      const unrest = this.#describeHost(host);
      if (unrest !== undefined) return unrest;
    }
    return undefined;
  }

  #describeHost({ core, hostKey, region: ownRegion }: RegionHost): string | undefined {
    const { links, bus } = core ?? {};
    if (links === undefined || bus === undefined) return `${hostKey} has no router`;
    const neighbours = this.hosts.filter((each) => each.region === ownRegion && each.hostKey !== hostKey);
    if (!bus.isUp || bus.hosts.filter(({ isReachable }) => isReachable).length !== neighbours.length) {
      return `${hostKey} does not reach all hosts of its region`;
    }
    if (!bus.isSettled) return `${hostKey} waits for hosts of its region to take what it has sent`;
    if (!links.isSettled) return `${hostKey} waits for other regions to take what it has sent`;
    if (links.counters.badMessages > 0) return `${hostKey} has read bad messages`;
    for (const { region, link, wantsAll, expectedRooms, answers, members, roomCount } of links.regions) {
      const who = `${hostKey} of ${region}`;
      if (link === undefined || wantsAll || !answers) {
        return `${who}: link ${link?.id}, wants all: ${wantsAll}, answers: ${answers}`;
      }
      if (expectedRooms.size > 0) return `${who}: ${expectedRooms.size} joins are still expected`;
      const there = this.workers.filter((worker) => worker.host.region === region);
      if (members.size !== there.length || !there.every(({ uid }) => members.has(uid))) {
        return `${who}: knows ${[...members.keys()].join()}`;
      }
      const wanted = new Set(there.flatMap(({ joinedMs }) => [...joinedMs.keys()]));
      if (roomCount !== wanted.size) return `${who}: knows ${roomCount} rooms, and ${wanted.size} are true`;
    }
    return undefined;
  }
}
