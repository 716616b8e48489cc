// Side "sharded" of the hosts scenario: the sharded @socket.io/redis-adapter, a channel for each room, with ioredis.
import { createShardedAdapter } from "@socket.io/redis-adapter";
import { connectPair } from "./redis-pair.mjs";

export const createAdapter = () => createShardedAdapter(...connectPair(), { subscriptionMode: "dynamic" });

/** Workers talk to Redis themselves. */
export function setupPrimary() {}
