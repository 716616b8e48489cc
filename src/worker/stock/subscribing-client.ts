/**
 * What the Redis adapter is given to subscribe with. It remembers what is wanted, and asks for all of it whenever there
 * is a new connection, so that subscribing while Redis is away neither rejects nor is forgotten.
 */

import { type Cluster, Redis } from "ioredis";
import { describeBriefly } from "../../errors.js";
import { type ChannelBatch, type SubscriptionKind, WantedChannels } from "./wanted-channels.js";

export interface SubscribingClientOptions {
  readonly client: Redis | Cluster;
  /** Redis sends what this worker wants to hear. */
  readonly onSubscribed: () => void;
  /** Redis is there, and refuses; it is asked again after a while. */
  readonly onRefused: (reason: string) => void;
}

/** Somebody has to give the missing right: that takes longer. */
const refusalPauseMs = 5_000;

type Listener = (...args: unknown[]) => void;

export class SubscribingClient {
  readonly #client: Redis | Cluster;
  readonly #wanted = new WantedChannels();
  readonly #options: SubscribingClientOptions;
  /** Commands of this connection that Redis has not answered. */
  #unanswered = 0;
  /** Which connection this is: answers of an earlier one say nothing of this one. */
  #connectionNumber = 0;
  #isRefused = false;

  constructor(options: SubscribingClientOptions) {
    this.#client = options.client;
    this.#options = options;
    // ioredis 6.0.0 drops the promises of its own: a connection that breaks meanwhile would end the process.
    if (this.#client instanceof Redis) this.#client.options.autoResubscribe = false;
    this.#client.on("ready", () => {
      this.#connectionNumber++;
      this.#unanswered = 0;
      this.#isRefused = false;
      this.#wanted.forgetConnection();
      this.#askForMissing();
    });
  }

  subscribe(channels: string | readonly string[]): void {
    this.#want("subscribe", channels);
  }

  psubscribe(patterns: string | readonly string[]): void {
    this.#want("psubscribe", patterns);
  }

  ssubscribe(channels: string | readonly string[]): void {
    this.#want("ssubscribe", channels);
  }

  unsubscribe(channels: string | readonly string[]): void {
    this.#forget("subscribe", channels, async (names) => await this.#client.unsubscribe(...names));
  }

  punsubscribe(patterns: string | readonly string[]): void {
    this.#forget("psubscribe", patterns, async (names) => await this.#client.punsubscribe(...names));
  }

  sunsubscribe(channels: string | readonly string[]): void {
    this.#forget("ssubscribe", channels, async (names) => await this.#client.sunsubscribe(...names));
  }

  on(event: string, listener: Listener): this {
    // Of errors the adapter would only say that nobody listens for them: somebody does.
    if (event !== "error") this.#client.on(event, listener);
    return this;
  }

  off(event: string, listener: Listener): this {
    this.#client.off(event, listener);
    return this;
  }

  #want(kind: SubscriptionKind, channels: string | readonly string[]): void {
    this.#wanted.add(kind, listOf(channels));
    this.#askForMissing();
  }

  #forget(
    kind: SubscriptionKind,
    channels: string | readonly string[],
    unsubscribe: (names: readonly string[]) => Promise<unknown>,
  ): void {
    const names = listOf(channels);
    this.#wanted.remove(kind, names);
    if (this.#client.status !== "ready") return;
    // A connection that breaks now is subscribed to nothing anyway.
    unsubscribe(names).catch(() => {});
  }

  #askForMissing(): void {
    if (this.#client.status !== "ready") return;
    for (const batch of this.#wanted.takeMissing()) void this.#ask(batch, this.#connectionNumber);
  }

  async #ask(batch: ChannelBatch, connectionNumber: number): Promise<void> {
    this.#unanswered++;
    try {
      await this.#client[batch.kind](...batch.channels);
    } catch (thrown) {
      // A lost connection is told by its own events, and the next one asks for everything.
      if (connectionNumber === this.#connectionNumber && this.#client.status === "ready")
        this.#noteRefusal(batch, thrown);
    }
    if (connectionNumber !== this.#connectionNumber) return;
    this.#unanswered--;
    if (this.#unanswered === 0 && !this.#isRefused && this.#client.status === "ready") this.#options.onSubscribed();
  }

  #noteRefusal(batch: ChannelBatch, thrown: unknown): void {
    this.#wanted.forgetAsked(batch);
    this.#options.onRefused(`${describeBriefly(thrown)} (${batch.kind} ${batch.channels[0]})`);
    if (this.#isRefused) return;
    this.#isRefused = true;
    setTimeout(() => {
      this.#isRefused = false;
      this.#askForMissing();
    }, refusalPauseMs).unref();
  }
}

function listOf(channels: string | readonly string[]): readonly string[] {
  return typeof channels === "string" ? [channels] : channels;
}
