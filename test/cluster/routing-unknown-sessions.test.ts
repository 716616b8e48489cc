/** A session id that nobody knows gets Engine.IO's own answer at once; only the query's sid is one. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import WebSocket from "ws";
import {
  assertUnknownSession,
  assertUnknownToUpgrade,
  enginePath,
  openPolling,
  type PollingSession,
  pollOnce,
} from "../support/engine-polling.js";
import { fixturePath, startHost, type TestHost } from "../support/host.js";
import { killWorker, waitUntilReplaced } from "../support/kill-worker.js";
import { exchangeOnce, type RawConnection, type RawResponse, renderRequest, type Target } from "../support/raw-http.js";
import { timed } from "../support/stopwatch.js";

const echoApp = fixturePath("echo-app.mjs");
const workers = 2;
/** Answers are meant to be at once; a loaded machine gets a second. */
const answerLimitMs = 1_000;
/** Long enough to look at a slot before it is filled again. */
const slowRestart = { SIGNALBOX_RESTART_BACKOFF_MIN_MS: "3000" };

/** The sid in an upgrade request, over a connection of its own. */
async function upgradeOnce(target: Target, sid: string): Promise<RawResponse> {
  const headers = {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
  };
  return await exchangeOnce(target, renderRequest({ path: enginePath({ sid, transport: "websocket" }), headers }));
}

/** Asks for a session in the three ways there are; each must be told at once that it is unknown. */
async function assertUnknown(target: Target, sid: string): Promise<void> {
  const post = renderRequest({
    method: "POST",
    path: enginePath({ sid }),
    headers: { "Content-Type": "text/plain" },
    body: "2",
  });
  const what = `an answer for the sid ${JSON.stringify(sid)}`;
  for (const ask of [pollOnce(target, sid), exchangeOnce(target, post)]) {
    assertUnknownSession((await timed(ask, answerLimitMs, what)).value);
  }
  assertUnknownToUpgrade((await timed(upgradeOnce(target, sid), answerLimitMs, what)).value);
}

async function countUnknown(host: TestHost): Promise<number> {
  return (await host.readStatus()).counters.signalbox_unknown_sessions_total ?? 0;
}

async function waitForUnknown(host: TestHost, count: number): Promise<void> {
  await timed(
    host.waitForStatus(({ counters }) => (counters.signalbox_unknown_sessions_total ?? 0) >= count, "the count"),
    4_000,
    `a count of ${count} unknown sessions`,
  );
  assert.equal(await countUnknown(host), count);
}

/** Sessions on slot 0 and on slot 1. */
async function openOnBoth(host: TestHost): Promise<[PollingSession, PollingSession]> {
  const bySlot = new Map<number, PollingSession>();
  while (bySlot.size < workers) {
    const session = await openPolling(host);
    bySlot.set((await session.who()).worker, session);
  }
  return [bySlot.get(0) as PollingSession, bySlot.get(1) as PollingSession];
}

describe("sessions of a worker that died", () => {
  test("are unknown at once while the slot is empty, and after it is filled again", async () => {
    await using host = await startHost({ app: echoApp, workers, env: slowRestart });
    const [dead, living] = await openOnBoth(host);
    const killed = await killWorker(host, 0);
    await host.waitForStatus(({ workers: [first] }) => first?.state === "backoff", "the empty slot");
    await assertUnknown(host, dead.sid);
    // Over a connection of the other worker too: nobody is there to forward to.
    dead.connection = living.connection;
    assertUnknownSession(await living.connection.exchange(dead.renderGet()));
    assert.equal((await host.readStatus()).workers[0]?.state, "backoff");
    await waitForUnknown(host, 4);
    await waitUntilReplaced(host, 0, killed);
    await assertUnknown(host, dead.sid);
    assertUnknownSession(await living.connection.exchange(dead.renderGet()));
    await waitForUnknown(host, 8);
    assert.equal(await living.call("echo", "still here"), "still here");
    living.connection.destroy();
  });

  test("are unknown at once, and not after a wait, while the only worker is being replaced", async () => {
    await using host = await startHost({ app: echoApp, workers: 1, env: slowRestart });
    const session = await openPolling(host);
    await killWorker(host, 0);
    await host.waitForStatus(({ workers: [first] }) => first?.state === "backoff", "the empty slot");
    await assertUnknown(host, session.sid);
    assert.equal((await host.readStatus()).workers[0]?.state, "backoff");
    await waitForUnknown(host, 3);
  });

  test("are unknown at once on a kept connection whose sibling has just been killed", async () => {
    await using host = await startHost({ app: echoApp, workers, env: slowRestart });
    const [dead, living] = await openOnBoth(host);
    dead.connection = living.connection;
    // Private connections between the two are open now: the kill must not leave them half believed.
    assert.equal(await dead.call("echo", 1), 1);
    await killWorker(host, 0);
    const { value } = await timed(living.connection.exchange(dead.renderGet()), answerLimitMs, "the answer");
    assertUnknownSession(value);
    assert.equal(await living.call("echo", 2), 2);
    living.connection.destroy();
  });
});

describe("sids that were never ours", () => {
  let host: TestHost;
  let known: PollingSession;

  before(async () => {
    host = await startHost({ app: echoApp, workers });
    known = await openPolling(host);
  });

  after(async () => {
    known.connection.destroy();
    await host[Symbol.asyncDispose]();
  });

  test("of another host: unknown at once, and counted", async () => {
    const countBefore = await countUnknown(host);
    const { hostKey } = await host.readStatus();
    const otherKey = hostKey === "ZZZZ" ? "YYYY" : "ZZZZ";
    await assertUnknown(host, otherKey + known.sid.slice(4));
    assertUnknownSession(
      await known.connection.exchange(renderRequest({ path: enginePath({ sid: otherKey + known.sid.slice(4) }) })),
    );
    await waitForUnknown(host, countBefore + 4);
  });

  test("garbage of many shapes: unknown at once, and counted", async () => {
    const countBefore = await countUnknown(host);
    const place = known.sid.slice(0, 6);
    const shapes = [
      "x",
      "undefined",
      "null",
      known.sid.slice(0, 19),
      `${known.sid}x`,
      // The right place, another random part: a guess at somebody's session.
      place + "A".repeat(14),
      // A slot that this host does not have, and the highest there is.
      `${place.slice(0, 4)}AC${"A".repeat(14)}`,
      `${place.slice(0, 4)}__${"A".repeat(14)}`,
      known.sid.toLowerCase() === known.sid ? known.sid.toUpperCase() : known.sid.toLowerCase(),
      "..%2F..%2Fetc%2Fpasswd",
      "%00%01%02",
      "__proto__",
      "constructor",
      "toString",
      "0",
      "-1",
      "a".repeat(4_000),
      `${known.sid}%20`,
      `'${known.sid}'`,
      "sid=",
      "%F0%9F%98%80",
    ];
    for (const sid of shapes) await assertUnknown(host, sid);
    await waitForUnknown(host, countBefore + shapes.length * 3);
  });

  test("the ws client sees the status 400 of an upgrade at once", async () => {
    const path = enginePath({ sid: `ZZZZAA${"x".repeat(14)}`, transport: "websocket" });
    const client = new WebSocket(`ws://127.0.0.1:${host.port}${path}`);
    client.on("error", () => {});
    const answer = new Promise<number>((resolve) => {
      client.once("unexpected-response", (_request, response) => {
        resolve(response.statusCode ?? 0);
        response.destroy();
      });
    });
    assert.equal((await timed(answer, answerLimitMs, "the answer")).value, 400);
  });
});

describe("a sid anywhere but in the query", () => {
  test("does not route: cookie, Referer, path and body are nobody's business", async (t) => {
    await using host = await startHost({ app: echoApp, workers: 4 });
    const session = await openPolling(host);
    const { worker } = await session.who();
    const { sid } = session;
    const requests = [
      renderRequest({ path: "/where", headers: { Cookie: `io=${sid}; sid=${sid}` } }),
      renderRequest({ path: "/where", headers: { Referer: `http://example.test/socket.io/?EIO=4&sid=${sid}` } }),
      renderRequest({ path: `/sid=${sid}` }),
      renderRequest({ path: `/sid=${sid}/where`, headers: { Cookie: `sid=${sid}` } }),
      renderRequest({ path: `/where?notsid=${sid}` }),
      renderRequest({ path: `/where?redirect=/socket.io/%3Fsid=${sid}` }),
    ];
    for (const request of requests) {
      const reached = new Set<number>();
      for (let index = 0; index < 8; index++) {
        const response = await exchangeOnce(host, request);
        assert.equal(response.status, 200);
        reached.add((JSON.parse(response.body.toString()) as { worker: number }).worker);
      }
      const line = request.toString().split("\r\n")[0];
      t.diagnostic(`${line}: workers ${[...reached].sort().join(", ")}`);
      assert.ok(reached.size > 1 || !reached.has(worker), `all 8 went to worker ${worker} by ${line}`);
    }
    // Nor does one in a cookie win over the one in the query.
    const [other] = await Promise.all([openPolling(host)]);
    const { packet, ackId } = other.renderEmit("echo", "mine");
    await other.post(packet);
    const response = await exchangeOnce(
      host,
      renderRequest({
        path: enginePath({ sid: other.sid }),
        headers: { Cookie: `sid=${sid}`, Referer: `/?sid=${sid}` },
      }),
    );
    assert.equal(response.body.toString(), `43${ackId}["mine"]`);
    session.connection.destroy();
    other.connection.destroy();
  });

  test("on a kept connection: the application's own routes with a sid stay where the connection is", async () => {
    await using host = await startHost({ app: echoApp, workers: 2 });
    const [first, second] = await openOnBoth(host);
    for (const path of [`/where?sid=${second.sid}`, "/where", `/sid=${second.sid}`]) {
      const response = await first.connection.exchange(
        renderRequest({ path, headers: { Cookie: `sid=${second.sid}` } }),
      );
      assert.equal((JSON.parse(response.body.toString()) as { worker: number }).worker, 0);
    }
    const connection: RawConnection = first.connection;
    assert.equal(connection.hasEnded, false);
    first.connection.destroy();
    second.connection.destroy();
  });
});
