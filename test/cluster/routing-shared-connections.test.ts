/** One connection carries requests and upgrades of sessions of several workers, and stays open between them. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { io as connectClient } from "socket.io-client";
import { openPolling, PollingSession, pollOnce, renderHandshake } from "../support/engine-polling.js";
import { fixturePath, pause, startHost, type TestHost } from "../support/host.js";
import { RawConnection, renderRequest } from "../support/raw-http.js";
import { readTextFrame, renderCloseFrame, renderTextFrame } from "../support/raw-websocket.js";
import { timed } from "../support/stopwatch.js";

const echoApp = fixturePath("echo-app.mjs");

/** Two sessions of different workers; `connection` belongs to the worker of the first. */
async function openTwo(
  host: TestHost,
): Promise<{ connection: RawConnection; own: PollingSession; other: PollingSession }> {
  const connection = await RawConnection.open(host);
  const own = await PollingSession.open(connection);
  const { worker } = await own.who();
  for (;;) {
    const other = await openPolling(host);
    const isElsewhere = (await other.who()).worker !== worker;
    other.connection.destroy();
    if (!isElsewhere) continue;
    other.connection = connection;
    return { connection, own, other };
  }
}

/** Upgrades a session over its connection, as clients do: probe, then upgrade. */
async function upgrade(session: PollingSession): Promise<void> {
  const { connection } = session;
  const answer = await connection.exchange(session.renderUpgrade());
  assert.equal(answer.status, 101);
  connection.send(renderTextFrame("2probe"));
  assert.equal(await readTextFrame(connection), "3probe");
  connection.send(renderTextFrame("5"));
}

/** Resolves when the worker of a session does not know it any more. */
async function waitUntilUnknown(host: TestHost, sid: string): Promise<void> {
  const isKnown = async (): Promise<boolean> => !(await pollOnce(host, sid)).body.includes("Session ID unknown");
  while (await isKnown()) await pause(20);
}

describe("sessions of two workers on one connection", () => {
  let host: TestHost;

  before(async () => {
    host = await startHost({ app: echoApp, workers: 4 });
  });

  after(async () => {
    await host[Symbol.asyncDispose]();
  });

  test("polling: answers are right and in order, the connection stays, the client's address is known", async (t) => {
    const { connection, own, other } = await openTwo(host);
    for (let round = 0; round < 20; round++) {
      for (const session of [own, other]) {
        const value = `${session.sid} ${round}`;
        const { packet, ackId } = session.renderEmit("echo", value);
        assert.equal((await session.post(packet)).headers.connection, "keep-alive");
        const polled = await session.poll();
        assert.equal(polled.headers.connection, "keep-alive");
        assert.equal(await session.readAck(ackId), value);
      }
    }
    for (const session of [own, other]) {
      const who = await session.who();
      assert.equal(who.sid, session.sid);
      assert.equal(who.address, "127.0.0.1");
    }
    // A session that begins on a forwarded handshake knows its client's address too.
    const addresses = new Map<number, string | undefined>();
    for (let index = 0; index < 8; index++) {
      const { worker, address } = await (await PollingSession.open(connection)).who();
      addresses.set(worker, address);
    }
    t.diagnostic(`8 handshakes on that connection reached workers ${[...addresses.keys()].join(", ")}`);
    assert.ok(addresses.size > 1, "no handshake was forwarded");
    assert.deepEqual([...new Set(addresses.values())], ["127.0.0.1"]);
    const status = await host.waitForStatus(({ counters }) => (counters.signalbox_forwarded_requests_total ?? 0) >= 40);
    assert.ok((status.counters.signalbox_forwarded_handshakes_total ?? 0) > 0);
    assert.equal(connection.hasEnded, false);
    connection.destroy();
  });

  test("an upgrade to a session of another worker, sent before earlier requests are answered, ends the connection and no worker", async () => {
    const before = await host.readStatus();
    for (const isHandshake of [false, true]) {
      const { connection, own, other } = await openTwo(host);
      const { packet, ackId } = own.renderEmit("echo", "first");
      const first = isHandshake ? renderHandshake() : own.renderPost(packet);
      connection.send(Buffer.concat([first, other.renderUpgrade()]));
      assert.equal((await connection.readResponse()).status, 200);
      assert.equal((await connection.readToEnd()).length, 0);
      for (const session of [own, other]) {
        session.connection = await RawConnection.open(host);
        if (session === own && !isHandshake) assert.equal(await own.readAck(ackId), "first");
        assert.equal((await session.who()).sid, session.sid);
        session.connection.destroy();
      }
    }
    const pidsOf = ({ workers }: typeof before): unknown[] => workers.map(({ pid }) => pid);
    assert.deepEqual(pidsOf(await host.readStatus()), pidsOf(before));
  });

  test("requests of both, sent at once, are answered in the order of the requests", async () => {
    const { connection, own, other } = await openTwo(host);
    for (let round = 0; round < 10; round++) {
      const [first, second] = [other.renderEmit("echo", "other"), own.renderEmit("echo", "own")];
      const appRoute = renderRequest({ path: "/where" });
      connection.send(
        Buffer.concat([
          other.renderPost(first.packet),
          own.renderPost(second.packet),
          appRoute,
          own.renderGet(),
          other.renderGet(),
        ]),
      );
      assert.equal((await connection.readResponse()).body.toString(), "ok");
      assert.equal((await connection.readResponse()).body.toString(), "ok");
      assert.match((await connection.readResponse()).body.toString(), /^\{"worker":/);
      own.keep(await connection.readResponse());
      other.keep(await connection.readResponse());
      assert.equal(await own.readAck(second.ackId), "own");
      assert.equal(await other.readAck(first.ackId), "other");
    }
    connection.destroy();
  });

  test("a poll that hangs at a sibling is answered when its event comes", async () => {
    const { connection, own, other } = await openTwo(host);
    await other.call("join", "waiting");
    const hanging = connection.exchange(other.renderGet());
    const sayer = await openPolling(host);
    await sayer.call("say", "waiting", "at last");
    const answer = await hanging;
    assert.equal(answer.body.toString(), '42["said","at last"]');
    assert.equal(await own.call("echo", 1), 1);
    connection.destroy();
    sayer.connection.destroy();
  });

  for (const whose of ["own", "other"] as const) {
    test(`upgrade of ${whose === "own" ? "the own worker's" : "a sibling's"} session: 1 MB each way, and its end closes both sides`, async () => {
      const sessions = await openTwo(host);
      const session = sessions[whose];
      const { connection } = sessions;
      // The connection has carried the other's requests before.
      assert.equal(await sessions.own.call("echo", "before"), "before");
      assert.equal(await sessions.other.call("echo", "before"), "before");
      await upgrade(session);
      // Just under Engine.IO's limit for one message (maxHttpBufferSize, 1e6 bytes).
      for (const length of [1, 70_000, 999_900]) {
        const value = randomBytes(Math.ceil(length / 2))
          .toString("hex")
          .slice(0, length);
        const { packet, ackId } = session.renderEmit("echo", value);
        connection.send(renderTextFrame(packet));
        assert.equal(await readTextFrame(connection), `43${ackId}["${value}"]`);
      }
      const { packet, ackId } = session.renderEmit("who");
      connection.send(renderTextFrame(packet));
      const who = (
        JSON.parse((await readTextFrame(connection)).slice(`43${ackId}`.length)) as [{ address: string }]
      )[0];
      assert.equal(who.address, "127.0.0.1");
      connection.send(renderCloseFrame());
      await timed(connection.closed, 3_000, "the close of the client's side");
      await timed(waitUntilUnknown(host, session.sid), 5_000, "the end of the session at its worker");
    });
  }

  test("an upgraded session of a sibling ends there when the client goes without a word", async () => {
    const { connection, other } = await openTwo(host);
    await upgrade(other);
    connection.socket.resetAndDestroy();
    await timed(waitUntilUnknown(host, other.sid), 5_000, "the end of the session at its worker");
  });

  test("socket.io-client upgrades over a connection pool that mixes workers, and carries 1 MB of binary both ways", async () => {
    const clients = Array.from({ length: 12 }, () => connectClient(host.url, { forceNew: true, reconnection: false }));
    await Promise.all(
      clients.map(async (client) => {
        await new Promise<void>((resolve, reject) => {
          client.once("connect", resolve);
          client.once("connect_error", reject);
        });
        if (client.io.engine.transport.name !== "websocket") {
          await new Promise<void>((resolve) => client.io.engine.once("upgrade", () => resolve()));
        }
        const bytes = randomBytes(900_000);
        const echoed = (await client.emitWithAck("echo", bytes)) as Buffer;
        assert.ok(bytes.equals(echoed));
      }),
    );
    for (const client of clients) client.disconnect();
  });
});
