/** A router process around the real RouterCore: accepts, reads, and writes as WorkerPorts does, on virtual time. */

import { frameKinds } from "../../src/protocol/frame.js";
import { createIncarnation } from "../../src/protocol/incarnation.js";
import { RouterCore } from "../../src/router/core.js";
import type { Port } from "../../src/router/port.js";
import type { RouterNote } from "../../src/router/router-effects.js";
import type { Observer } from "./observer.js";
import { OutboxShadow, watchOutbox } from "./outbox-shadow.js";
import type { SeededRandom } from "./seeded-random.js";
import { expectBackMs, type SimulationSettings, stalledAfterMs, tickIntervalMs } from "./settings.js";
import type { SimulatedBus } from "./simulated-bus.js";
import { type CarrierSurroundings, SimulatedCarrier } from "./simulated-carrier.js";
import type { ConnectionSide, SimulatedConnection } from "./simulated-connection.js";
import { SimulatedProcess, type VirtualTime } from "./virtual-time.js";

export interface RouterSurroundings {
  readonly hostKey: string;
  readonly busSide: CarrierSurroundings;
  readonly instance: string;
  readonly bus: SimulatedBus | undefined;
  readonly time: VirtualTime;
  readonly random: SeededRandom;
  readonly settings: SimulationSettings;
  readonly observer: Observer;
  noteGivenUp(place: string, messageId: number): void;
  /** A worker is being told of a loss. */
  noteLossTold(place: string, frames: number): void;
  /** A worker has thrown away what was for others, who are told. */
  noteUnsent(place: string): void;
  /** A worker that was expected did not come: nothing is kept for it any more. */
  noteNotBack(place: string): void;
  noteBroken(connection: SimulatedConnection): void;
  /** A message was put into the outbox for a worker. */
  noteForwarded(messageId: number): void;
}

const farewellTimeoutMs = 1_000;
const urgentKinds = [frameKinds.welcome, frameKinds.ping, frameKinds.interestTaken];

export class RouterEnd implements ConnectionSide {
  readonly id: number;
  readonly router: SimulatedRouter;
  connection: SimulatedConnection | undefined;
  isWriting = false;
  isEnding = false;
  isClosed = false;

  constructor(id: number, router: SimulatedRouter) {
    this.id = id;
    this.router = router;
  }

  get process(): SimulatedProcess {
    return this.router.process;
  }

  read(chunk: Buffer): void {
    if (this.isClosed) return;
    const { core, nowMs } = this.router;
    core.received(this.id, chunk, nowMs);
    // The turn in which it was read, and the next one.
    core.endTurn(nowMs);
    core.endTurn(nowMs);
  }

  noteClosed(): void {
    this.router.noteClosed(this);
  }
}

export class SimulatedRouter {
  readonly core: RouterCore;
  readonly process: SimulatedProcess;
  readonly carrier: SimulatedCarrier | undefined;
  readonly #shadowByPort = new Map<Port, OutboxShadow>();
  readonly incarnation: string;
  /** Frames lost by ports that are gone. */
  #lostWithPorts = 0;
  readonly #host: RouterSurroundings;
  readonly #ends = new Map<number, RouterEnd>();
  /** Every connection to this process, those not accepted yet included. */
  readonly #connections: SimulatedConnection[] = [];
  #awake: RouterEnd[] = [];
  isListening = false;

  constructor(host: RouterSurroundings, life: number) {
    this.#host = host;
    this.process = new SimulatedProcess(host.time);
    const { settings, hostKey, instance, bus, random } = host;
    this.incarnation = bus === undefined ? `router ${life}` : createIncarnation(life, `${instance} router`);
    const { fleet } = settings;
    if (fleet !== undefined && bus !== undefined) {
      this.carrier = new SimulatedCarrier(host.busSide, bus, this.process);
    }
    const limit = settings.routerOutboxBytes;
    this.core = new RouterCore(
      {
        hostKey,
        incarnation: this.incarnation,
        outbox: { maxBytes: limit, maxVolatileBytes: Math.ceil(limit / 4) },
        maxRoomsPerPort: settings.maxRooms,
        stalledAfterMs,
        expectBackMs,
      },
      {
        wake: (id) => this.#wake(this.#ends.get(id)),
        closeAfterWrite: (id) => this.#closeAfterWrite(this.#ends.get(id)),
        note: (note) => this.#note(note),
      },
      fleet === undefined || this.carrier === undefined
        ? {}
        : {
            bus: {
              settings: {
                ...fleet.bus,
                name: `machine of ${hostKey}`,
                instance,
                firstSnapshotId: random.below(2 ** 32),
              },
              effects: this.carrier.effects,
            },
          },
    );
    this.carrier?.start(this.core);
  }

  get nowMs(): number {
    return this.#host.time.nowMs;
  }

  get lostFrames(): number {
    let lost = this.#lostWithPorts;
    for (const shadow of this.#shadowByPort.values()) lost += shadow.lostTotal;
    return lost;
  }

  findPort(place: string): Port | undefined {
    return this.core.ports.find((port) => port.place === place);
  }

  listen(expectedPlaces: readonly string[]): void {
    for (const place of expectedPlaces) this.expect(place);
    this.isListening = true;
    this.#planTick();
  }

  expect(place: string): void {
    this.core.expect(place, this.nowMs);
    const port = this.findPort(place);
    if (port !== undefined) this.#watch(port);
  }

  forget(place: string): void {
    this.core.forget(place, this.nowMs);
  }

  #planTick(): void {
    this.process.after(tickIntervalMs, () => {
      this.core.tick(this.nowMs);
      this.carrier?.plan();
      this.#planTick();
    });
  }

  kill(): void {
    this.isListening = false;
    this.process.kill();
    this.carrier?.end();
    for (const connection of this.#connections) {
      this.#host.noteBroken(connection);
      connection.endByRouter(true);
    }
  }

  /** The router's side of a new connection, which it accepts a moment later. */
  createEnd(id: number): RouterEnd {
    const end = new RouterEnd(id, this);
    this.#ends.set(id, end);
    return end;
  }

  accept(end: RouterEnd, connection: SimulatedConnection): void {
    end.connection = connection;
    this.#connections.push(connection);
    this.process.after(this.#host.random.between(0, 1), () => {
      this.core.opened(end.id, this.nowMs);
      connection.openToRouter();
    });
  }

  noteClosed(end: RouterEnd): void {
    if (end.isClosed) return;
    end.isClosed = true;
    this.#ends.delete(end.id);
    if (end.connection !== undefined) this.#host.noteBroken(end.connection);
    this.core.closed(end.id, this.nowMs);
  }

  #destroy(end: RouterEnd | undefined): void {
    if (end?.connection === undefined || end.isClosed) return;
    this.#host.noteBroken(end.connection);
    end.connection.endByRouter(false);
    this.process.after(0, () => this.noteClosed(end));
  }

  #closeAfterWrite(end: RouterEnd | undefined): void {
    if (end?.connection === undefined || end.isEnding) return;
    end.isEnding = true;
    this.#host.noteBroken(end.connection);
    this.process.after(farewellTimeoutMs, () => this.#destroy(end));
    this.#wake(end);
  }

  #wake(end: RouterEnd | undefined): void {
    if (end === undefined) return;
    if (this.#awake.length === 0) this.process.after(this.#host.random.between(0, 0.05), () => this.#flush());
    this.#awake.push(end);
  }

  #flush(): void {
    const awake = this.#awake;
    this.#awake = [];
    for (const end of awake) this.#write(end);
  }

  #write(end: RouterEnd): void {
    const { id, connection } = end;
    if (end.isWriting || end.isClosed || connection === undefined) return;
    const blocks = this.core.takeWrites(id);
    if (blocks.length === 0) {
      if (end.isEnding) this.#destroy(end);
      return;
    }
    end.isWriting = true;
    connection.writeToWorker(blocks, () => {
      end.isWriting = false;
      this.core.written(id, blocks);
      if (!end.isClosed && (end.isEnding || this.core.hasWrites(id))) this.#wake(end);
    });
  }

  #watch(port: Port): void {
    if (this.#shadowByPort.has(port)) return;
    const { observer } = this.#host;
    const events = {
      fail: (text: string) => observer.fail(`outbox of the router for ${port.place}: ${text}`),
      onGivenUp: (id: number) => this.#host.noteGivenUp(port.place, id),
      onQueued: (id: number) => this.#host.noteForwarded(id),
      onTaken: () => {},
    };
    const shadow = new OutboxShadow(urgentKinds, events);
    this.#shadowByPort.set(port, shadow);
    watchOutbox(port.outbox, shadow, this.#host.settings.routerOutboxBytes, events);
  }

  /** What waits for a worker that has ended is not lost to anybody; what was kept for one that never came, is. */
  #settlePort(place: string, isAbandonedLost: boolean): void {
    const living = this.core.ports;
    for (const [port, shadow] of this.#shadowByPort) {
      if (port.place !== place || living.includes(port)) continue;
      this.#shadowByPort.delete(port);
      this.#lostWithPorts += shadow.lostTotal + (isAbandonedLost ? shadow.abandoned : 0);
    }
  }

  #note(note: RouterNote): void {
    this.#host.observer.log?.(`${this.incarnation} notes ${JSON.stringify(note)}`);
    switch (note.type) {
      case "port-up": {
        const port = this.findPort(note.place);
        if (port !== undefined) this.#watch(port);
        break;
      }
      case "port-down":
        this.#settlePort(note.place, false);
        break;
      case "loss-told":
        this.#host.noteLossTold(note.place, note.lostFrames);
        break;
      case "unsent":
        this.#host.noteUnsent(note.place);
        break;
      case "not-back":
        this.#settlePort(note.place, true);
        this.#host.noteNotBack(note.place);
        break;
      default:
    }
  }

  /** What the core must have counted and let go, when everything has come to rest. */
  checkAtRest(): void {
    const { observer } = this.#host;
    const { counters } = this.core;
    if (counters.badFrames > 0) observer.fail(`the router read ${counters.badFrames} bad frames`);
    if (counters.lostFrames !== this.lostFrames) {
      observer.fail(`the router counted ${counters.lostFrames} lost frames, and ${this.lostFrames} were lost`);
    }
    for (const port of this.core.ports) {
      // A ping may be on its way.
      if (port.outbox.queuedBytes > port.outbox.urgentBytes || port.outbox.untoldLoss > 0)
        observer.fail(`the outbox for ${port.place} is not empty`);
      if (port.connection === undefined || !port.isComplete) observer.fail(`${port.place} is still expected`);
      if (port.isStalled) observer.fail(`${port.place} is still held to be stalled`);
      if (port.expectedRooms.size > 0)
        observer.fail(`${port.expectedRooms.size} joins are still expected of ${port.place}`);
    }
  }
}
