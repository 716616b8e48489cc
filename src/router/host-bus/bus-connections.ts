/**
 * One life of the bus's two connections: makes both, subscribes, pings, and ends with the first fault of either. It does
 * not repair itself: whoever owns it makes the next.
 */

import type { Redis } from "ioredis";
import { describeBriefly } from "../../errors.js";
import type { ConnectionSettings } from "../../redis/create-client.js";
import { createConnection, destroyConnection } from "../../redis/create-connection.js";
import { hidePassword } from "../../redis/describe-redis.js";
import type { NodeLocator } from "../../redis/node-locator.js";
import type { RedisEndpoint } from "../../redis/redis-url.js";
import { readRefusal } from "../../redis/refusal.js";
import { ReadTurns } from "../read-turns.js";

const tickMs = 1_000;
/** Intervals without an answer. Counted, not measured: when this process itself stood still, only one has passed. */
const missedPingsToGiveUp = 3;
/** Longer than to ask several Sentinels or nodes of which the first do not answer. */
const ticksToBecomeReady = 10;
/**
 * A failover leaves the old master, when it can still be reached, with all who were connected: until a Sentinel demotes it
 * they and those who come anew do not hear each other. So the place is looked up again and again.
 */
const ticksBetweenLookUps = 2;
const closeTimeoutMs = 1_000;

export interface BusConnectionsSettings extends ConnectionSettings {
  /** Present when the server has to be found: with Sentinel and in a cluster. */
  readonly locator: NodeLocator | undefined;
  readonly wirePrefix: string;
  readonly channels: readonly string[];
  /** Of channels of others; without the prefix, and never sharded: who publishes there does not shard. */
  readonly patterns: readonly string[];
}

export interface BusConnectionsEvents {
  /** Both are connected and every channel is subscribed. */
  readonly onReady: () => void;
  /** Once; nothing comes after it. The message is what Redis or the system said, without the password. */
  readonly onFault: (message: string) => void;
  readonly onMessage: (channel: string, payload: Buffer) => void;
  readonly onPatternMessage: (channel: string, payload: Buffer) => void;
  /** The user may not subscribe the patterns; the channels are subscribed all the same. */
  readonly onPatternsRefused: (message: string) => void;
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
  readonly #isSharded: boolean;
  readonly #timer: NodeJS.Timeout;
  readonly #over = new AbortController();
  readonly #readTurns = new ReadTurns();
  #publisher: Line | undefined;
  #subscriber: Line | undefined;
  #place: RedisEndpoint | undefined;
  #isLookingUp = false;
  #isReady = false;
  #ticks = 0;

  constructor(settings: BusConnectionsSettings, events: BusConnectionsEvents) {
    this.#settings = settings;
    this.#events = events;
    this.#isSharded = settings.target.kind === "cluster";
    this.#timer = setInterval(() => this.#tick(), tickMs);
    this.#start().catch((error: unknown) => this.#failWith(error));
  }

  /** Resolves when Redis has it; a rejection has been told as the fault by then. */
  async publish(channel: string, payload: Buffer): Promise<void> {
    const line = this.#publisher;
    if (line === undefined) throw new Error("the bus is not connected");
    const name = this.#settings.wirePrefix + channel;
    gatherWrites(line.client.stream);
    try {
      await (this.#isSharded ? line.client.spublish(name, payload) : line.client.publish(name, payload));
    } catch (error) {
      this.#failWith(error);
      throw error;
    }
    line.missedPings = 0;
  }

  /** Ends both at once, what is unwritten lost; no event comes any more. */
  destroy(): void {
    this.#stop();
    for (const { client } of this.#lines) destroyConnection(client);
  }

  /** Ends both after what is written; when Redis does not read it, within a second all the same. */
  async close(): Promise<void> {
    this.#stop();
    let timer: NodeJS.Timeout | undefined;
    const timedOut = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, closeTimeoutMs);
    });
    await Promise.race([timedOut, Promise.all(this.#lines.map(({ client }) => end(client)))]);
    clearTimeout(timer);
    this.destroy();
  }

  get #lines(): readonly Line[] {
    return [this.#publisher, this.#subscriber].filter((line) => line !== undefined);
  }

  get #isOver(): boolean {
    return this.#over.signal.aborted;
  }

  #stop(): void {
    this.#over.abort();
    clearInterval(this.#timer);
  }

  async #start(): Promise<void> {
    this.#place = await this.#settings.locator?.locate(this.#over.signal);
    if (this.#isOver) return;
    const publisher = this.#makeLine("publishing");
    this.#publisher = publisher;
    const subscriber = this.#makeLine("subscribing");
    this.#subscriber = subscriber;
    this.#listen(subscriber);
    await Promise.all([this.#connect(publisher), this.#connect(subscriber)]);
    await this.#subscribe(subscriber.client);
    if (this.#isOver) return;
    this.#isReady = true;
    this.#events.onReady();
  }

  #makeLine(name: string): Line {
    const settings = { ...this.#settings, onError: (message: string) => this.#fail(message) };
    const client = createConnection(settings, this.#place);
    // After an error this comes second and is ignored.
    client.on("close", () => this.#fail(`the ${name} connection was closed`));
    return { name, client, isPinged: false, missedPings: 0 };
  }

  #listen(line: Line): void {
    const prefixBytes = Buffer.byteLength(this.#settings.wirePrefix);
    const receive = (give: () => void): void => {
      if (this.#isOver) return;
      line.missedPings = 0;
      this.#readTurns.begin();
      give();
      this.#readTurns.end(line.client.stream);
    };
    const receiveOwn = (channel: Buffer, payload: Buffer): void =>
      receive(() => this.#events.onMessage(channel.toString("utf8", prefixBytes), payload));
    line.client.on("messageBuffer", receiveOwn);
    line.client.on("smessageBuffer", receiveOwn);
    line.client.on("pmessageBuffer", (_pattern: unknown, channel: Buffer, payload: Buffer) =>
      receive(() => this.#events.onPatternMessage(channel.toString("utf8"), payload)),
    );
    // A slot that moves to another node takes its subscriptions with it.
    line.client.on("moved", () => this.#fail("the channels have moved to another node of the cluster"));
  }

  async #connect({ client }: Line): Promise<void> {
    await client.connect();
    // PING tells what a connection alone does not: NOAUTH, LOADING, NOPERM.
    await client.ping();
    if (this.#settings.target.kind !== "sentinel") return;
    // What is published at a replica does not reach its master.
    if (/^role:master\b/m.test(await client.info("replication"))) return;
    throw new Error("READONLY the server that the Sentinel names is a replica");
  }

  async #subscribe(client: Redis): Promise<void> {
    const names = this.#settings.channels.map((channel) => this.#settings.wirePrefix + channel);
    if (names.length > 0) await (this.#isSharded ? client.ssubscribe(...names) : client.subscribe(...names));
    const { patterns } = this.#settings;
    if (patterns.length === 0) return;
    try {
      await client.psubscribe(...patterns);
    } catch (error) {
      const message = describeBriefly(error);
      if (readRefusal(message) !== "permission") throw error;
      this.#events.onPatternsRefused(message);
    }
  }

  #tick(): void {
    this.#ticks++;
    if (!this.#isReady) {
      if (this.#ticks >= ticksToBecomeReady) this.#fail(`no answer for ${(this.#ticks * tickMs) / 1000} s`);
      return;
    }
    for (const line of this.#lines) this.#ping(line);
    if (this.#ticks % ticksBetweenLookUps === 0) this.#lookUpPlace();
  }

  #ping(line: Line): void {
    if (line.isPinged && ++line.missedPings >= missedPingsToGiveUp) {
      this.#fail(`no answer on the ${line.name} connection for ${(missedPingsToGiveUp * tickMs) / 1000} s`);
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

  #lookUpPlace(): void {
    const { locator } = this.#settings;
    if (locator === undefined || this.#isLookingUp || this.#isOver) return;
    this.#isLookingUp = true;
    const note = (found: RedisEndpoint): void => {
      this.#isLookingUp = false;
      if (found.host === this.#place?.host && found.port === this.#place.port) return;
      this.#fail(`another server has taken over, ${found.host}:${found.port}`);
    };
    locator.locate(this.#over.signal).then(note, () => {
      // Nobody to ask is no reason to give up connections that work.
      this.#isLookingUp = false;
    });
  }

  #failWith(error: unknown): void {
    this.#fail(describeBriefly(error));
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

/** All that is published in one turn leaves in one write: each write of its own would wake Redis. */
function gatherWrites(stream: Redis["stream"]): void {
  if (stream.writableCorked > 0) return;
  stream.cork();
  process.nextTick(() => stream.uncork());
}
