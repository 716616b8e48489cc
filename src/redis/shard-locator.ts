/**
 * Finds the node of a cluster that owns the slot of a key. A sharded channel lives on that node alone, so that one plain
 * connection to it does what a cluster client does with one for each shard, and its loss is seen like any other.
 */

import { Redis } from "ioredis";
import { chooseServerOptions, type RedisClientSettings, shuffle } from "./create-client.js";
import type { ClusterTarget, RedisEndpoint } from "./redis-url.js";

export class ShardLocator {
  readonly #settings: RedisClientSettings & { readonly target: ClusterTarget };
  readonly #key: string;
  /** All nodes that the cluster has told of: those of the URL may all have been replaced. */
  #known: readonly RedisEndpoint[] = [];

  constructor(settings: RedisClientSettings & { readonly target: ClusterTarget }, key: string) {
    this.#settings = settings;
    this.#key = key;
  }

  /** Asks the nodes one after another; rejects with what the last one said when none answers. */
  async locate(shouldGoOn: () => boolean): Promise<RedisEndpoint> {
    const { target, random } = this.#settings;
    const named = new Map([...target.nodes, ...this.#known].map((node) => [`${node.host} ${node.port}`, node]));
    let lastError = new Error("no node of the cluster answers");
    for (const node of shuffle([...named.values()], random)) {
      if (!shouldGoOn()) break;
      try {
        return await this.#ask(node);
      } catch (error) {
        if (error instanceof Error) lastError = error;
      }
    }
    throw lastError;
  }

  async #ask(node: RedisEndpoint): Promise<RedisEndpoint> {
    // A node that accepts and does not answer is not waited for.
    const commandTimeout = 2_000;
    const client = new Redis({ ...chooseServerOptions(this.#settings), ...node, commandTimeout });
    let cause: Error | undefined;
    client.on("error", (error: Error) => {
      cause ??= error;
    });
    try {
      await client.connect();
      const [slot, ranges] = await Promise.all([client.cluster("KEYSLOT", this.#key), client.cluster("SLOTS")]);
      this.#known = readOwners(ranges, node);
      const owner = findOwner(ranges, slot, node);
      if (owner === undefined) throw new Error("CLUSTERDOWN no node of the cluster owns the slot of the channels");
      return owner;
    } catch (error) {
      // What `connect` rejects with is only that the connection closed; the error before it says why.
      throw cause ?? error;
    } finally {
      client.disconnect();
    }
  }
}

/** The master of the range that holds the slot; a node that does not know its own name is the one that was asked. */
function findOwner(ranges: unknown, slot: unknown, asked: RedisEndpoint): RedisEndpoint | undefined {
  for (const range of listRanges(ranges)) {
    const [first, last, master] = range;
    if (typeof slot !== "number" || typeof first !== "number" || typeof last !== "number") continue;
    if (first <= slot && slot <= last) return readNode(master, asked);
  }
  return undefined;
}

function readOwners(ranges: unknown, asked: RedisEndpoint): RedisEndpoint[] {
  return listRanges(ranges).flatMap(([, , ...nodes]) =>
    nodes.map((node) => readNode(node, asked)).filter((node) => node !== undefined),
  );
}

function listRanges(ranges: unknown): unknown[][] {
  return Array.isArray(ranges) ? ranges.filter((range) => Array.isArray(range)) : [];
}

function readNode(node: unknown, asked: RedisEndpoint): RedisEndpoint | undefined {
  if (!Array.isArray(node)) return undefined;
  const [host, port] = node as unknown[];
  if (typeof port !== "number") return undefined;
  return { host: typeof host === "string" && host !== "" && host !== "?" ? host : asked.host, port };
}
