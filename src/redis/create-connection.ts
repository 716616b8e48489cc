/** Makes single connections: each is a plain client that never reconnects, whatever the form of the target. */

import type { Socket } from "node:net";
import { Redis } from "ioredis";
import { chooseServerOptions, type RedisClientSettings } from "./create-client.js";
import { hidePassword } from "./describe-redis.js";
import type { RedisEndpoint } from "./redis-url.js";

/**
 * A client for one connection, made with `connect()`. When that fails or ends it is `end`ed, and its owner makes another:
 * no command of an earlier connection can come late on the next. `place` is the server of a Sentinel or cluster target.
 */
export function createConnection(settings: RedisClientSettings, place: RedisEndpoint | undefined): Redis {
  const { sentinels: _sentinels, name: _name, ...options } = chooseServerOptions(settings);
  // Subscriptions end with their connection.
  const client = new Redis({ ...options, ...place, enableReadyCheck: false, autoResubscribe: false });
  client.on("error", (error: Error) => settings.onError(hidePassword(settings.target, error.message)));
  return client;
}

/** Ends a connection without regard to what it still has to write. */
export function destroyConnection(client: Redis): void {
  client.disconnect();
  // Undefined before the first connection, whatever its type says.
  (client.stream as Socket | undefined)?.destroy();
}
