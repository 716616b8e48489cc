/**
 * Finds the one server that carries the channels: the master that Sentinels name, or the node of a cluster that owns the
 * slot of a key. Each question has a connection of its own, which ends with the answer.
 */

import { Redis } from "ioredis";
import { describeBriefly } from "../errors.js";
import { findSlotOwner, listNodes } from "./cluster-slots.js";
import { type ConnectionSettings, chooseServerOptions, shuffle } from "./create-client.js";
import { destroyConnection } from "./create-connection.js";
import type { RedisEndpoint } from "./redis-url.js";

/** One that accepts and does not answer is not waited for longer. */
const answerTimeoutMs = 2_000;

export class NodeLocator {
  readonly #settings: ConnectionSettings;
  readonly #key: string;
  /** Those that were told of besides: the ones of the URL may all have been replaced. */
  #known: readonly RedisEndpoint[] = [];

  constructor(settings: ConnectionSettings, key: string) {
    this.#settings = settings;
    this.#key = key;
  }

  /** Asks one after another, in random order; rejects with what the last one said, or when the signal ends it. */
  async locate(signal: AbortSignal): Promise<RedisEndpoint> {
    const { target } = this.#settings;
    if (target.kind === "unix" || target.kind === "server") throw new Error("this Redis has one address only");
    const named = target.kind === "sentinel" ? target.sentinels : target.nodes;
    const asked = new Map([...named, ...this.#known].map((node) => [`${node.host} ${node.port}`, node]));
    let lastError: unknown;
    for (const node of shuffle([...asked.values()], this.#settings.random)) {
      try {
        return await this.#connectAndAsk(node, signal);
      } catch (error) {
        lastError = error;
      }
      if (signal.aborted) break;
    }
    throw lastError;
  }

  async #connectAndAsk(node: RedisEndpoint, signal: AbortSignal): Promise<RedisEndpoint> {
    const { target } = this.#settings;
    const { sentinels: _sentinels, name: _name, username, password, ...options } = chooseServerOptions(this.#settings);
    const credentials =
      target.kind === "sentinel" || password === undefined
        ? {}
        : { password, ...(username === undefined ? {} : { username }) };
    const client = new Redis({ ...options, ...credentials, ...node, commandTimeout: answerTimeoutMs });
    let cause: Error | undefined;
    client.on("error", (error: Error) => {
      cause ??= error;
    });
    const stop = (): void => destroyConnection(client);
    signal.addEventListener("abort", stop);
    try {
      signal.throwIfAborted();
      await client.connect();
      return await (target.kind === "sentinel"
        ? askSentinel(client, target.masterName)
        : this.#askClusterNode(client, node));
    } catch (error) {
      // What `connect` rejects with is only that the connection closed; the error before it says why.
      throw target.kind === "sentinel" ? tellSentinel(node, cause ?? error) : (cause ?? error);
    } finally {
      signal.removeEventListener("abort", stop);
      destroyConnection(client);
    }
  }

  async #askClusterNode(client: Redis, node: RedisEndpoint): Promise<RedisEndpoint> {
    const [slot, slots] = await Promise.all([client.cluster("KEYSLOT", this.#key), client.cluster("SLOTS")]);
    this.#known = listNodes(slots, node);
    const owner = findSlotOwner(slots, Number(slot), node);
    if (owner === undefined) throw new Error("CLUSTERDOWN no node of the cluster owns the slot of the channels");
    return owner;
  }
}

/** Not to be taken for a refusal by the server, whose user is another. */
function tellSentinel({ host, port }: RedisEndpoint, error: unknown): Error {
  return new Error(`the Sentinel ${host}:${port} says: ${describeBriefly(error)}`, { cause: error });
}

async function askSentinel(client: Redis, masterName: string): Promise<RedisEndpoint> {
  const answer = await client.call("SENTINEL", "get-master-addr-by-name", masterName);
  const [host, port] = Array.isArray(answer) ? (answer as unknown[]) : [];
  if (typeof host !== "string" || host === "") throw new Error(`the Sentinel knows no master "${masterName}"`);
  return { host, port: Number(port) };
}
