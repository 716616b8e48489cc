/**
 * Composition root of the fabric `stock` with Redis: the adapters of `@socket.io/redis-adapter`, unchanged, on clients
 * that an outage of Redis does not hurt.
 */

import { createAdapter, createShardedAdapter } from "@socket.io/redis-adapter";
import { Redis } from "ioredis";
import type { Namespace } from "socket.io";
import type { Logger } from "../../logging.js";
import { noFabricCounts, type StockRedisSettings } from "../../protocol/worker-messages.js";
import { createClient } from "../../redis/create-client.js";
import { describeRedis, parseRedisUrl } from "../../redis/redis-url.js";
import type { Fabric } from "../fabric-adapter.js";
import { answerFailedRequests } from "./answer-requests.js";
import { describeConnectionFault, isRedisAnswer } from "./connection-fault.js";
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

/** Resolves whether Redis is there or not: a host without it serves its own clients. */
export function createStockRedisFabric(settings: StockRedisSettings, surroundings: StockRedisSurroundings): Fabric {
  const target = parseRedisUrl(settings.url);
  if ("fault" in target) throw new Error(`the primary let a redisUrl pass that is faulty: ${target.fault}`);
  const clients = { publishing: createClient(target), subscribing: createClient(target) };
  const report = new OutageReport(describeRedis(target));
  let noteConnected = (): void => {};
  const connected = new Promise<void>((resolve) => {
    noteConnected = resolve;
  });

  const publisher = new PublishingClient({
    client: clients.publishing,
    maxWaitingBytes: surroundings.maxWaitingBytes,
  });
  const tell = (line: ReportLine | undefined): void => {
    if (line !== undefined) surroundings.log[line.level](line.message);
  };
  const noteUp = (connection: RedisConnection): void => {
    tell(report.noteUp(connection, performance.now(), publisher.failedPublishes));
    if (report.isUp) noteConnected();
  };
  const noteDown = (connection: RedisConnection, reason: string, isAnswer: boolean): void => {
    tell(report.noteDown(connection, reason, isAnswer, performance.now(), publisher.failedPublishes));
  };
  const subscriber = new SubscribingClient({
    client: clients.subscribing,
    onSubscribed: () => noteUp("subscribing"),
    onRefused: (reason) => noteDown("subscribing", reason, true),
  });
  clients.publishing.on("ready", () => noteUp("publishing"));
  for (const connection of ["publishing", "subscribing"] as const) {
    const client = clients[connection];
    client.on("error", (error: unknown) => {
      noteDown(connection, describeConnectionFault(error), isRedisAnswer(error));
    });
    client.on("close", () => noteDown(connection, "the connection was closed", false));
    if (client instanceof Redis) startHeartbeat(client);
    // What fails is told by the events, and tried again.
    client.connect().catch(() => {});
  }
  setTimeout(() => {
    if (clients.publishing.status !== "ready") noteDown("publishing", "it has not answered yet", false);
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
