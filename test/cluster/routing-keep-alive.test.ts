/** Connections are kept: many requests, of whichever sessions, need few of them. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { openPolling, PollingSession, readHandshake, renderHandshake } from "../support/engine-polling.js";
import { fixturePath, startHost } from "../support/host.js";
import { RawConnection, type RawResponse } from "../support/raw-http.js";

const echoApp = fixturePath("echo-app.mjs");

/** Passes connections on over few kept ones, as a proxy does: requests of all clients take turns on them. */
class PooledRequests {
  readonly #idle: RawConnection[];
  readonly #waiting: ((connection: RawConnection) => void)[] = [];

  constructor(connections: readonly RawConnection[]) {
    this.#idle = [...connections];
  }

  async exchange(request: Buffer): Promise<RawResponse> {
    const connection = this.#idle.pop() ?? (await new Promise<RawConnection>((resolve) => this.#waiting.push(resolve)));
    try {
      return await connection.exchange(request);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#idle.push(connection);
      else next(connection);
    }
  }
}

describe("keep-alive", () => {
  test("12 long-polling clients for 5 s need far fewer connections than requests", async (t) => {
    await using host = await startHost({ app: echoApp, workers: 4 });
    const runMs = 5_000;
    const clients = await Promise.all(Array.from({ length: 12 }, async () => await openPolling(host)));
    let requests = clients.length * 3;
    const endMs = performance.now() + runMs;
    await Promise.all(
      clients.map(async (client, index) => {
        for (let round = 0; performance.now() < endMs; round++) {
          assert.equal(await client.call("echo", `${index} ${round}`), `${index} ${round}`);
          requests += 2;
        }
        assert.equal(client.connection.hasEnded, false);
      }),
    );
    const accepted = (await host.readStatus()).counters.signalbox_connections_accepted_total ?? 0;
    t.diagnostic(`${requests} requests over ${accepted} connections`);
    assert.equal(accepted, clients.length);
    for (const client of clients) client.connection.destroy();
  });

  test("24 sessions take turns on 3 connections, as behind a proxy, and none loses an acknowledgement", async (t) => {
    await using host = await startHost({ app: echoApp, workers: 4 });
    const connections = await Promise.all([1, 2, 3].map(async () => await RawConnection.open(host)));
    const pool = new PooledRequests(connections);
    const post = async (session: PollingSession, packet: string): Promise<void> => {
      assert.equal((await pool.exchange(session.renderPost(packet))).body.toString(), "ok");
    };
    const acks = await Promise.all(
      Array.from({ length: 24 }, async (_, index) => {
        const sid = readHandshake(await pool.exchange(renderHandshake()));
        const [connection] = connections;
        if (connection === undefined) throw new Error("no connection");
        const session = new PollingSession(sid, connection);
        await post(session, "40");
        assert.match((await pool.exchange(session.renderGet())).body.toString(), /^40/);
        let got = 0;
        for (let round = 0; round < 8; round++) {
          const value = `${index} ${round}`;
          const { packet, ackId } = session.renderEmit("echo", value);
          await post(session, packet);
          const answer = await pool.exchange(session.renderGet());
          assert.equal(answer.body.toString(), `43${ackId}["${value}"]`);
          got++;
        }
        return got;
      }),
    );
    const total = acks.reduce((sum, got) => sum + got, 0);
    t.diagnostic(`${total} of ${24 * 8} acknowledgements over 3 connections`);
    assert.equal(total, 24 * 8);
    assert.equal((await host.readStatus()).counters.signalbox_connections_accepted_total, 3);
    for (const connection of connections) connection.destroy();
  });
});
