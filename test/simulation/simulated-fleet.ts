/** Hosts and the bus between them, or one host alone; what happens to several of them; what the judges ask of them. */

import { isBusMessage } from "../../src/protocol/bus-messages.js";
import { lengthBytes } from "../../src/protocol/frame.js";
import type { HostOnBus } from "./bus-side.js";
import { chooseFleetSettings, heartbeatMs, unreachableAfterMs } from "./fleet-settings.js";
import { Observer } from "./observer.js";
import type { AdapterRecord, Message, WorkerRecord } from "./records.js";
import { type HostView, RequestTruth } from "./request-truth.js";
import { SeededRandom } from "./seeded-random.js";
import { chooseSettings, type SimulationSettings } from "./settings.js";
import { SimulatedBus } from "./simulated-bus.js";
import { type HostSurroundings, SimulatedHost } from "./simulated-host.js";
import type { SimulatedWorker } from "./simulated-worker.js";
import { Truth } from "./truth.js";
import { VirtualTime } from "./virtual-time.js";

/** News of a death has come to everybody who runs, however slow the wire is. */
const newsLimitMs = 800;
/** To other hosts: when the bus has lost it, the next heartbeat tells that it is missing, and a snapshot says it. */
const farNewsLimitMs = unreachableAfterMs + 2_500;
/** A host that has died is waited for until it is unreachable. */
const verdictMs = unreachableAfterMs + heartbeatMs + 600;
/** What was said on the bus so long ago is known to all who were on it. */
const farGuardMs = { calm: 1_500, lossy: 8_000 };

export class SimulatedFleet implements HostSurroundings, HostView {
  readonly time = new VirtualTime();
  readonly random: SeededRandom;
  readonly settings: SimulationSettings;
  readonly observer: Observer;
  readonly truth: Truth;
  readonly requests: RequestTruth;
  readonly bus: SimulatedBus | undefined;
  readonly hosts: readonly SimulatedHost[];
  noteWelcome: (worker: SimulatedWorker) => void = () => {};
  exactSinceMs = Number.POSITIVE_INFINITY;
  /** Kinds of what hosts said on the bus, as long as somebody wants to know. */
  published: Map<number, number> | undefined;
  /** Hosts that will start again. */
  #returning = 0;

  constructor(seed: number, isFleet: boolean, writeTrace: ((line: string) => void) | undefined) {
    this.random = new SeededRandom(seed);
    this.settings = isFleet ? chooseFleetSettings(this.random, seed % 2 === 0) : chooseSettings(this.random);
    this.observer = new Observer(this.time, writeTrace);
    this.truth = new Truth(this.observer);
    this.requests = new RequestTruth(this.time, this.observer, this);
    this.observer.log?.(`seed ${seed}: ${JSON.stringify(this.settings)}`);
    const { fleet } = this.settings;
    if (fleet !== undefined) this.bus = new SimulatedBus(this.time, this.random, fleet.wire);
    this.hosts = Array.from({ length: fleet?.hosts ?? 1 }, (_, index) => new SimulatedHost(this, `hos${index + 1}`));
    for (const host of this.hosts)
      this.time.after(fleet === undefined ? 0 : this.random.between(0, 50), () => host.start());
  }

  get livingHosts(): SimulatedHost[] {
    return this.hosts.filter((host) => !host.isAway);
  }

  get livingWorkers(): SimulatedWorker[] {
    return this.hosts.flatMap((host) => host.livingWorkers);
  }

  get pendingJoins(): number {
    let pending = 0;
    for (const host of this.hosts) for (const worker of host.workers) pending += worker?.pendingJoins ?? 0;
    return pending;
  }

  get isHealthy(): boolean {
    if (this.#returning > 0) return false;
    return this.hosts.every((host) => host.isAway || (host.isHealthy && !host.isLeaving));
  }

  otherHosts(host: HostOnBus): readonly SimulatedHost[] {
    return this.hosts.filter((other) => other !== host);
  }

  findHost({ hostKey }: WorkerRecord): SimulatedHost {
    return this.hosts.find((host) => host.hostKey === hostKey) as SimulatedHost;
  }

  get #guardMs(): number {
    return (this.settings.fleet?.wire.loss ?? 0) > 0 ? farGuardMs.lossy : farGuardMs.calm;
  }

  // Faults.

  #chooseOutageMs(): number {
    const maxMs = this.settings.fleet?.maxOutageMs ?? 0;
    return this.random.chance(0.5) ? this.random.between(5, 300) : this.random.between(300, maxMs);
  }

  cutBus(host: SimulatedHost): void {
    host.busSide.cut(this.#chooseOutageMs());
  }

  /** The server of the bus: all lose it at the same time. */
  restartBus(): void {
    const forMs = this.#chooseOutageMs();
    for (const host of this.hosts) host.busSide.cut(forMs);
  }

  killHost(host: SimulatedHost): void {
    host.kill();
    this.#startAgain(host);
  }

  leaveHost(host: SimulatedHost): void {
    host.leave();
    this.#returning++;
    this.time.after(1_500, () => {
      this.#returning--;
      this.#startAgain(host);
    });
  }

  /** Most come back. */
  #startAgain(host: SimulatedHost): void {
    if (this.random.chance(0.2)) return;
    this.#returning++;
    this.time.after(this.random.between(50, this.settings.fleet?.maxOutageMs ?? 0), () => {
      this.#returning--;
      if (host.isAway) host.start();
    });
  }

  // What hosts find around them.

  noteDeath(host: SimulatedHost): void {
    const diedMs = this.time.nowMs;
    this.time.after(newsLimitMs, () =>
      this.requests.checkNoneWaitsForDead(diedMs, (asker) => asker.hostKey === host.hostKey),
    );
    if (this.bus === undefined) return;
    this.time.after(farNewsLimitMs, () => this.requests.checkNoneWaitsForDead(diedMs, () => true));
  }

  /** Whoever is on the bus has heard it soon, and nothing is kept for the host any more. */
  noteBye(host: SimulatedHost): void {
    const { nowMs } = this.time;
    const isLossy = (this.settings.fleet?.wire.loss ?? 0) > 0;
    const hearers = this.livingHosts.filter(({ busSide }) => busSide.isUp && host.busSide.isUp && !isLossy);
    this.time.after(newsLimitMs, () => {
      // It may be back.
      if (!host.isAway) return;
      for (const hearer of hearers) {
        if (!hearer.busSide.isUp || hearer.isDisturbedSince(nowMs) || hearer.busSide.findHost(host) === undefined)
          continue;
        this.observer.fail(`${hearer.hostKey} keeps ${host.hostKey}, which has left`);
      }
    });
  }

  notePublished(channel: string, payload: Buffer): void {
    const { published } = this;
    // Whoever is away is asked, now and then, whether it is there again.
    if (published === undefined || this.hosts.some((host) => host.isAway && channel.endsWith(host.hostKey))) return;
    const kind = isBusMessage(payload) ? (payload[lengthBytes] as number) : 0;
    published.set(kind, (published.get(kind) ?? 0) + 1);
  }

  /** Whether the routers would bring a message to this adapter: at once, or when its worker is back. */
  canReach(adapter: AdapterRecord, message: Message): boolean {
    const own = this.findHost(adapter.worker);
    if (!own.canReach(adapter, message)) return false;
    const from = this.findHost(message.sender);
    if (from === own) return true;
    const port = from.router?.isListening === true ? from.busSide.findHost(own) : undefined;
    if (port === undefined) return false;
    if (message.rooms.size > 0 || port.wantsAll || message.isAtRest) return true;
    const sinceMs = this.time.nowMs - this.#guardMs;
    return port.members.has(adapter.uid) && adapter.openSinceMs < sinceMs && adapter.worker.isSteadySince(sinceMs);
  }

  // What the judge of requests asks.

  lastResumedMs(worker: WorkerRecord): number {
    return this.#find(worker)?.lastResumedMs ?? 0;
  }

  isAlive(worker: WorkerRecord): boolean {
    return this.#find(worker) !== undefined;
  }

  #find(record: WorkerRecord): SimulatedWorker | undefined {
    return this.findHost(record).livingWorkers.find((worker) => worker === record);
  }

  isRouterSteadySince(asker: WorkerRecord, timeMs: number): boolean {
    return this.findHost(asker).isRouterSteadySince(timeMs);
  }

  mustAnswer(asker: WorkerRecord, adapter: AdapterRecord, openedMs: number, guardMs: number): boolean {
    const from = this.findHost(asker);
    const own = this.findHost(adapter.worker);
    const isFar = from !== own;
    const sinceMs = openedMs - (isFar ? Math.max(guardMs, this.#guardMs) : guardMs);
    if (adapter.openSinceMs > sinceMs || !adapter.worker.isSteadySince(sinceMs) || !from.hasRouterRunSince(sinceMs))
      return false;
    return !isFar || (this.isBusSteadySince(sinceMs) && own.isRouterSteadySince(sinceMs));
  }

  areOthersSteadySince(asker: WorkerRecord, timeMs: number): boolean {
    if (!this.isBusSteadySince(timeMs)) return false;
    const others = this.livingWorkers.filter(({ hostKey, bornMs }) => hostKey !== asker.hostKey && bornMs <= timeMs);
    return others.every((worker) => worker.isSteadySince(timeMs));
  }

  /** Whether those who are there could hear each other since then, and those who are not, are known not to be. */
  isBusSteadySince(timeMs: number): boolean {
    return this.hosts.every(({ isAway, busSide }) =>
      isAway ? busSide.disturbedMs + verdictMs < this.time.nowMs : busSide.isUp && busSide.disturbedMs < timeMs,
    );
  }

  findExcuse(asker: WorkerRecord, openedMs: number, limitMs: number): string | undefined {
    if (!this.#find(asker)?.isSteadySince(openedMs - 1_000)) return "its worker was disturbed";
    const excuse = this.findHost(asker).findExcuse(openedMs);
    if (excuse !== undefined || this.bus === undefined) return excuse;
    const { loss, delayMs } = (this.settings.fleet as NonNullable<SimulationSettings["fleet"]>).wire;
    if (limitMs < 1_000 && delayMs > 10) return "its time was short for a slow bus";
    if (loss > 0 && limitMs < 4_000) return "its time was short for a bus that loses much";
    if (!this.isBusSteadySince(openedMs - verdictMs)) return "the bus was disturbed";
    for (const host of this.livingHosts) {
      const theirs = host.findExcuse(openedMs - 1_000);
      if (theirs !== undefined) return theirs;
    }
    return undefined;
  }
}
