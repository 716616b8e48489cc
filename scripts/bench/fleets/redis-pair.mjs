// The two connections that a worker with @socket.io/redis-adapter has: one publishes, one subscribes.
import { Redis } from "ioredis";

export function connectPair() {
  const publisher = new Redis(process.env.BENCH_REDIS_URL);
  const pair = [publisher, publisher.duplicate()];
  for (const client of pair) {
    client.on("error", (error) => console.error(error.message));
  }
  return pair;
}
