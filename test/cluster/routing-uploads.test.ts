/** Bodies go to the worker directly: they arrive whole and never through the primary's memory. */

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { openPolling } from "../support/engine-polling.js";
import { fixturePath, startHost, type TestHost } from "../support/host.js";
import { readRssKib, watchPeakRss } from "../support/memory.js";
import { RawConnection, type RawResponse, renderRequest } from "../support/raw-http.js";

const megabyte = 1_048_576;
const bodyBytes = 5 * megabyte;
const maxGrowthKib = 16 * 1024;

interface Upload {
  readonly bytes: number;
  readonly sha256: string;
  readonly worker: number;
}

async function upload(connection: RawConnection, body: Buffer): Promise<Upload> {
  const response: RawResponse = await connection.exchange(renderRequest({ method: "POST", path: "/upload", body }));
  assert.equal(response.status, 200);
  const result = JSON.parse(response.body.toString()) as Upload;
  assert.equal(result.bytes, body.length);
  assert.equal(result.sha256, createHash("sha256").update(body).digest("hex"));
  return result;
}

describe("uploads through the application's own route", () => {
  let host: TestHost;

  before(async () => {
    host = await startHost({ app: fixturePath("echo-app.mjs"), workers: 4 });
  });

  after(async () => {
    await host[Symbol.asyncDispose]();
  });

  test("5 MB arrive whole on a new connection, and on one first used for something else", async () => {
    const connection = await RawConnection.open(host);
    await upload(connection, randomBytes(bodyBytes));
    await upload(connection, randomBytes(bodyBytes));
    connection.destroy();
    const session = await openPolling(host);
    const { worker } = await session.who();
    assert.equal((await upload(session.connection, randomBytes(bodyBytes))).worker, worker);
    assert.equal(await session.call("echo", "after"), "after");
    session.connection.destroy();
  });

  test("a chunked body arrives whole", async () => {
    const connection = await RawConnection.open(host);
    const body = randomBytes(megabyte);
    connection.send("POST /upload HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n");
    const step = 70_001;
    for (let at = 0; at < body.length; at += step) {
      const chunk = body.subarray(at, at + step);
      connection.send(`${chunk.length.toString(16)}\r\n`);
      connection.send(chunk);
      connection.send("\r\n");
    }
    connection.send("0\r\n\r\n");
    const result = JSON.parse((await connection.readResponse()).body.toString()) as Upload;
    assert.equal(result.sha256, createHash("sha256").update(body).digest("hex"));
    connection.destroy();
  });

  test("a client that asks first (Expect: 100-continue) is told to go on", async () => {
    const connection = await RawConnection.open(host);
    const body = randomBytes(100_000);
    const head = `POST /upload HTTP/1.1\r\nHost: example.test\r\nExpect: 100-continue\r\nContent-Length: ${body.length}\r\n\r\n`;
    assert.equal((await connection.exchange(head)).status, 100);
    const result = JSON.parse((await connection.exchange(body)).body.toString()) as Upload;
    assert.equal(result.sha256, createHash("sha256").update(body).digest("hex"));
    connection.destroy();
  });

  test("4 uploads of 5 MB at once, six times over, grow the primary by no more than 16 MiB", async (t) => {
    const beforeKib = readRssKib(host.pid);
    const { value: workers, peakKib } = await watchPeakRss(host.pid, async () => {
      const used = new Set<number>();
      for (let round = 0; round < 6; round++) {
        const connections = await Promise.all([1, 2, 3, 4].map(async () => await RawConnection.open(host)));
        for (const { worker } of await Promise.all(
          connections.map(async (connection) => await upload(connection, randomBytes(bodyBytes))),
        )) {
          used.add(worker);
        }
        for (const connection of connections) connection.destroy();
      }
      return used;
    });
    const growthKib = peakKib - beforeKib;
    t.diagnostic(`120 MB: primary at ${beforeKib} KiB before, ${peakKib} KiB at most, grown by ${growthKib} KiB`);
    assert.ok(workers.size > 1, "all uploads went to one worker");
    assert.ok(growthKib <= maxGrowthKib, `the primary grew by ${growthKib} KiB`);
  });
});
