/** Makes clients of ioredis for a target: nothing is queued while Redis is away, and no error goes unhandled. */

import { Cluster, type ClusterOptions, Redis, type RedisOptions } from "ioredis";
import { hidePassword } from "./describe-redis.js";
import type { RedisEndpoint, RedisTarget } from "./redis-url.js";
import { readRefusal } from "./refusal.js";
import { chooseRetryDelayMs } from "./retry-delay.js";

/** What every connection needs to know. */
export interface ConnectionSettings {
  readonly target: RedisTarget;
  /** Content of a file with certificates (PEM) to trust instead of the system's. */
  readonly ca?: string | undefined;
  /** Chance, from 0 to below 1. */
  readonly random: () => number;
}

export interface RedisClientSettings extends ConnectionSettings {
  /** Each error, in words without the password; commands that fail reject besides. */
  readonly onError: (reason: string) => void;
}

/** The client library's options, as TypeScript wants them to infer what replies look like. */
export type ServerOptions = RedisOptions & { readonly replyMapping: "legacy" };

const connectTimeoutMs = 3_000;
/** A connection that is ended may write what it has for so long. */
const disconnectTimeoutMs = 500;
const keepAliveMs = 10_000;
const sentinelTimeoutMs = 2_000;

/**
 * A client that connects with `connect()` or its first command, and reconnects by itself for ever. While Redis is away a
 * command rejects at once, and what was written without an answer rejects with the connection: callers catch, nothing is
 * kept and nothing is repeated. Subscriptions are made anew by ioredis.
 *
 * For a cluster it is ioredis' `Cluster`, which repeats a command on its own while it looks for the right node: a command
 * may take some seconds to be done or to reject. Its sharded subscribers are on.
 */
export function createRedisClient(settings: RedisClientSettings): Redis | Cluster {
  const { target } = settings;
  if (target.kind === "cluster") return createCluster(settings, target.nodes);
  const retry = makeRetry(settings.random);
  const client = new Redis({
    ...chooseServerOptions(settings),
    retryStrategy: retry.chooseDelayMs,
    sentinelRetryStrategy: retry.chooseDelayMs,
  });
  catchCommands(client);
  client.on("ready", retry.noteReady);
  client.on("error", (error: Error) => {
    retry.note(error);
    settings.onError(hidePassword(target, error.message));
  });
  return client;
}

/** What every connection has in common, whoever reconnects; for a cluster, without the address. */
export function chooseServerOptions(settings: ConnectionSettings): ServerOptions {
  const { target, random } = settings;
  const options: ServerOptions = {
    replyMapping: "legacy",
    lazyConnect: true,
    keepAlive: keepAliveMs,
    connectTimeout: connectTimeoutMs,
    disconnectTimeout: disconnectTimeoutMs,
    enableOfflineQueue: false,
    // Both repeat commands on the next connection, where they would come late.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    // INFO and CLIENT would be two more permissions; whoever has to know asks with PING, which tells LOADING as well.
    enableReadyCheck: false,
    disableClientInfo: true,
    retryStrategy: null,
  };
  if (target.credentials?.user !== undefined) options.username = target.credentials.user;
  if (target.credentials !== undefined) options.password = target.credentials.password;
  if (target.kind !== "unix" && target.isTls) options.tls = settings.ca === undefined ? {} : { ca: settings.ca };
  switch (target.kind) {
    case "server":
      return { ...options, host: target.host, port: target.port };
    case "unix":
      return { ...options, path: target.path };
    case "sentinel":
      return {
        ...options,
        ...(options.tls === undefined ? {} : { enableTLSForSentinelMode: true, sentinelTLS: options.tls }),
        sentinels: shuffle(target.sentinels, random),
        name: target.masterName,
        sentinelCommandTimeout: sentinelTimeoutMs,
        sentinelRetryStrategy: () => null,
        // A Sentinel may name a master that has just become a replica, where messages would reach few: INFO tells.
        enableReadyCheck: true,
      };
    case "cluster":
      return options;
  }
}

/** In random order, so that not every host asks the same one first, nor one that hangs first every time. */
export function shuffle(endpoints: readonly RedisEndpoint[], random: () => number): RedisEndpoint[] {
  const keyed = endpoints.map((endpoint) => ({ endpoint, key: random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ endpoint: { host, port } }) => ({ host, port }));
}

function createCluster(settings: RedisClientSettings, nodes: readonly RedisEndpoint[]): Cluster {
  const { target } = settings;
  const retry = makeRetry(settings.random);
  // Left to the cluster: it sets these for each node.
  const { retryStrategy: _retry, enableOfflineQueue: _queue, ...redisOptions } = chooseServerOptions(settings);
  const options: ClusterOptions & { redisOptions: typeof redisOptions } = {
    redisOptions,
    lazyConnect: true,
    enableOfflineQueue: false,
    shardedSubscribers: true,
    clusterRetryStrategy: retry.chooseDelayMs,
  };
  // Certificates are made for names: they must not be resolved before TLS sees them.
  if (redisOptions.tls !== undefined) options.dnsLookup = (address, callback) => callback(null, address);
  const client = new Cluster(shuffle(nodes, settings.random), options);
  catchCommands(client);
  const note = (error: Error): void => {
    retry.note(error);
    settings.onError(hidePassword(target, error.message));
  };
  client.on("ready", retry.noteReady);
  client.on("error", note);
  client.on("node error", note);
  return client;
}

/**
 * A rejection that nobody catches would end the process: ioredis itself leaves that of its resubscribing, and
 * `@socket.io/redis-adapter` all of its own. Callers that await a command get its error as before.
 */
function catchCommands(client: Redis | Cluster): void {
  const send = client.sendCommand.bind(client) as (...values: unknown[]) => unknown;
  client.sendCommand = (...values: unknown[]) => {
    const answer = send(...values);
    if (answer instanceof Promise) answer.catch(() => {});
    return answer;
  };
}

/** Waits longer after a refusal: ioredis tells the error before it asks for the delay. */
function makeRetry(random: () => number): {
  readonly note: (error: Error) => void;
  readonly noteReady: () => void;
  readonly chooseDelayMs: (attempt: number) => number;
} {
  let isRefused = false;
  return {
    note: (error) => {
      isRefused = readRefusal(error.message) !== undefined;
    },
    noteReady: () => {
      isRefused = false;
    },
    chooseDelayMs: (attempt) => chooseRetryDelayMs(attempt, isRefused, random),
  };
}
