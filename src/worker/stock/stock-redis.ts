/**
 * Composition root of the fabric `stock` with Redis: the adapters of `@socket.io/redis-adapter`, unchanged, on clients
 * that an outage of Redis does not hurt.
 */

import { readFileSync } from "node:fs";
import { createAdapter, createShardedAdapter } from "@socket.io/redis-adapter";
import { type Cluster, Redis } from "ioredis";
import type { Namespace } from "socket.io";
import type { Logger } from "../../logging.js";
import { noFabricCounts, type StockRedisSettings } from "../../protocol/worker-messages.js";
import { createRedisClient } from "../../redis/create-client.js";
import { describeRedis } from "../../redis/describe-redis.js";
import { parseRedisUrl, type RedisTarget } from "../../redis/redis-url.js";
import { readRefusal } from "../../redis/refusal.js";
import type { Fabric } from "../fabric-contract.js";
import { answerFailedRequests } from "./answer-requests.js";
import { startHeartbeat } from "./heartbeat.js";
import { OutageReport, type RedisConnection, type ReportLine } from "./outage-report.js";
import { PublishingClient } from "./publishing-client.js";
import { SubscribingClient } from "./subscribing-client.js";

/** A Redis that neither answers nor refuses for so long after the start is told of. */
const slowStartMs = 1_500;

export interface StockRedisSurroundings {
  /** Bytes that may wait for Redis. */
  readonly maxWaitingBytes: number;
  readonly log: Pick<Logger, "info" | "warn">;
}

/** Comes back at once, whether Redis is there or not: a host without it serves its own clients. */
export function createStockRedisFabric(settings: StockRedisSettings, surroundings: StockRedisSurroundings): Fabric {
  const { log, maxWaitingBytes } = surroundings;
  const target = readTarget(settings.url);
  const report = new OutageReport(describeRedis(target));
  let noteConnected = (): void => {};
  const connected = new Promise<void>((resolve) => {
    noteConnected = resolve;
  });
  const tell = (line: ReportLine | undefined): void => {
    if (line !== undefined) log[line.level](line.message);
  };
  const noteUp = (connection: RedisConnection): void => {
    tell(report.noteUp(connection, performance.now(), publisher.failedPublishes));
    if (report.isUp) noteConnected();
  };
  const noteDown = (connection: RedisConnection, reason: string): void => {
    const isRefusal = readRefusal(reason) !== undefined;
    tell(report.noteDown(connection, { reason, isRefusal }, performance.now(), publisher.failedPublishes));
  };

  const ca = settings.caPath === undefined ? undefined : readFileSync(settings.caPath, "utf8");
  const makeClient = (connection: RedisConnection): Redis | Cluster => {
    const client = createRedisClient({
      target,
      ca,
      random: Math.random,
      // A host name with several addresses fails with one error for each, and no message of its own.
      onError: (reason) => noteDown(connection, reason === "" ? "none of its addresses can be reached" : reason),
    });
    client.on("close", () => noteDown(connection, "the connection was closed"));
    return client;
  };
  const clients = { publishing: makeClient("publishing"), subscribing: makeClient("subscribing") };
  const publisher = new PublishingClient({ client: clients.publishing, maxWaitingBytes });
  const subscriber = new SubscribingClient({
    client: clients.subscribing,
    onSubscribed: () => noteUp("subscribing"),
    onRefused: (reason) => noteDown("subscribing", reason),
  });
  clients.publishing.on("ready", () => noteUp("publishing"));
  for (const client of [clients.publishing, clients.subscribing]) {
    if (client instanceof Redis) startHeartbeat(client);
    // What fails is told by the events, and tried again.
    client.connect().catch(() => {});
  }
  setTimeout(() => {
    if (clients.publishing.status !== "ready") noteDown("publishing", "it has not answered yet");
  }, slowStartMs).unref();

  const create =
    settings.adapter === "classic"
      ? createAdapter(publisher, subscriber, { key: settings.key })
      : createShardedAdapter(publisher, subscriber, { channelPrefix: settings.key });
  return {
    createAdapter: (namespace: Namespace) => {
      const adapter = create(namespace);
      answerFailedRequests(adapter);
      return adapter;
    },
    connected,
    readCounts: () => ({ ...noFabricCounts, publishesFailed: publisher.failedPublishes }),
  };
}

function readTarget(url: string): RedisTarget {
  const result = parseRedisUrl(url);
  // The primary has checked it; a fault never repeats the URL.
  if ("fault" in result) throw new Error(`redisUrl ${result.fault}`);
  return result.target;
}
