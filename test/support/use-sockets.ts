/** Uses the sockets of an application as its clients would, over every transport. */

import assert from "node:assert/strict";
import { io as connectClient, type Socket } from "socket.io-client";

const patienceMs = 10_000;

interface Place {
  readonly worker: number;
  readonly pid: number;
}

/** Resolves with the first argument of the next event of that name. */
export async function awaitEvent(client: Socket, name: string): Promise<unknown> {
  return await new Promise((resolve) => client.once(name, resolve));
}

/** Resolves with a client that is connected. */
export async function connectOver(url: string, transports: string[], path = "/socket.io"): Promise<Socket> {
  const client = connectClient(url, { transports, path, forceNew: true, reconnection: false });
  await new Promise<void>((resolve, reject) => {
    client.once("connect", resolve);
    client.once("connect_error", reject);
  });
  return client;
}

/** Both transports and the step from one to the other work, and a broadcast reaches clients of every worker. */
export async function useSockets(url: string, workers: number, path?: string): Promise<void> {
  const ways = [["websocket"], ["polling"], ["polling", "websocket"], ["websocket"]];
  const clients = await Promise.all(ways.map(async (transports) => await connectOver(url, transports, path)));
  try {
    const places = await Promise.all(
      clients.map(async (client) => (await client.timeout(patienceMs).emitWithAck("who")) as Place),
    );
    assert.equal(new Set(places.map((place) => place.pid)).size, workers, "every worker has clients");
    const told = clients.map(async (client) => await awaitEvent(client, "told"));
    await clients[0]?.timeout(patienceMs).emitWithAck("tell-all", "news");
    assert.deepEqual(
      await Promise.all(told),
      ways.map(() => "news"),
    );
  } finally {
    for (const client of clients) client.disconnect();
  }
}
