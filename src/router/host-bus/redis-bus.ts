/** Carries messages between the hosts of a region through Redis, and comes back by itself when Redis does. */

import { describeRedis } from "../../redis/describe-redis.js";
import { NodeLocator } from "../../redis/node-locator.js";
import type { RedisTarget } from "../../redis/redis-url.js";
import { readRefusal } from "../../redis/refusal.js";
import { chooseRetryDelayMs } from "../../redis/retry-delay.js";
import { BusConnections } from "./bus-connections.js";
import { chooseWirePrefix, explainRefusal, listAclRules } from "./bus-wire.js";

/** After so long a time up a loss counts as the first: the next attempt is quick again. */
const stableAfterMs = 5_000;
/** What Redis and its client need for a message beyond its payload, so that empty ones count as well. */
const messageOverheadBytes = 64;

export interface RedisBusSettings {
  readonly target: RedisTarget;
  /** Content of a file with certificates (PEM) to trust instead of the system's. */
  readonly ca?: string | undefined;
  readonly channelPrefix: string;
  /** Channels to subscribe, without the prefix. */
  readonly channels: readonly string[];
  /** Patterns of channels of others, as they are in Redis; a user that may not subscribe them goes without. */
  readonly patterns: readonly string[];
  /** Bytes that may be written and not yet answered by Redis; one message alone may be larger. */
  readonly maxUnsentBytes: number;
  /** Chance, from 0 to below 1. */
  readonly random: () => number;
}

export interface RedisBusEvents {
  /** Messages go out, and come in on every channel. */
  readonly onUp: () => void;
  /** Once for each time without Redis, the one at the start included. The reason holds no secret. */
  readonly onDown: (reason: string) => void;
  /** The channel is without the prefix. The payload may be a part of a larger buffer: keep copies. */
  readonly onMessage: (channel: string, payload: Buffer) => void;
  /** On a channel that fits a pattern. */
  readonly onPatternMessage: (channel: string, payload: Buffer) => void;
  /** Once for each connection that may not subscribe the patterns; what Redis said. */
  readonly onPatternsRefused: (message: string) => void;
  /** After `publish` refused because of the bound: less than half of it is in use now. */
  readonly onDrain: () => void;
  /** Redis has answered a message: `arrived` is more than it was. */
  readonly onArrived: () => void;
}

/**
 * Two connections, whatever the form of the target: one publishes, one subscribes. With Sentinel, and in a cluster, there is a
 * third for a moment every two seconds, which asks a Sentinel or a node where the two belong. In a cluster (Redis 7 or
 * later) the channels are sharded, all in one slot, and both connections are to the node that owns it.
 *
 * The user needs `resetchannels &prefix* +ping +publish +subscribe`; with Sentinel `+info` as well; in a cluster
 * `resetchannels &{prefix}* +ping +spublish +ssubscribe +cluster|slots +cluster|keyslot`; for the patterns `+psubscribe` and each
 * of them.
 *
 * A message that `publish` took may still be lost with the connection; nothing is kept or repeated here.
 */
export class RedisBus {
  readonly #settings: RedisBusSettings;
  readonly #events: RedisBusEvents;
  readonly #wirePrefix: string;
  readonly #locator: NodeLocator | undefined;
  #connections: BusConnections | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #closing: Promise<void> | undefined;
  #isUp = false;
  #upSinceMs = 0;
  #attempt = 0;
  #downReason: string | undefined;
  #hasToldDown = false;
  #unsentBytes = 0;
  #published = 0;
  #arrived = 0;
  #hasRefused = false;

  constructor(settings: RedisBusSettings, events: RedisBusEvents) {
    this.#settings = settings;
    this.#events = events;
    const { target, ca, random } = settings;
    this.#wirePrefix = chooseWirePrefix(target, settings.channelPrefix);
    const hasOneAddress = target.kind === "server" || target.kind === "unix";
    this.#locator = hasOneAddress ? undefined : new NodeLocator({ target, ca, random }, this.#wirePrefix);
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Why the bus is down: the newest reason, where `onDown` told the first; undefined while it is up. */
  get downReason(): string | undefined {
    return this.#downReason;
  }

  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  /** Messages that `publish` has taken, ever. */
  get published(): number {
    return this.#published;
  }

  /** Of those, the first so many are not on their way any more: Redis has them, or they are lost with their connection. */
  get arrived(): number {
    return this.#arrived;
  }

  /** Connects, and again whenever the connections are lost. A closed bus stays closed. */
  open(): void {
    if (this.#closing !== undefined || this.#connections !== undefined || this.#retryTimer !== undefined) return;
    this.#connect();
  }

  /** Resolves in little more than a second even if Redis hangs; no event comes after the call. Safe twice. */
  close(): Promise<void> {
    clearTimeout(this.#retryTimer);
    this.#isUp = false;
    this.#closing ??= this.#connections?.close() ?? Promise.resolve();
    return this.#closing;
  }

  /**
   * Whether the message was taken: not while the bus is down, nor when more than the bound would be on its way.
   * Never throws. The payload has been copied when it returns.
   */
  publish(channel: string, payload: Buffer): boolean {
    const connections = this.#connections;
    if (!this.#isUp || connections === undefined) return false;
    const bytes = payload.length + messageOverheadBytes;
    if (this.#unsentBytes > 0 && this.#unsentBytes + bytes > this.#settings.maxUnsentBytes) {
      this.#hasRefused = true;
      return false;
    }
    this.#unsentBytes += bytes;
    this.#published++;
    connections.publish(channel, payload).then(
      () => this.#noteSent(connections, bytes),
      // Told already, as the fault of the connections.
      () => {},
    );
    return true;
  }

  #connect(): void {
    this.#retryTimer = undefined;
    const { target, ca, random, channels, patterns } = this.#settings;
    const connections = new BusConnections(
      { target, ca, random, channels, patterns, wirePrefix: this.#wirePrefix, locator: this.#locator },
      {
        onReady: () => this.#noteUp(),
        onFault: (message) => this.#noteFault(message),
        onMessage: (channel, payload) => {
          if (this.#closing === undefined) this.#events.onMessage(channel, payload);
        },
        onPatternMessage: (channel, payload) => {
          if (this.#closing === undefined) this.#events.onPatternMessage(channel, payload);
        },
        onPatternsRefused: (message) => {
          if (this.#closing === undefined) this.#events.onPatternsRefused(message);
        },
      },
    );
    this.#connections = connections;
  }

  #noteUp(): void {
    if (this.#closing !== undefined) return;
    this.#isUp = true;
    this.#upSinceMs = performance.now();
    this.#downReason = undefined;
    this.#hasToldDown = false;
    this.#events.onUp();
  }

  #noteFault(message: string): void {
    if (this.#closing !== undefined) return;
    this.#connections = undefined;
    this.#unsentBytes = 0;
    this.#arrived = this.#published;
    this.#hasRefused = false;
    const wasStable = this.#isUp && performance.now() - this.#upSinceMs >= stableAfterMs;
    this.#isUp = false;
    this.#attempt = wasStable ? 1 : this.#attempt + 1;
    const refusal = readRefusal(message);
    const delayMs = chooseRetryDelayMs(this.#attempt, refusal !== undefined, this.#settings.random);
    this.#retryTimer = setTimeout(() => this.#connect(), delayMs);
    this.#downReason = this.#explain(message);
    if (this.#hasToldDown) return;
    this.#hasToldDown = true;
    this.#events.onDown(this.#downReason);
  }

  #explain(message: string): string {
    const { target, channelPrefix, patterns } = this.#settings;
    const refusal = readRefusal(message);
    const cause =
      refusal === undefined ? message : explainRefusal(refusal, message, listAclRules(target, channelPrefix, patterns));
    return `${describeRedis(target)}: ${cause}`;
  }

  #noteSent(connections: BusConnections, bytes: number): void {
    if (connections !== this.#connections) return;
    this.#unsentBytes -= bytes;
    this.#arrived++;
    if (this.#isUp) this.#events.onArrived();
    if (!this.#hasRefused || this.#unsentBytes >= this.#settings.maxUnsentBytes / 2) return;
    this.#hasRefused = false;
    if (this.#isUp) this.#events.onDrain();
  }
}
