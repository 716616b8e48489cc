// Idle traffic: what hosts without clients send through Redis, by number of hosts and of workers.
import { setTimeout as sleep } from "node:timers/promises";
import { SERVER_CORE } from "../messages/measure.mjs";
import { startSide, stopSide } from "./sides.mjs";

/** Hosts that have just begun say more than those that are up. */
const QUIET_S = 2;

/** Measures one fleet of the routed fabric; figures are per second and host. */
export async function measureIdle({ hosts, workers, seconds, redis }) {
  const name = `idle-${hosts}x${workers}`;
  const fleet = await startSide({ side: "routed", name, hosts, workers, core: SERVER_CORE, redis });
  try {
    await sleep(QUIET_S * 1_000);
    const before = await redis.readMeter();
    const startedMs = performance.now();
    await sleep(seconds * 1_000);
    const after = await redis.readMeter();
    const share = (1_000 / (performance.now() - startedMs)) * (1 / hosts);
    const connections = await redis.countConnections(fleet.redisUser);
    const perHost = (key) => (after[key] - before[key]) * share;
    return {
      hosts,
      workers,
      connections,
      messages: perHost("publishes"),
      bytes: perHost("bytesIn") + perHost("bytesOut"),
      redisUs: perHost("redisUs"),
    };
  } finally {
    await stopSide(fleet);
  }
}
