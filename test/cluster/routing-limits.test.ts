/** Slow, oversized and silent connections are refused in time, are counted, and keep nobody else waiting. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { describe, test } from "node:test";
import { openPolling } from "../support/engine-polling.js";
import { fixturePath, startHost, type TestHost } from "../support/host.js";
import { exchangeOnce, RawConnection, renderRequest } from "../support/raw-http.js";
import { timed } from "../support/stopwatch.js";

const echoApp = fixturePath("echo-app.mjs");
/** Others get their answers within this, whatever goes on beside them. */
const answerLimitMs = 2_000;
/** Limits are looked at several times in their own length; a loaded machine adds to that. */
const limitSlackMs = 3_000;
const where = renderRequest({ path: "/where" });

async function assertOthersAreServed(host: TestHost): Promise<number> {
  const { value: response, ms } = await timed(exchangeOnce(host, where), answerLimitMs, "an answer to another client");
  assert.equal(response.status, 200);
  return ms;
}

async function countRefused(host: TestHost, reason: string): Promise<number> {
  return (await host.readStatus()).counters[`signalbox_connections_refused_total{reason="${reason}"}`] ?? 0;
}

async function openIdle(host: TestHost, count: number): Promise<RawConnection[]> {
  return await Promise.all(Array.from({ length: count }, async () => await RawConnection.open(host)));
}

describe("first heads", () => {
  test("one that drips and never ends is refused with 408 at the limit", async (t) => {
    const headTimeoutMs = 1_000;
    await using host = await startHost({
      app: echoApp,
      env: { SIGNALBOX_HEAD_TIMEOUT_MS: String(headTimeoutMs) },
    });
    const connection = await RawConnection.open(host);
    connection.send("GET / HTTP/1.1\r\n");
    const drip = setInterval(() => connection.send("X-Drip: 1\r\n"), 50);
    const answer = timed(connection.readResponse(), headTimeoutMs + limitSlackMs, "the refusal");
    const othersMs = await assertOthersAreServed(host);
    const { value: response, ms } = await answer;
    clearInterval(drip);
    assert.equal(response.status, 408);
    assert.ok(ms >= headTimeoutMs - 50, `refused after ${ms} ms already`);
    assert.equal(await countRefused(host, "head-timeout"), 1);
    await timed(connection.closed, answerLimitMs, "the close");
    t.diagnostic(
      `408 after ${ms} ms with a limit of ${headTimeoutMs} ms; another client was answered in ${othersMs} ms`,
    );
  });

  test("one of 17 KiB is refused with 431 and one of 15 KiB is served, in one piece and in many", async () => {
    await using host = await startHost({ app: echoApp });
    const render = (kib: number): Buffer =>
      renderRequest({ path: "/where", headers: { "X-Fill": "x".repeat(kib * 1024) } });
    const large = render(17);
    assert.equal((await exchangeOnce(host, large)).status, 431);
    const connection = await RawConnection.open(host);
    const pieces = Array.from({ length: 17 }, (_, index) => large.subarray(index * 1024, (index + 1) * 1024));
    await connection.sendPieces(pieces);
    assert.equal((await connection.readResponse()).status, 431);
    connection.destroy();
    assert.equal(await countRefused(host, "head-too-large"), 2);
    assert.equal((await exchangeOnce(host, render(15))).status, 200);
  });

  test("500 idle connections are closed at the limit, and cost nobody an answer until then", async (t) => {
    const headTimeoutMs = 1_500;
    await using host = await startHost({
      app: echoApp,
      env: { SIGNALBOX_HEAD_TIMEOUT_MS: String(headTimeoutMs) },
    });
    const idle = await openIdle(host, 500);
    const othersMs = await assertOthersAreServed(host);
    const { ms } = await timed(
      Promise.all(idle.map(async (connection) => assert.equal((await connection.readResponse()).status, 408))),
      headTimeoutMs + limitSlackMs,
      "the refusal of all",
    );
    assert.equal(await countRefused(host, "head-timeout"), 500);
    t.diagnostic(`500 refused after ${ms} ms; another client was answered in ${othersMs} ms`);
  });

  test("beyond 100 that wait to send their head the oldest are refused with 503, and newcomers are served", async () => {
    await using host = await startHost({ app: echoApp, env: { SIGNALBOX_MAX_PENDING_CONNECTIONS: "100" } });
    // In groups, so that it is known who is older.
    const groups = [await openIdle(host, 100), await openIdle(host, 100), await openIdle(host, 100)];
    const oldest = [...(groups[0] ?? []), ...(groups[1] ?? [])];
    await timed(
      Promise.all(
        oldest.map(async (connection) => {
          const response = await connection.readResponse();
          assert.equal(response.status, 503);
          assert.equal(response.headers["retry-after"], "1");
        }),
      ),
      answerLimitMs,
      "the refusal of the oldest 200",
    );
    assert.equal(await countRefused(host, "too-many-pending"), 200);
    await assertOthersAreServed(host);
    // The newcomer took the place of one of the last group; the others are still welcome to speak.
    const [, ...young] = groups[2] ?? [];
    const answers = await Promise.all(young.map(async (connection) => await connection.exchange(where)));
    assert.deepEqual([...new Set(answers.map((answer) => answer.status))], [200]);
    for (const connection of groups.flat()) connection.destroy();
  });

  test("a client that hangs up before, or right after, its head is complete leaves nothing behind", async () => {
    await using host = await startHost({ app: echoApp });
    for (const bytes of ["", "GET / HT", where]) {
      for (let index = 0; index < 20; index++) {
        const connection = await RawConnection.open(host);
        connection.send(bytes);
        if (index % 2 === 0) connection.socket.resetAndDestroy();
        else connection.destroy();
      }
    }
    await assertOthersAreServed(host);
    assert.deepEqual(
      host.log.filter((record) => record.level >= 40).map((record) => record.msg),
      [],
    );
  });
});

describe("limits that the worker keeps", () => {
  test("a slow second head on a kept connection is refused with 408", async (t) => {
    const headTimeoutMs = 1_000;
    await using host = await startHost({
      app: echoApp,
      env: { SIGNALBOX_HEAD_TIMEOUT_MS: String(headTimeoutMs) },
    });
    const connection = await RawConnection.open(host);
    assert.equal((await connection.exchange(where)).status, 200);
    connection.send("GET /where HTTP/1.1\r\nHost: exam");
    const { value: response, ms } = await timed(connection.readResponse(), headTimeoutMs + limitSlackMs, "the refusal");
    assert.equal(response.status, 408);
    await timed(connection.closed, answerLimitMs, "the close");
    t.diagnostic(`408 after ${ms} ms with a limit of ${headTimeoutMs} ms`);
  });

  test("a slow body is refused with 408, and a hanging poll or an idle connection is not", async (t) => {
    const requestTimeoutMs = 1_500;
    await using host = await startHost({
      app: echoApp,
      env: { SIGNALBOX_HEAD_TIMEOUT_MS: "1000", SIGNALBOX_REQUEST_TIMEOUT_MS: String(requestTimeoutMs) },
    });
    const idle = await RawConnection.open(host);
    assert.equal((await idle.exchange(where)).status, 200);
    const session = await openPolling(host);
    await session.call("join", "patience");
    const hanging = session.connection.exchange(session.renderGet());
    const connection = await RawConnection.open(host);
    connection.send("POST /upload HTTP/1.1\r\nHost: example.test\r\nContent-Length: 1000\r\n\r\n");
    const drip = setInterval(() => connection.send("x"), 100);
    const { value: response, ms } = await timed(
      connection.readResponse(),
      requestTimeoutMs + limitSlackMs,
      "the refusal",
    );
    clearInterval(drip);
    assert.equal(response.status, 408);
    t.diagnostic(`408 after ${ms} ms with a limit of ${requestTimeoutMs} ms`);
    // Both have been silent for longer than either limit.
    assert.equal((await idle.exchange(where)).status, 200);
    const sayer = await openPolling(host);
    await sayer.call("say", "patience", "worth it");
    assert.equal((await hanging).body.toString(), '42["said","worth it"]');
    for (const each of [idle, connection, session.connection, sayer.connection]) each.destroy();
  });

  test("a slow head and a slow body are refused as well on what is sent on to a sibling", async () => {
    await using host = await startHost({
      app: echoApp,
      workers: 2,
      env: { SIGNALBOX_HEAD_TIMEOUT_MS: "1000", SIGNALBOX_REQUEST_TIMEOUT_MS: "1500" },
    });
    const [first, second] = [await openPolling(host), await openPolling(host)];
    assert.notEqual((await first.who()).worker, (await second.who()).worker);
    const post = second.renderPost(`42${JSON.stringify(["echo", "x".repeat(1_000)])}`);
    first.connection.send(post.subarray(0, post.length - 500));
    const { value: response } = await timed(first.connection.readResponse(), 1_500 + limitSlackMs, "the refusal");
    assert.equal(response.status, 408);
    await timed(first.connection.closed, answerLimitMs, "the close");
    second.connection.destroy();
  });

  test("an idle kept connection is closed after the keep-alive time, not before", async (t) => {
    const keepAliveTimeoutMs = 1_000;
    await using host = await startHost({
      app: echoApp,
      env: { SIGNALBOX_KEEP_ALIVE_TIMEOUT_MS: String(keepAliveTimeoutMs) },
    });
    const connection = await RawConnection.open(host);
    assert.equal((await connection.exchange(where)).headers["keep-alive"], "timeout=1");
    const { ms } = await timed(once(connection.socket, "end"), keepAliveTimeoutMs + limitSlackMs, "the close");
    t.diagnostic(`closed after ${ms} ms with a limit of ${keepAliveTimeoutMs} ms`);
    assert.ok(ms >= keepAliveTimeoutMs - 50);
  });
});
