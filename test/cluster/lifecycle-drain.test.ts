/** A host that drains answers requests of the sessions it has, wherever they come from, and sends all others elsewhere. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import {
  assertUnknownSession,
  enginePath,
  openPolling,
  type PollingSession,
  pollOnce,
  renderHandshake,
} from "../support/engine-polling.js";
import { fixturePath, pause, startHost, type TestHost } from "../support/host.js";
import { LightSocket } from "../support/light-socket.js";
import { exchangeOnce, RawConnection, type RawResponse, renderRequest } from "../support/raw-http.js";

const upgrade = renderRequest({
  path: enginePath({ transport: "websocket" }),
  headers: {
    Connection: "Upgrade",
    Upgrade: "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
  },
});

function assertSentElsewhere(response: RawResponse): void {
  assert.equal(response.status, 503, response.body.toString());
  assert.equal(response.headers["retry-after"], "1");
  assert.equal(response.headers["connection"], "close");
}

describe("a host that was told to end, with a drain hook that holds it", { timeout: 60_000 }, () => {
  const uploadBody = "x".repeat(1_000);
  let directory: string;
  let host: TestHost;
  let sessions: PollingSession[];
  let webSocket: LightSocket;
  let uploads: RawConnection[];
  let polls: RawResponse[];

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "sbx-gate-"));
    host = await startHost({
      app: fixturePath("echo-app.mjs"),
      env: { APP_DRAIN_GATE: join(directory, "gate"), SIGNALBOX_DRAIN_TIMEOUT_MS: "60000" },
    });
    sessions = await Promise.all([1, 2, 3, 4].map(async () => await openPolling(host)));
    webSocket = await LightSocket.open(host);
    const workers = new Set<number>();
    for (const session of sessions) {
      workers.add((await session.who()).worker);
      session.connection.destroy();
    }
    assert.equal(workers.size, 2);
    // Kept alive, and busy: an idle connection is closed as soon as its worker drains.
    const upload = renderRequest({ method: "POST", path: "/upload", body: uploadBody });
    uploads = await Promise.all([1, 2].map(async () => await RawConnection.open(host)));
    for (const connection of uploads) connection.send(upload.subarray(0, -10));
    const connections = sessions.length + 1 + uploads.length;
    await host.waitForStatus(
      ({ workers: records }) => records.reduce((sum, { handedOff }) => sum + handedOff, 0) === connections,
      "the uploads",
    );

    host.process.kill("SIGTERM");
    await host.waitForLog((record) => record.msg.startsWith("SIGTERM: no new sessions"), "the drain line");
    await webSocket.closed;
    // At once: a session that does not come for its answer is given up after a second.
    polls = await Promise.all(sessions.map(async ({ sid }) => await pollOnce(host, sid)));
  });

  after(async () => {
    await host[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true });
  });

  test("answers polls of its sessions, on new connections, with the close packet that they wait for", () => {
    for (const { status, body } of polls) {
      assert.equal(status, 200, body.toString());
      assert.ok(body.toString().split("\x1e").includes("1"), body.toString());
    }
  });

  test("answers 503 on new connections to handshakes of both kinds, and to what else is of no session", async () => {
    for (const request of [renderHandshake(), upgrade, renderRequest({ path: "/" })]) {
      assertSentElsewhere(await exchangeOnce(host, request));
    }
  });

  test("answers 503 on a kept connection, after the answer in progress", async () => {
    const next = [renderHandshake(), renderRequest({ path: "/" })];
    for (const [index, connection] of uploads.entries()) {
      connection.send(Buffer.concat([Buffer.from(uploadBody.slice(-10)), next[index] ?? Buffer.alloc(0)]));
      const answered = await connection.readResponse();
      assert.equal((JSON.parse(answered.body.toString()) as { bytes: number }).bytes, uploadBody.length);
      assertSentElsewhere(await connection.readResponse());
      connection.destroy();
    }
  });

  test("says at once that it does not know the sessions that it has closed", async () => {
    for (const { sid } of [...sessions, webSocket]) {
      const response = await pollOnce(host, sid);
      assertUnknownSession(response);
    }
  });

  test("answers 503 to a page that has a parameter named like that of sessions", async () => {
    for (const sid of ["foo", "h001AAxxxxxxxxxxxxxx", sessions[0]?.sid]) {
      assertSentElsewhere(await exchangeOnce(host, renderRequest({ path: `/page?sid=${sid}` })));
    }
    assertSentElsewhere(
      await exchangeOnce(host, renderRequest({ path: `${enginePath({ sid: sessions[0]?.sid ?? "" })}&sid=` })),
    );
  });

  test("outlives clients that are gone before they have their 503", async () => {
    const path = `/page?sid=${sessions[0]?.sid}`;
    for (let count = 0; count < 40; count++) {
      const connection = await RawConnection.open(host);
      connection.send(upgrade.toString().replace(/^GET \S+/, `GET ${path}`));
      connection.socket.resetAndDestroy();
      await connection.closed;
    }
    // The worker has had them all.
    assertSentElsewhere(await exchangeOnce(host, renderRequest({ path })));
    assert.equal((await host.readStatus()).workers.length, 2);
  });

  test("ends when the hook lets it, whatever a client leaves open", async () => {
    assert.equal((await host.readStatus()).state, "draining");
    const { sid } = sessions[0] as PollingSession;
    const endless = await RawConnection.open(host);
    endless.send(renderRequest({ method: "POST", path: enginePath({ sid }), body: "x".repeat(10) }).subarray(0, -10));
    assertUnknownSession(await endless.readResponse());
    writeFileSync(join(directory, "gate"), "");
    assert.deepEqual(await host.exited, { code: 0, signal: null });
    endless.destroy();
    assert.equal(host.stderr, "");
  });
});

test("a polling client without a connection hears of the end on its next one", { timeout: 60_000 }, async () => {
  await using host = await startHost({ app: fixturePath("echo-app.mjs"), workers: 1 });
  const session = await openPolling(host);
  session.connection.destroy();
  host.process.kill("SIGTERM");
  await host.waitForLog((record) => record.msg.startsWith("SIGTERM: no new sessions"), "the drain line");
  // Longer than until the worker looks who is left, less than it waits for whoever does not come.
  await pause(150);
  const { status, body } = await pollOnce(host, session.sid);
  assert.equal(status, 200, body.toString());
  assert.ok(body.toString().split("\x1e").includes("1"), body.toString());
  assert.deepEqual(await host.exited, { code: 0, signal: null });
});
