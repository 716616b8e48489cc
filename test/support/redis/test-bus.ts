/** A bus that keeps what happens to it, and lets a test wait for it. */

import { EventEmitter, once } from "node:events";
import { parseRedisUrl, type RedisTarget } from "../../../src/redis/redis-url.js";
import { RedisBus } from "../../../src/router/host-bus/redis-bus.js";
import { within } from "./within.js";

export interface TestBusSettings {
  readonly url: string;
  readonly ca?: string | undefined;
  readonly channelPrefix: string;
  readonly channels: readonly string[];
  readonly patterns?: readonly string[];
  readonly maxUnsentBytes?: number;
}

export interface Received {
  readonly channel: string;
  readonly payload: Buffer;
}

export class TestBus implements AsyncDisposable {
  readonly bus: RedisBus;
  readonly received: Received[] = [];
  readonly downs: string[] = [];
  ups = 0;
  drains = 0;
  readonly refusals: string[] = [];
  readonly #changes = new EventEmitter<{ change: [] }>();

  constructor(settings: TestBusSettings) {
    this.#changes.setMaxListeners(100);
    const { url, patterns = [], maxUnsentBytes = 64 * 1024 * 1024, ...rest } = settings;
    const target = readTarget(url);
    const receive = (channel: string, payload: Buffer): void => {
      this.received.push({ channel, payload: Buffer.from(payload) });
      this.#changes.emit("change");
    };
    this.bus = new RedisBus(
      { ca: undefined, ...rest, target, patterns, maxUnsentBytes, random: Math.random },
      {
        onUp: () => {
          this.ups++;
          this.#changes.emit("change");
        },
        onDown: (reason) => {
          this.downs.push(reason);
          this.#changes.emit("change");
        },
        onMessage: receive,
        onPatternMessage: receive,
        onPatternsRefused: (message) => {
          this.refusals.push(message);
          this.#changes.emit("change");
        },
        onArrived: () => {},
        onDrain: () => {
          this.drains++;
          this.#changes.emit("change");
        },
      },
    );
  }

  /** Resolves when the condition holds, looked at after each event. */
  async until(condition: (bus: this) => boolean, what: string): Promise<void> {
    const hold = async (): Promise<void> => {
      while (!condition(this)) await once(this.#changes, "change");
    };
    await within(hold(), what);
  }

  async untilUp(): Promise<void> {
    await this.until(({ bus }) => bus.isUp, "the bus to be up");
  }

  /** Resolves when it has been down so often since it was made. */
  async untilDowns(count: number): Promise<void> {
    await this.until(({ downs }) => downs.length >= count, `the bus to be down ${count} times`);
  }

  async untilReceived(count: number): Promise<void> {
    await this.until(({ received }) => received.length >= count, `${count} messages`);
  }

  get texts(): string[] {
    return this.received.map(({ payload }) => payload.toString());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.bus.close();
  }
}

export function readTarget(url: string): RedisTarget {
  const result = parseRedisUrl(url);
  if ("fault" in result) throw new Error(result.fault);
  return result.target;
}
