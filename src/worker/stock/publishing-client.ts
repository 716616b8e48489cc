/**
 * What the Redis adapter is given to publish with. The adapter drops the promises of its commands, so none of these
 * rejects: what does not reach Redis is counted. Nothing waits for a Redis that is away, since a message that comes
 * minutes late is worse than none.
 */

import type { Cluster, Redis } from "ioredis";
import { RedisAwayError } from "../../errors.js";

type Callback = (error: Error | null, reply?: unknown) => void;

/** A cluster's node, as the adapter asks each of them how many servers there are. */
interface NodeFace {
  send_command(command: string, args: readonly string[]): Promise<unknown>;
}

export interface PublishingClientOptions {
  readonly client: Redis | Cluster;
  /** Bytes that may have been given to the connection and not be answered for yet. */
  readonly maxWaitingBytes: number;
}

export class PublishingClient {
  readonly #client: Redis | Cluster;
  readonly #maxWaitingBytes: number;
  #waitingBytes = 0;
  #failedPublishes = 0;

  constructor({ client, maxWaitingBytes }: PublishingClientOptions) {
    this.#client = client;
    this.#maxWaitingBytes = maxWaitingBytes;
  }

  /** Messages that did not reach Redis, or of which it is not known. */
  get failedPublishes(): number {
    return this.#failedPublishes;
  }

  /** Resolves at once: the sharded adapter serves its own clients only after that, and they must not wait for Redis. */
  publish(channel: string, message: string | Buffer): Promise<number> {
    return this.#send(message, async () => await this.#client.publish(channel, message));
  }

  spublish(channel: string, message: string | Buffer): Promise<number> {
    return this.#send(message, async () => await this.#client.spublish(channel, message));
  }

  /** How many servers there are is asked with this; whoever asks is told when there is no answer. */
  send_command(command: string, args: readonly string[], callback: Callback): void {
    const asked =
      this.#client.status === "ready"
        ? this.#client.call(command, ...args)
        : Promise.reject(new RedisAwayError("Redis is away: other servers cannot be asked."));
    asked.then(
      (reply) => callback(null, reply),
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error))),
    );
  }

  /** Tells the adapter to ask every node how many servers it knows. */
  get isCluster(): boolean {
    return this.#client.isCluster;
  }

  nodes(): NodeFace[] {
    if (!("nodes" in this.#client)) return [];
    return this.#client.nodes("master").map((node) => ({
      send_command: async (command, args) => await node.call(command, ...args),
    }));
  }

  /** The adapter only listens for errors, to warn when nobody else does: somebody does here. */
  on(): this {
    return this;
  }

  off(): this {
    return this;
  }

  #send(message: string | Buffer, publish: () => Promise<unknown>): Promise<number> {
    const bytes = Buffer.byteLength(message);
    if (this.#client.status !== "ready" || this.#waitingBytes + bytes > this.#maxWaitingBytes) {
      this.#failedPublishes++;
    } else {
      this.#waitingBytes += bytes;
      publish()
        // Whoever wants to know why hears it from the connection's own events: this may be thousands at once.
        .catch(() => {
          this.#failedPublishes++;
        })
        .finally(() => {
          this.#waitingBytes -= bytes;
        });
    }
    return Promise.resolve(0);
  }
}
