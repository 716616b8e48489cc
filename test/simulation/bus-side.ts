/** A host's side of the bus: what happens to its connection, what its router notes of others, and what they may not know. */

import type { BusNote } from "../../src/router/host-bus/bus-effects.js";
import type { HostPort } from "../../src/router/host-bus/host-port.js";
import type { Observer } from "./observer.js";
import type { WorkerRecord } from "./records.js";
import type { SeededRandom } from "./seeded-random.js";
import type { CarrierSurroundings } from "./simulated-carrier.js";
import type { SimulatedRouter } from "./simulated-router.js";
import type { Truth } from "./truth.js";
import type { VirtualTime } from "./virtual-time.js";

/** The host that it is of, or another one. */
export interface HostOnBus {
  readonly hostKey: string;
  readonly isAway: boolean;
  readonly router: SimulatedRouter | undefined;
  readonly livingWorkers: readonly WorkerRecord[];
  /** Whether one of the routers of its present life has, or had, this incarnation. */
  hasRouter(incarnation: string): boolean;
  /** Plans something for its present life. */
  after(delayMs: number, run: () => void): void;
  /** Another host has given up what was for this one: its workers are told. */
  noteMissed(): void;
}

export interface BusSurroundings {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly observer: Observer;
  readonly truth: Truth;
  otherHosts(host: HostOnBus): readonly HostOnBus[];
  notePublished(channel: string, payload: Buffer): void;
}

/** This long after a host was known again, and reachable, it may not know what was not waited for. */
const doubtMs = 6_000;
const nobody: ReadonlySet<string> = new Set();

export class BusSide implements CarrierSurroundings {
  readonly #host: HostOnBus;
  readonly #fleet: BusSurroundings;
  /** When something last happened that may keep messages from or to other hosts away. */
  disturbedMs = 0;
  cutMs = 0;
  #cutUntilMs = 0;
  /** When another host was last not waited for. */
  readonly #doubtedMs = new Map<string, number>();

  constructor(host: HostOnBus, fleet: BusSurroundings) {
    this.#host = host;
    this.#fleet = fleet;
  }

  get hostKey(): string {
    return this.#host.hostKey;
  }

  get time(): VirtualTime {
    return this.#fleet.time;
  }

  get random(): SeededRandom {
    return this.#fleet.random;
  }

  get observer(): Observer {
    return this.#fleet.observer;
  }

  get isUp(): boolean {
    const carrier = this.#host.router?.carrier;
    return carrier?.isUp === true && carrier.client.connection !== undefined;
  }

  disturb(): void {
    this.disturbedMs = this.time.nowMs;
  }

  /** Until the router notices, what it says goes nowhere. */
  cut(forMs: number): void {
    const { router, isAway } = this.#host;
    if (router?.carrier === undefined || isAway) return;
    this.observer.log?.(`the bus of ${this.hostKey} is cut for ${forMs.toFixed(0)} ms`);
    this.disturb();
    this.cutMs = this.time.nowMs;
    const noticedAfterMs = this.random.chance(0.7) ? this.random.between(0, 2) : this.random.between(0, 3_000);
    this.#cutUntilMs = Math.max(this.#cutUntilMs, this.time.nowMs + Math.max(forMs, noticedAfterMs + 20));
    if (router.carrier.client.connection !== undefined) router.carrier.disconnect(noticedAfterMs);
    this.connect();
  }

  /** When it can. */
  connect(): void {
    this.#host.after(Math.max(this.#cutUntilMs - this.time.nowMs, 0) + this.random.between(1, 60), () => {
      const { router } = this.#host;
      if (router?.isListening !== true || router.carrier?.client.connection !== undefined) return;
      if (this.time.nowMs < this.#cutUntilMs) this.connect();
      else router.carrier?.connect();
    });
  }

  noteBus(note: BusNote): void {
    this.observer.log?.(`${this.hostKey} notes ${JSON.stringify(note)}`);
    const others = this.#fleet.otherHosts(this.#host);
    // What is said of those who are away comes late, and is true.
    const isOfAway = "hostKey" in note && others.some((other) => other.isAway && other.hostKey === note.hostKey);
    if (!isOfAway) this.disturb();
    switch (note.type) {
      case "host-up":
      case "host-back":
      case "host-unreachable":
      case "host-restarted":
        this.#doubtedMs.set(note.hostKey, this.time.nowMs);
        break;
      case "host-gone":
      case "host-left":
        this.#fleet.truth.releaseFar(this.hostKey, note.hostKey);
        break;
      case "missed-of-host":
        this.#host.noteMissed();
        break;
      case "unreadable":
        this.observer.fail(`${this.hostKey} cannot read a message of the bus: ${note.reason}`);
        break;
      case "clash":
      case "incompatible":
      case "too-many-hosts":
        this.observer.fail(`${this.hostKey} notes ${JSON.stringify(note)}`);
        break;
      default:
    }
  }

  notePublished(channel: string, payload: Buffer): void {
    this.#fleet.notePublished(channel, payload);
  }

  noteSent(messageId: number): void {
    const message = this.#fleet.truth.messages[messageId];
    if (message !== undefined) message.isForwarded = true;
  }

  noteGivenUpFor(hostKey: string, messageId: number): void {
    const { truth } = this.#fleet;
    const message = truth.messages[messageId];
    if (message === undefined) return;
    message.isLossy = true;
    this.observer.log?.(`${this.hostKey} gives up ${message} for ${hostKey}`);
    for (const other of this.#fleet.otherHosts(this.#host)) {
      if (other.hostKey !== hostKey) continue;
      for (const worker of other.livingWorkers) truth.releaseFor(message, worker);
    }
  }

  /** What the router knows of another host in its present life. */
  findHost(other: HostOnBus): HostPort | undefined {
    const port = this.#host.router?.core.bus?.hosts.find((host) => host.hostKey === other.hostKey);
    return port !== undefined && other.hasRouter(port.incarnation) ? port : undefined;
  }

  /** Hosts that the router does not know or does not wait for, or did not until a moment ago. */
  get doubtedBy(): ReadonlySet<string> {
    const { nowMs } = this.time;
    const doubted = this.#fleet.otherHosts(this.#host).filter((other) => {
      const port = this.findHost(other);
      return port?.isReachable !== true || (this.#doubtedMs.get(other.hostKey) ?? -doubtMs) + doubtMs > nowMs;
    });
    return doubted.length === 0 ? nobody : new Set(doubted.map(({ hostKey }) => hostKey));
  }
}
