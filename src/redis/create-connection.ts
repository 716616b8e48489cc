/** Makes single connections: each is one plain client that never reconnects, whatever the form of the target. */

import { connect as connectTcp, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { AbstractConnector, Redis } from "ioredis";
import { chooseServerOptions, disconnectTimeoutMs, type RedisClientSettings } from "./create-client.js";
import { hidePassword } from "./describe-redis.js";
import type { ShardLocator } from "./shard-locator.js";

/**
 * A client for one connection, made with `connect()`. When that fails or ends it is `end`ed, and its owner makes another:
 * no command of an earlier connection can come late on the next. With a locator it connects to the node that this names.
 */
export function createConnection(settings: RedisClientSettings, locator: ShardLocator | undefined): Redis {
  const options = chooseServerOptions(settings);
  const client = new Redis({
    ...options,
    // Subscriptions end with their connection.
    autoResubscribe: false,
    ...(locator === undefined ? {} : { Connector: makeConnector(locator, options.tls) }),
  });
  client.on("error", (error: Error) => settings.onError(hidePassword(settings.target, error.message)));
  return client;
}

/** Ends a connection without regard to what it still has to write. */
export function destroyConnection(client: Redis): void {
  client.disconnect();
  // Undefined before the first connection, whatever its type says.
  (client.stream as Socket | undefined)?.destroy();
}

/** What ioredis connects by: as it does for Sentinel, an address is looked up anew for each connection. */
function makeConnector(locator: ShardLocator, tls: object | undefined): new () => AbstractConnector {
  return class ShardConnector extends AbstractConnector {
    constructor() {
      super(disconnectTimeoutMs);
    }

    override async connect(): Promise<Socket> {
      this.connecting = true;
      const { host, port } = await locator.locate(() => this.connecting);
      if (!this.connecting) throw new Error("Connection is closed.");
      const socket = tls === undefined ? connectTcp({ host, port }) : connectTls({ ...tls, host, port });
      this.stream = socket;
      socket.once("error", (error) => {
        this.firstError = error;
      });
      return socket;
    }
  };
}
