/** Connections that a proxy keeps to workers that leave: what comes on them reaches the new workers, and nothing stays behind. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { parseAddress } from "../../src/address/address.js";
import { openPolling, PollingSession, readHandshake, renderHandshake } from "../support/engine-polling.js";
import { isNginxMissing } from "../support/nginx.js";
import { startSite } from "../support/nginx-site.js";
import type { RawConnection, RawResponse } from "../support/raw-http.js";
import { readTextFrame, renderTextFrame } from "../support/raw-websocket.js";
import { ReloadHost } from "../support/reload-host.js";
import { isFull, ReloadLoad } from "../support/reload-load.js";
import { timed } from "../support/stopwatch.js";

/** Far below the 25 s that a poll without an event stays open. */
const briefMs = 5_000;
const noop = "6";

/** One request on a connection that is closed with its answer. */
async function exchangeLast(connection: RawConnection, request: Buffer): Promise<RawResponse> {
  const response = await timed(connection.exchange(request), briefMs, "an answer").then(({ value }) => value);
  assert.equal(response.headers["connection"], "close");
  await connection.closed;
  return response;
}

/** A session of the worker of that slot, to which there is nothing to say any more. */
async function openQuiet(reloadHost: ReloadHost, worker: number): Promise<PollingSession> {
  for (;;) {
    const session = await openPolling(reloadHost.host);
    assert.match(await session.nextPacket(), /^42\["welcome"/);
    if (parseAddress(session.sid)?.workerSlot === worker) return session;
    session.connection.destroy();
  }
}

/** Says something that the session's worker answers, whatever the application. */
async function assertServed(webSocket: RawConnection): Promise<void> {
  webSocket.send(renderTextFrame("40/none,"));
  assert.match(await readTextFrame(webSocket), /^44\/none,.*Invalid namespace/);
}

function assertNoDrainWasCut(reloadHost: ReloadHost): void {
  const cut = reloadHost.host.log.filter(({ msg }) => msg.startsWith("the drain took longer"));
  assert.deepEqual(cut, []);
}

test("each kept connection to a leaving worker carries one request more, of a new worker's session too, and no WebSocket", {
  timeout: 60_000,
}, async () => {
  await using reloadHost = await ReloadHost.start({ workers: 2 });
  const { host } = reloadHost;
  const kept = await Promise.all(Array.from({ length: 7 }, async () => await reloadHost.openKept(1)));
  const [first, second, third, fourth, fifth, sixth, seventh] = kept;
  assert.ok(first && second && third && fourth && fifth && sixth && seventh);
  // A session of the worker that drains second, whose poll hangs at the one that drains first.
  const early = await openQuiet(reloadHost, 1);
  early.connection = await reloadHost.openKept(0);
  const hanging = exchangeLast(early.connection, early.renderGet());
  const held = await reloadHost.holdDrain(0);

  reloadHost.release("2");
  const reloading = reloadHost.reload();
  await host.waitForStatus(({ workers }) => workers[0]?.state === "draining", "a drain");
  assert.equal((await hanging).body.toString(), noop);
  assert.equal((await exchangeLast(seventh, early.renderPost("1"))).body.toString(), "ok");

  const sid = readHandshake(await exchangeLast(first, renderHandshake()));
  assert.equal(parseAddress(sid)?.workerSlot, 2, "the new worker has the session");
  const late = new PollingSession(sid, second);
  assert.equal((await exchangeLast(second, late.renderPost("40"))).body.toString(), "ok");
  late.keep(await exchangeLast(third, late.renderGet()));
  assert.match(await late.nextPacket(), /^40/);
  // The welcome may come with the first packet or by itself; then there is nothing that a poll could bring.
  late.connection = await reloadHost.openKept(2);
  assert.match(await late.nextPacket(), /^42\["welcome",\{"release":"2","worker":2/);
  assert.equal((await exchangeLast(fourth, late.renderGet())).body.toString(), noop);

  late.connection = fifth;
  assert.equal((await fifth.exchange(late.renderUpgrade())).status, 101);
  fifth.send(renderTextFrame("2probe"));
  assert.equal(await readTextFrame(fifth), "3probe");
  fifth.send(renderTextFrame("5"));
  // To Engine.IO an empty sid is none: a handshake.
  assert.equal((await sixth.exchange(new PollingSession("", sixth).renderUpgrade())).status, 101);
  const opened = JSON.parse((await readTextFrame(sixth)).slice(1)) as { sid: string };
  assert.equal(parseAddress(opened.sid)?.workerSlot, 2);

  held.destroy();
  const { code, stderr } = await reloading;
  assert.deepEqual([code, stderr], [0, ""]);
  assertNoDrainWasCut(reloadHost);
  for (const webSocket of [fifth, sixth]) {
    await assertServed(webSocket);
    webSocket.destroy();
  }
});

const [webSockets, pollings, messagesPerSecond] = isFull ? [200, 100, 400] : [20, 10, 40];

test("behind nginx, which keeps connections, nobody moves twice, no handshake fails, and no drain takes its whole time", {
  timeout: 120_000,
}, async (t) => {
  if (isNginxMissing(t)) return;
  await using reloadHost = await ReloadHost.start({ workers: isFull ? 4 : 2, hostKey: "hstA" });
  await using nginx = await startSite({ hstA: `127.0.0.1:${reloadHost.host.port}` });
  await using load = await ReloadLoad.start(nginx.url, {
    webSockets,
    pollings,
    messagesPerSecond,
    leastMarginMs: 1_000,
  });
  reloadHost.release("2");
  const { code, stderr, durationMs } = await reloadHost.reload();
  assert.deepEqual([code, stderr], [0, ""]);
  const { clients, faults, probes } = await load.waitFor(({ open }) => open === webSockets + pollings, "everybody");
  assert.deepEqual(faults, []);
  for (const { sessions } of clients)
    assert.deepEqual(
      sessions.map(({ release }) => release),
      ["1", "2"],
    );
  assertNoDrainWasCut(reloadHost);
  const { counters } = await reloadHost.host.readStatus();
  const forwarded =
    (counters.signalbox_forwarded_requests_total ?? 0) + (counters.signalbox_forwarded_handshakes_total ?? 0);
  assert.ok(forwarded > 0, "nothing came on a connection that had carried something else");
  t.diagnostic(
    `${probes} handshakes beside, ${forwarded} requests for siblings; reload took ${Math.round(durationMs)} ms`,
  );
});
