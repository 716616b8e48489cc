/**
 * What carries messages between hosts: channels through one server, as Redis has them. Whoever is connected gets what is
 * published; of the rest nothing is kept. By its settings it loses, doubles and reorders as well.
 */

import type { SeededRandom } from "./seeded-random.js";
import type { SimulatedProcess, VirtualTime } from "./virtual-time.js";

export interface BusWireSettings {
  /** One way to the server, at most. */
  readonly delayMs: number;
  /** Chances of each message. */
  readonly loss: number;
  readonly doubling: number;
  readonly doesReorder: boolean;
  /** What one host may have under way to the server. */
  readonly maxUnsentBytes: number;
}

/** What a reader may not keep: a view of what it was given shows this afterwards. */
const spentByte = 0xee;
/** What is reordered comes this many times later than the rest, at most. */
const lateFactor = 12;
const mended = { loss: 0, doubling: 0 };

/** From a host's connecting to the end of that. */
interface Connection {
  /** What would reach the server later than that is lost. */
  endsMs: number;
  unsentBytes: number;
  sendsUntilMs: number;
  receivesUntilMs: number;
  answersUntilMs: number;
}

/** One host, as the server knows it. */
export class BusClient {
  readonly process: SimulatedProcess;
  readonly channels: readonly string[];
  readonly onMessage: (payload: Buffer) => void;
  /** The server has answered a message. */
  readonly onArrived: () => void;
  /** Undefined while it is not connected. */
  connection: Connection | undefined;

  constructor(
    process: SimulatedProcess,
    channels: readonly string[],
    onMessage: (payload: Buffer) => void,
    onArrived: () => void,
  ) {
    this.process = process;
    this.channels = channels;
    this.onMessage = onMessage;
    this.onArrived = onArrived;
  }
}

export class SimulatedBus {
  readonly #time: VirtualTime;
  readonly #random: SeededRandom;
  readonly #settings: BusWireSettings;
  readonly #clients = new Set<BusClient>();
  /** Loses, doubles and reorders nothing any more. */
  isMended = false;

  constructor(time: VirtualTime, random: SeededRandom, settings: BusWireSettings) {
    this.#time = time;
    this.#random = random;
    this.#settings = settings;
  }

  connect(client: BusClient): void {
    client.connection = {
      endsMs: Number.POSITIVE_INFINITY,
      unsentBytes: 0,
      sendsUntilMs: 0,
      receivesUntilMs: 0,
      answersUntilMs: 0,
    };
    this.#clients.add(client);
  }

  /** Some of what is on its way to the server still gets there; nothing comes back. */
  disconnect(client: BusClient): void {
    if (client.connection === undefined) return;
    client.connection.endsMs = this.#time.nowMs + this.#random.between(0, this.#settings.delayMs);
    client.connection = undefined;
    this.#clients.delete(client);
  }

  isFull({ connection }: BusClient): boolean {
    if (connection === undefined) return false;
    return connection.unsentBytes >= this.#settings.maxUnsentBytes;
  }

  /** Takes a message; without a connection, it goes nowhere. */
  publish(client: BusClient, channel: string, payload: Buffer): void {
    const { connection } = client;
    if (connection === undefined) return;
    connection.unsentBytes += payload.length;
    const atMs = this.#chooseTime(connection.sendsUntilMs);
    connection.sendsUntilMs = Math.max(connection.sendsUntilMs, atMs);
    this.#answer(client, connection);
    this.#time.at(atMs, () => {
      if (atMs > connection.endsMs) return;
      connection.unsentBytes -= payload.length;
      this.#spread(channel, payload);
    });
  }

  /** There and back, in order whatever becomes of the message: a connection to a server reorders nothing. */
  #answer(client: BusClient, connection: Connection): void {
    const { delayMs } = this.#settings;
    const soonestMs = this.#time.nowMs + this.#random.between(delayMs / 2, 2 * delayMs);
    const atMs = Math.max(connection.answersUntilMs, soonestMs);
    connection.answersUntilMs = atMs;
    client.process.after(atMs - this.#time.nowMs, () => {
      if (client.connection === connection) client.onArrived();
    });
  }

  #spread(channel: string, payload: Buffer): void {
    const { loss, doubling } = this.isMended ? mended : this.#settings;
    for (const client of this.#clients) {
      if (!client.channels.includes(channel)) continue;
      if (loss > 0 && this.#random.chance(loss)) continue;
      this.#deliver(client, payload);
      if (doubling > 0 && this.#random.chance(doubling)) this.#deliver(client, payload);
    }
  }

  #deliver(client: BusClient, payload: Buffer): void {
    const { connection } = client;
    if (connection === undefined) return;
    const atMs = this.#chooseTime(connection.receivesUntilMs);
    connection.receivesUntilMs = Math.max(connection.receivesUntilMs, atMs);
    client.process.after(atMs - this.#time.nowMs, () => {
      if (client.connection !== connection) return;
      const copy = Buffer.from(payload);
      client.onMessage(copy);
      copy.fill(spentByte);
    });
  }

  /** First in, first out, unless it reorders. */
  #chooseTime(notBeforeMs: number): number {
    const { delayMs, doesReorder } = this.#settings;
    const atMs = this.#time.nowMs + this.#random.between(delayMs / 4, delayMs);
    if (!doesReorder || this.isMended) return Math.max(notBeforeMs, atMs);
    return this.#random.chance(0.2) ? atMs + this.#random.between(0, lateFactor * delayMs) : atMs;
  }
}
