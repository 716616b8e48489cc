/** A host of a simulated region: the real router's core with bus and links, started again when it is killed, and its workers. */

import { createIncarnation } from "../../../src/protocol/incarnation.js";
import { RouterCore } from "../../../src/router/core.js";
import type { BusEffects } from "../../../src/router/host-bus/bus-effects.js";
import { allHostsChannel, nameHostChannel } from "../../../src/router/host-bus/bus-speaker.js";
import type { LinkEffects } from "../../../src/router/region-link/link-effects.js";
import type { SeededRandom } from "../seeded-random.js";
import { BusClient, type SimulatedBus } from "../simulated-bus.js";
import { SimulatedProcess, type VirtualTime } from "../virtual-time.js";
import type { SimulatedLink } from "./link-wire.js";
import { RegionWorker, type WorkerEvents } from "./region-worker.js";

export interface RegionHostSurroundings extends WorkerEvents {
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly regions: readonly string[];
  readonly linkOutboxBytes: number;
  /** Makes a link, as soon as one can be made. */
  dial(from: RegionHost, region: string): void;
  /** Whether somebody reads what is logged. */
  readonly isTraced: boolean;
  log(text: string): void;
}

const link = {
  maxInFlightBytes: 6_000,
  maxDatagramBytes: 600,
  ackDelayMs: 4,
};

export class RegionHost {
  readonly region: string;
  readonly hostKey: string;
  readonly workers: readonly RegionWorker[];
  readonly links = new Map<number, SimulatedLink>();
  readonly #around: RegionHostSurroundings;
  readonly #bus: SimulatedBus;
  core: RouterCore | undefined;
  life = 0;
  /** Frames that former routers of this host were told of as missed, or lost. */
  missedBefore = 0;
  lostBefore = 0;
  #process: SimulatedProcess;
  #busClient: BusClient | undefined;
  #lastConnection = 0;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #timerTurn = 0;
  #isAwake = false;
  #awake: number[] = [];
  readonly #writing = new Set<number>();

  constructor(around: RegionHostSurroundings, bus: SimulatedBus, region: string, hostKey: string, workers: number) {
    this.#around = around;
    this.#bus = bus;
    this.region = region;
    this.hostKey = hostKey;
    this.#process = new SimulatedProcess(around.time);
    this.workers = Array.from({ length: workers }, (_, slot) => new RegionWorker(this, slot, around));
  }

  get time(): VirtualTime {
    return this.#around.time;
  }

  get incarnation(): string {
    return createIncarnation(this.life, `${this.hostKey}-router`);
  }

  get isRunning(): boolean {
    return this.core !== undefined;
  }

  start(): void {
    const { time, random, regions } = this.#around;
    this.life++;
    const life = this.life;
    this.#process = new SimulatedProcess(time);
    const others = regions.filter((region) => region !== this.region);
    const nowMs = (): number => time.nowMs;
    const note = (what: unknown): void => {
      if (this.#around.isTraced) this.#around.log(`${this.hostKey}/${life} notes ${JSON.stringify(what)}`);
    };
    const client: BusClient = new BusClient(
      this.#process,
      [allHostsChannel, nameHostChannel(this.hostKey)],
      (payload) => {
        this.core?.bus?.received(payload, nowMs());
        this.#plan();
      },
      () => this.core?.bus?.noteArrived(),
    );
    this.#busClient = client;
    const bus = this.#bus;
    const busEffects: BusEffects = {
      publish: (channel, payload) => {
        bus.publish(client, channel, payload);
        return true;
      },
      isFull: false,
      published: 0,
      arrived: 0,
      wake: () => this.#wakeUp(),
      note,
      mustStop: () => this.#around.fail(`${this.hostKey} is to stop`),
    };
    const linkEffects: LinkEffects = {
      send: (id, payload) => this.links.get(id)?.send(this, payload),
      isFull: (id) => !this.links.has(id),
      close: (id, closure, reason) => {
        if (closure !== "replaced") this.#around.fail(`${this.hostKey} closes a link (${closure}): ${reason}`);
        this.links.get(id)?.cut([1, 0]);
      },
      wake: () => this.#wakeUp(),
      note,
    };
    const shared = { maxRooms: 10_000, firstSnapshotId: random.below(2 ** 32), instance: `instance-${this.hostKey}` };
    this.core = new RouterCore(
      {
        hostKey: this.hostKey,
        incarnation: this.incarnation,
        outbox: { maxBytes: 4_000_000, maxVolatileBytes: 1_000_000 },
        maxRoomsPerPort: 10_000,
        stalledAfterMs: 2_000,
        expectBackMs: 3_000,
      },
      {
        wake: (id) => this.#wake(id),
        closeAfterWrite: (id) => this.#around.fail(`${this.hostKey} refuses connection ${id}`),
        note,
      },
      {
        bus: {
          settings: {
            ...shared,
            name: this.hostKey,
            heartbeatMs: 1_000,
            isServing: life > 1,
            unreachableAfterMs: 3_000,
            joinMs: 500,
            link: { ...link, maxBytes: 4_000_000, maxAgeMs: 60_000, resendMs: 200, maxResendMs: 1_600 },
          },
          effects: busEffects,
        },
        links: {
          nowMs: time.nowMs,
          settings: {
            ...shared,
            region: this.region,
            regions: others,
            link: {
              ...link,
              maxBytes: this.#around.linkOutboxBytes,
              maxAgeMs: 60_000,
              resendMs: Number.MAX_SAFE_INTEGER,
              maxResendMs: Number.MAX_SAFE_INTEGER,
            },
          },
          effects: linkEffects,
        },
      },
    );
    for (const worker of this.workers) this.core.expect(worker.place, time.nowMs);
    bus.connect(client);
    this.core.bus?.carrierUp(time.nowMs);
    this.#tick();
    for (const worker of this.workers) this.#process.after(random.between(5, 60), () => this.#connect(worker));
    for (const region of others) this.dial(region);
  }

  receiveLink(link: number, payload: Buffer): void {
    this.core?.links?.received(link, payload, this.time.nowMs);
    this.#plan();
  }

  kill(): void {
    const links = this.core?.links;
    this.missedBefore += links?.counters.missedFrames ?? 0;
    this.lostBefore += links?.counters.lostFrames ?? 0;
    this.#process.kill();
    this.core = undefined;
    if (this.#busClient !== undefined) this.#bus.disconnect(this.#busClient);
    this.links.clear();
    this.#awake = [];
    this.#isAwake = false;
    this.#timerDueMs = Number.POSITIVE_INFINITY;
    this.#writing.clear();
    for (const worker of this.workers) worker.disconnect();
  }

  /** It loses its connection to Redis, and gets it back. */
  cutBus(ms: number): void {
    const { core } = this;
    const client = this.#busClient;
    if (core?.bus?.isUp !== true || client === undefined) return;
    this.#bus.disconnect(client);
    core.bus.carrierDown("cut", this.time.nowMs);
    this.#process.after(ms, () => {
      this.#bus.connect(client);
      core.bus?.carrierUp(this.time.nowMs);
      this.#flush();
    });
  }

  dial(region: string): void {
    const { life } = this;
    this.#process.after(this.#around.random.between(1, 100), () => {
      if (this.life === life) this.#around.dial(this, region);
    });
  }

  #tick(): void {
    this.core?.tick(this.time.nowMs);
    this.#plan();
    this.#process.after(500, () => this.#tick());
  }

  /** Bus and links say what they have in the same turn. */
  #wakeUp(): void {
    if (this.#isAwake) return;
    this.#isAwake = true;
    this.#process.after(0.05, () => this.#flush());
  }

  #flush(): void {
    this.#isAwake = false;
    this.core?.bus?.flush(this.time.nowMs);
    this.core?.links?.flush(this.time.nowMs);
    this.#plan();
  }

  /** To be called whenever something may have become due. */
  #plan(): void {
    const { bus, links } = this.core ?? {};
    const dueMs = Math.min(
      bus?.nextDueMs() ?? Number.POSITIVE_INFINITY,
      links?.nextDueMs() ?? Number.POSITIVE_INFINITY,
    );
    if (dueMs >= this.#timerDueMs) return;
    this.#timerDueMs = dueMs;
    const turn = ++this.#timerTurn;
    this.#process.after(Math.max(1, dueMs - this.time.nowMs), () => {
      if (turn !== this.#timerTurn) return;
      this.#timerDueMs = Number.POSITIVE_INFINITY;
      bus?.tick(this.time.nowMs);
      links?.tick(this.time.nowMs);
      this.#flush();
    });
  }

  // Workers.

  #connect(worker: RegionWorker): void {
    if (worker.connection !== undefined) {
      this.#process.after(5, () => this.#connect(worker));
      return;
    }
    const id = ++this.#lastConnection;
    this.core?.opened(id, this.time.nowMs);
    this.#workerByConnection.set(id, worker);
    worker.connect(id);
  }

  readonly #workerByConnection = new Map<number, RegionWorker>();

  read(id: number, bytes: Buffer): void {
    const { core } = this;
    if (core === undefined) return;
    core.received(id, bytes, this.time.nowMs);
    this.#endTurn(core);
  }

  /** What was read is passed on a turn later. */
  #endTurn(core: RouterCore): void {
    core.endTurn(this.time.nowMs);
    if (core.hasHeld) this.#process.after(0.02, () => this.#endTurn(core));
  }

  #wake(id: number): void {
    if (this.#awake.length === 0) {
      this.#process.after(0.05, () => {
        const awake = this.#awake;
        this.#awake = [];
        for (const each of awake) this.#write(each);
      });
    }
    this.#awake.push(id);
  }

  #write(id: number): void {
    const { core } = this;
    const worker = this.#workerByConnection.get(id);
    if (core === undefined || worker === undefined || this.#writing.has(id)) return;
    const blocks = core.takeWrites(id);
    if (blocks.length === 0) return;
    this.#writing.add(id);
    const bytes = Buffer.concat(blocks);
    const { connection } = worker;
    // A worker that is busy reads late; the kernel has room for that much.
    const readMs = this.#around.random.chance(0.05) ? this.#around.random.between(20, 300) : 1;
    const writtenMs = readMs > 1 ? readMs - 0.5 : 0.5;
    // In the kernel once it is written: it comes, whatever becomes of the router.
    let isWritten = false;
    this.time.after(readMs, () => {
      if (isWritten && worker.connection === connection && connection?.id === id) worker.receive(bytes);
    });
    this.#process.after(writtenMs, () => {
      isWritten = true;
      this.#writing.delete(id);
      core.written(id, blocks);
      if (core.hasWrites(id)) this.#write(id);
    });
  }
}
