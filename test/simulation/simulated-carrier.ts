/** A router's way to the other hosts: the real HostBus, called as the process around it does, over a simulated bus. */

import type { RouterCore } from "../../src/router/core.js";
import type { BusEffects, BusNote } from "../../src/router/host-bus/bus-effects.js";
import { allHostsChannel, nameHostChannel } from "../../src/router/host-bus/bus-speaker.js";
import type { HostBus } from "../../src/router/host-bus/host-bus.js";
import type { HostPort } from "../../src/router/host-bus/host-port.js";
import type { Observer } from "./observer.js";
import type { SeededRandom } from "./seeded-random.js";
import { SessionShadow } from "./session-shadow.js";
import { BusClient, type SimulatedBus } from "./simulated-bus.js";
import type { SimulatedProcess, VirtualTime } from "./virtual-time.js";

/** What the bus's carrier finds around it. */
export interface CarrierSurroundings {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly observer: Observer;
  readonly hostKey: string;
  /** A message of this host's is in the session with another. */
  noteSent(messageId: number): void;
  /** It may not come to that host any more. */
  noteGivenUpFor(hostKey: string, messageId: number): void;
  noteBus(note: BusNote): void;
  /** Something was published. */
  notePublished(channel: string, payload: Buffer): void;
}

export class SimulatedCarrier {
  readonly effects: BusEffects;
  readonly client: BusClient;
  readonly #host: CarrierSurroundings;
  readonly #wire: SimulatedBus;
  readonly #process: SimulatedProcess;
  readonly #shadowByHost = new Map<HostPort, SessionShadow>();
  #bus: HostBus | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #timerTurn = 0;
  isUp = false;
  #published = 0;
  #arrived = 0;

  constructor(host: CarrierSurroundings, wire: SimulatedBus, process: SimulatedProcess) {
    this.#host = host;
    this.#wire = wire;
    const { hostKey } = host;
    this.#process = process;
    this.client = new BusClient(
      process,
      [allHostsChannel, nameHostChannel(hostKey)],
      (payload) => {
        this.#bus?.received(payload, this.#nowMs);
        this.plan();
      },
      () => {
        this.#arrived++;
        this.#bus?.noteArrived();
      },
    );
    const { client } = this;
    const counts = (): { published: number; arrived: number } => ({
      published: this.#published,
      arrived: this.#arrived,
    });
    this.effects = {
      publish: (channel, payload) => {
        if (!this.isUp) return false;
        this.#published++;
        wire.publish(client, channel, payload);
        host.notePublished(channel, payload);
        return true;
      },
      get isFull() {
        return wire.isFull(client);
      },
      get published() {
        return counts().published;
      },
      get arrived() {
        return counts().arrived;
      },
      wake: () => process.after(host.random.between(0, 0.05), () => this.#flush()),
      note: (note) => this.#note(note),
      mustStop: ({ name }) => host.observer.fail(`${hostKey} is to stop because of ${name}`),
    };
  }

  get #nowMs(): number {
    return this.#host.time.nowMs;
  }

  start(core: RouterCore): void {
    this.#bus = core.bus;
  }

  /** Connected, and subscribed. */
  connect(): void {
    if (!this.#process.isAlive || this.client.connection !== undefined) return;
    if (this.isUp) {
      // It has not noticed yet that the connection before this one is gone.
      this.#process.after(20, () => this.connect());
      return;
    }
    this.#wire.connect(this.client);
    this.#process.after(this.#host.random.between(0, 2), () => {
      if (this.client.connection === undefined) return;
      this.isUp = true;
      this.#bus?.carrierUp(this.#nowMs);
      this.plan();
    });
  }

  /** @param noticedAfterMs until then, what is published goes nowhere */
  disconnect(noticedAfterMs: number): void {
    this.#wire.disconnect(this.client);
    this.#process.after(noticedAfterMs, () => {
      this.isUp = false;
      this.#arrived = this.#published;
      this.#bus?.carrierDown("cut", this.#nowMs);
    });
  }

  #flush(): void {
    this.#bus?.flush(this.#nowMs);
    this.plan();
  }

  /** To be called whenever something may have become due. */
  plan(): void {
    const dueMs = this.#bus?.nextDueMs() ?? Number.POSITIVE_INFINITY;
    if (dueMs >= this.#timerDueMs) return;
    this.#timerDueMs = dueMs;
    const turn = ++this.#timerTurn;
    this.#process.after(Math.max(1, dueMs - this.#nowMs), () => {
      if (turn !== this.#timerTurn) return;
      this.#timerDueMs = Number.POSITIVE_INFINITY;
      this.#bus?.tick(this.#nowMs);
      this.#flush();
    });
  }

  #note(note: BusNote): void {
    switch (note.type) {
      case "host-up":
        for (const port of this.#bus?.hosts ?? []) if (!this.#shadowByHost.has(port)) this.#watch(port);
        break;
      case "host-restarted":
        this.#findShadow(note.hostKey)?.noteRestarted(note.uncertain);
        break;
      case "host-left":
        this.#forgetOthers();
        break;
      default:
    }
    this.#host.noteBus(note);
  }

  #findShadow(hostKey: string): SessionShadow | undefined {
    for (const [port, shadow] of this.#shadowByHost) if (port.hostKey === hostKey) return shadow;
    return undefined;
  }

  #watch(port: HostPort): void {
    const { observer } = this.#host;
    const isUp = (): boolean => this.isUp;
    const shadow = new SessionShadow(port, {
      get isUp() {
        return isUp();
      },
      fail: (text) => observer.fail(text),
      onTaken: (id) => this.#host.noteSent(id),
      onGivenUp: (id) => this.#host.noteGivenUpFor(port.hostKey, id),
    });
    this.#shadowByHost.set(port, shadow);
  }

  /** Hosts that have left: what waited for them is nobody's. */
  #forgetOthers(): void {
    const living = this.#bus?.hosts ?? [];
    for (const [port, shadow] of this.#shadowByHost) {
      if (living.includes(port)) continue;
      shadow.giveUpAll();
      this.#shadowByHost.delete(port);
    }
  }

  /** The process is dead. */
  end(): void {
    this.#wire.disconnect(this.client);
  }

  /** What was said is not known to have come: nobody repeats it. */
  giveUpAll(): void {
    for (const shadow of this.#shadowByHost.values()) shadow.giveUpAll();
  }
}
