// Side "classic" of the hosts scenario: @socket.io/redis-adapter as its README shows, with ioredis.
import { createAdapter as createRedisAdapter } from "@socket.io/redis-adapter";
import { connectPair } from "./redis-pair.mjs";

export const createAdapter = () => createRedisAdapter(...connectPair());

/** Workers talk to Redis themselves. */
export function setupPrimary() {}
