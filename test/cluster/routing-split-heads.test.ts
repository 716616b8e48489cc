/**
 * A head that arrives in pieces is read whole before anybody is chosen, and a body in pieces reaches the worker whole.
 * That heads arrive as Buffers ("advanced" serialization of the IPC channel) is shown by any test here: with the default
 * every request ends in an empty reply.
 */

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { openPolling, PollingSession, readHandshake, renderHandshake } from "../support/engine-polling.js";
import { fixturePath, startHost } from "../support/host.js";
import { cutAt, RawConnection, type RawResponse, renderRequest, type Target } from "../support/raw-http.js";
import { startStockHost } from "../support/stock-host.js";
import { timed } from "../support/stopwatch.js";

const workers = 4;
const places = ["in the method", "before sid=", "inside the sid", "in the final CRLFCRLF"] as const;
type Place = (typeof places)[number];
const kinds = ["handshake", "poll", "post"] as const;
type Kind = (typeof kinds)[number];
const rounds = 2;

/** Where to cut a head; a handshake has no sid, so it is cut in its query instead. */
function findCut(request: Buffer, place: Place): number {
  const text = request.toString("latin1");
  const sidAt = text.includes("sid=") ? text.indexOf("sid=") : text.indexOf("transport=");
  switch (place) {
    case "in the method":
      return 2;
    case "before sid=":
      return sidAt;
    case "inside the sid":
      return sidAt + "sid=".length + 7;
    case "in the final CRLFCRLF":
      return text.indexOf("\r\n\r\n") + 2;
  }
}

/** Cuts the head at the place, and what follows the head in the middle. */
function cutRequest(request: Buffer, place: Place): Buffer[] {
  const bodyStart = request.indexOf("\r\n\r\n") + 4;
  const bodyLength = request.length - bodyStart;
  const cuts = [findCut(request, place)];
  if (bodyLength > 0) cuts.push(bodyStart, bodyStart + Math.floor(bodyLength / 2));
  return cutAt(request, ...cuts);
}

async function exchangeInPieces(target: Target, pieces: readonly Buffer[]): Promise<RawResponse> {
  const connection = await RawConnection.open(target);
  try {
    await connection.sendPieces(pieces);
    return (await timed(connection.readResponse(), 5_000, "an answer")).value;
  } finally {
    connection.destroy();
  }
}

/** Runs one case; throws when what comes back is not right. */
async function runCase(target: Target, kind: Kind, place: Place): Promise<void> {
  if (kind === "handshake") {
    readHandshake(await exchangeInPieces(target, cutRequest(renderHandshake(), place)));
    return;
  }
  const session: PollingSession = await openPolling(target);
  try {
    const { packet, ackId } = session.renderEmit("echo", `${kind} cut ${place}`);
    if (kind === "poll") {
      await session.post(packet);
      session.keep(await exchangeInPieces(target, cutRequest(session.renderGet(), place)));
    } else {
      const answer = await exchangeInPieces(target, cutRequest(session.renderPost(packet), place));
      assert.equal(answer.body.toString(), "ok");
    }
    assert.equal(await session.readAck(ackId), `${kind} cut ${place}`);
  } finally {
    session.connection.destroy();
  }
}

/** The same case where connections close after every response: each request takes a connection of its own. */
async function runStockCase(target: Target, kind: Kind, place: Place): Promise<void> {
  const once = async (request: Buffer): Promise<RawResponse> => await exchangeInPieces(target, [request]);
  if (kind === "handshake") {
    readHandshake(await exchangeInPieces(target, cutRequest(renderHandshake(), place)));
    return;
  }
  const sid = readHandshake(await once(renderHandshake()));
  const connection = await RawConnection.open(target);
  connection.destroy();
  // Only renders requests: each goes over a connection of its own.
  const session = new PollingSession(sid, connection);
  const { packet } = session.renderEmit("echo", "stock");
  await once(session.renderPost("40"));
  const get = (inPieces: boolean) =>
    inPieces ? exchangeInPieces(target, cutRequest(session.renderGet(), place)) : once(session.renderGet());
  const joined = await get(false);
  assert.match(joined.body.toString(), /^40/);
  if (kind === "post") {
    const answer = await exchangeInPieces(target, cutRequest(session.renderPost(packet), place));
    assert.equal(answer.status, 200, answer.body.toString());
  } else {
    await once(session.renderPost(packet));
  }
  const acknowledged = (await get(kind === "poll")).body.toString();
  assert.ok(acknowledged.startsWith('431["stock"]'), acknowledged);
}

/** Runs all cases one after the other and returns what went wrong, a line for each. */
async function runAllCases(
  target: Target,
  run: (target: Target, kind: Kind, place: Place) => Promise<void>,
): Promise<{ total: number; faults: string[] }> {
  const faults: string[] = [];
  let total = 0;
  for (let round = 0; round < rounds; round++) {
    for (const place of places) {
      for (const kind of kinds) {
        total++;
        try {
          await run(target, kind, place);
        } catch (thrown) {
          faults.push(`${kind} ${place}: ${String(thrown).replaceAll(/\s+/g, " ").slice(0, 160)}`);
        }
      }
    }
  }
  return { total, faults };
}

describe("requests in several TCP segments", () => {
  test("a head cut anywhere, with its body cut too, reaches the right worker 24 times out of 24", async (t) => {
    await using host = await startHost({ app: fixturePath("echo-app.mjs"), workers });
    const { total, faults } = await runAllCases(host, runCase);
    assert.equal(total, 24);
    assert.deepEqual(faults, []);
    t.diagnostic(`Signalbox: ${total - faults.length} of ${total} right`);
  });

  test("the stock primary gives, for comparison, what the diagnostic says", async (t) => {
    await using stock = await startStockHost(workers);
    const { total, faults } = await runAllCases(stock, runStockCase);
    t.diagnostic(`stock: ${total - faults.length} of ${total} right`);
    for (const fault of new Set(faults)) t.diagnostic(`stock: ${fault}`);
  });

  test("an upload in segments, the first of which ends inside the head, arrives whole", async () => {
    await using host = await startHost({ app: fixturePath("echo-app.mjs"), workers: 2 });
    for (const place of ["in the method", "in the final CRLFCRLF"] as const) {
      const body = randomBytes(50_000);
      const request = renderRequest({ method: "POST", path: "/upload", body });
      const bodyStart = request.length - body.length;
      const pieces = cutAt(request, findCut(request, place), bodyStart, bodyStart + 1, bodyStart + 20_000);
      const response = await exchangeInPieces(host, pieces);
      const { bytes, sha256 } = JSON.parse(response.body.toString()) as { bytes: number; sha256: string };
      assert.equal(bytes, body.length);
      assert.equal(sha256, createHash("sha256").update(body).digest("hex"));
    }
  });

  test("a body that begins in the segment that ends the head is not lost", async () => {
    await using host = await startHost({ app: fixturePath("echo-app.mjs"), workers: 2 });
    const body = randomBytes(200_000);
    const request = renderRequest({ method: "POST", path: "/upload", body });
    const bodyStart = request.length - body.length;
    // All at once (the primary reads more than the head), and with the rest right behind, while the hand-off is under way.
    for (const pieces of [[request], cutAt(request, 10, bodyStart + 100)]) {
      const connection = await RawConnection.open(host);
      for (const piece of pieces) {
        connection.send(piece);
        await new Promise((resolve) => setImmediate(resolve));
      }
      const { sha256 } = JSON.parse((await connection.readResponse()).body.toString()) as { sha256: string };
      assert.equal(sha256, createHash("sha256").update(body).digest("hex"));
      connection.destroy();
    }
  });
});
