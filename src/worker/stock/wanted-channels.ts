/** Which channels a worker wants to hear, whether Redis is there or not; what is missing after an outage is asked of it. Pure. */

export const subscriptionKinds = ["subscribe", "psubscribe", "ssubscribe"] as const;
/** The three commands that subscribe: by name, by pattern, by name in a shard. */
export type SubscriptionKind = (typeof subscriptionKinds)[number];

export interface ChannelBatch {
  readonly kind: SubscriptionKind;
  readonly channels: readonly string[];
}

/** So many names in one command: the answer to each is a message of its own anyway. */
const maxBatchLength = 500;

export class WantedChannels {
  /** What is wanted, and whether this connection has asked for it. */
  readonly #isAskedByChannel: Readonly<Record<SubscriptionKind, Map<string, boolean>>> = {
    subscribe: new Map(),
    psubscribe: new Map(),
    ssubscribe: new Map(),
  };

  get isEmpty(): boolean {
    return subscriptionKinds.every((kind) => this.#isAskedByChannel[kind].size === 0);
  }

  add(kind: SubscriptionKind, channels: readonly string[]): void {
    const wanted = this.#isAskedByChannel[kind];
    for (const channel of channels) if (!wanted.has(channel)) wanted.set(channel, false);
  }

  remove(kind: SubscriptionKind, channels: readonly string[]): void {
    for (const channel of channels) this.#isAskedByChannel[kind].delete(channel);
  }

  /** A new connection has been asked for nothing yet. */
  forgetConnection(): void {
    for (const kind of subscriptionKinds)
      this.forgetAsked({ kind, channels: [...this.#isAskedByChannel[kind].keys()] });
  }

  /** These were refused: they are to be asked for again. */
  forgetAsked({ kind, channels }: ChannelBatch): void {
    const wanted = this.#isAskedByChannel[kind];
    for (const channel of channels) if (wanted.has(channel)) wanted.set(channel, false);
  }

  /** What is wanted and was not asked for on this connection, in commands; it counts as asked for from now on. */
  takeMissing(): ChannelBatch[] {
    return subscriptionKinds.flatMap((kind) => {
      const wanted = this.#isAskedByChannel[kind];
      const missing = [...wanted].filter(([, isAsked]) => !isAsked).map(([channel]) => channel);
      for (const channel of missing) wanted.set(channel, true);
      // Channels of one command must be of one shard in a cluster: each of these has a command of its own.
      const length = kind === "ssubscribe" ? 1 : maxBatchLength;
      const starts = Array.from({ length: Math.ceil(missing.length / length) }, (_, index) => index * length);
      return starts.map((start) => ({ kind, channels: missing.slice(start, start + length) }));
    });
  }
}
