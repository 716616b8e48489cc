/**
 * One life of the bus's two connections: makes both, subscribes, pings, and ends with the first fault of either. It does
 * not repair itself: whoever owns it makes the next.
 */

import type { Redis } from "ioredis";
import type { RedisClientSettings } from "../../redis/create-client.js";
import { createConnection, destroyConnection } from "../../redis/create-connection.js";
import { hidePassword } from "../../redis/describe-redis.js";
import type { ShardLocator } from "../../redis/shard-locator.js";

const pingIntervalMs = 1_000;
/** Intervals without an answer. Counted, not measured: when this process itself stood still, only one has passed. */
const missedPingsToGiveUp = 3;
/** Longer than to ask several Sentinels or nodes of which the first do not answer. */
const ticksToBecomeReady = 10;
const closeTimeoutMs = 1_000;

export interface BusConnectionsSettings extends Omit<RedisClientSettings, "onError"> {
  /** Present for a cluster, where the channels are sharded. */
  readonly locator: ShardLocator | undefined;
  readonly wirePrefix: string;
  readonly channels: readonly string[];
}

export interface BusConnectionsEvents {
  /** Both are connected and every channel is subscribed. */
  readonly onReady: () => void;
  /** Once; nothing comes after it. The message is what Redis or the system said, without the password. */
  readonly onFault: (message: string) => void;
  readonly onMessage: (channel: string, payload: Buffer) => void;
}

/** A connection, and whether it answers. */
interface Line {
  readonly name: string;
  readonly client: Redis;
  isPinged: boolean;
  missedPings: number;
}

export class BusConnections {
  readonly #settings: BusConnectionsSettings;
  readonly #events: BusConnectionsEvents;
  readonly #publisher: Line;
  readonly #subscriber: Line;
  readonly #timer: NodeJS.Timeout;
  #isReady = false;
  #isOver = false;
  #ticks = 0;

  constructor(settings: BusConnectionsSettings, events: BusConnectionsEvents) {
    this.#settings = settings;
    this.#events = events;
    this.#publisher = this.#makeLine("publishing");
    this.#subscriber = this.#makeLine("subscribing");
    const prefixBytes = Buffer.byteLength(settings.wirePrefix);
    this.#subscriber.client.on(settings.locator === undefined ? "messageBuffer" : "smessageBuffer", ((
      channel: Buffer,
      payload: Buffer,
    ) => {
      if (this.#isOver) return;
      this.#subscriber.missedPings = 0;
      this.#events.onMessage(channel.toString("utf8", prefixBytes), payload);
    }) as (...values: unknown[]) => void);
    // A slot that moved to another node takes its subscriptions with it.
    this.#subscriber.client.on("moved", () => this.#fail("MOVED the channels are on another node of the cluster now"));
    this.#timer = setInterval(() => this.#tick(), pingIntervalMs);
    this.#start().catch((error: unknown) => this.#failWith(error));
  }

  /** Resolves when Redis has it; a rejection has been told as the fault by then. */
  async publish(channel: string, payload: Buffer): Promise<void> {
    const { client } = this.#publisher;
    const name = this.#settings.wirePrefix + channel;
    try {
      await (this.#settings.locator === undefined ? client.publish(name, payload) : client.spublish(name, payload));
    } catch (error) {
      this.#failWith(error);
      throw error;
    }
    this.#publisher.missedPings = 0;
  }

  /** Ends both at once, what is unwritten lost; no event comes any more. */
  destroy(): void {
    this.#isOver = true;
    clearInterval(this.#timer);
    for (const { client } of this.#lines) destroyConnection(client);
  }

  /** Ends both after what is written; when Redis does not read it, within a second all the same. */
  async close(): Promise<void> {
    this.#isOver = true;
    clearInterval(this.#timer);
    let timer: NodeJS.Timeout | undefined;
    const timedOut = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, closeTimeoutMs);
    });
    await Promise.race([timedOut, Promise.all(this.#lines.map(({ client }) => end(client)))]);
    clearTimeout(timer);
    this.destroy();
  }

  get #lines(): readonly Line[] {
    return [this.#publisher, this.#subscriber];
  }

  #makeLine(name: string): Line {
    const settings = { ...this.#settings, onError: (message: string) => this.#fail(message) };
    const client = createConnection(settings, this.#settings.locator);
    // After an error this comes second and is ignored.
    client.on("close", () => this.#fail(`the ${name} connection was closed`));
    return { name, client, isPinged: false, missedPings: 0 };
  }

  async #start(): Promise<void> {
    const { channels, wirePrefix, locator } = this.#settings;
    // PING tells what a connection alone does not: NOAUTH, LOADING, NOPERM.
    await Promise.all(
      this.#lines.map(async ({ client }) => {
        await client.connect();
        await client.ping();
      }),
    );
    const names = channels.map((channel) => wirePrefix + channel);
    const { client } = this.#subscriber;
    if (names.length > 0) await (locator === undefined ? client.subscribe(...names) : client.ssubscribe(...names));
    if (this.#isOver) return;
    this.#isReady = true;
    this.#events.onReady();
  }

  #tick(): void {
    this.#ticks++;
    if (!this.#isReady) {
      if (this.#ticks >= ticksToBecomeReady) this.#fail(`no answer for ${this.#ticks} s`);
      return;
    }
    for (const line of this.#lines) this.#ping(line);
  }

  #ping(line: Line): void {
    if (line.isPinged && ++line.missedPings >= missedPingsToGiveUp) {
      this.#fail(`no answer on the ${line.name} connection for ${missedPingsToGiveUp} s`);
    }
    if (line.isPinged || this.#isOver) return;
    line.isPinged = true;
    line.client.ping().then(
      () => {
        line.isPinged = false;
        line.missedPings = 0;
      },
      (error: unknown) => this.#failWith(error),
    );
  }

  #failWith(error: unknown): void {
    this.#fail(error instanceof Error ? error.message : String(error));
  }

  #fail(message: string): void {
    if (this.#isOver) return;
    this.destroy();
    this.#events.onFault(hidePassword(this.#settings.target, message));
  }
}

async function end(client: Redis): Promise<void> {
  if (client.status === "end") return;
  const ended = new Promise<void>((resolve) => client.once("end", () => resolve()));
  client.disconnect();
  await ended;
}
