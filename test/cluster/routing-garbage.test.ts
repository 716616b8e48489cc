/** What is not HTTP/1.1 is answered with 400 or closed at once, and counted by what it looked like. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { connect as connectTls } from "node:tls";
import { fixturePath, startHost, type TestHost } from "../support/host.js";
import { exchangeOnce, RawConnection, renderRequest } from "../support/raw-http.js";
import { timed } from "../support/stopwatch.js";

/** Meant to be at once; a loaded machine gets three seconds. */
const closeLimitMs = 3_000;

/** Random bytes that are the same in every run (xorshift32). */
function createRandomBytes(seed: number): (length: number) => Buffer {
  let state = seed;
  return (length) =>
    Buffer.from(
      Array.from({ length }, () => {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        return state & 255;
      }),
    );
}

describe("connections that do not speak HTTP/1.1", () => {
  let host: TestHost;

  before(async () => {
    host = await startHost({ app: fixturePath("echo-app.mjs") });
  });

  after(async () => {
    await host[Symbol.asyncDispose]();
  });

  async function countRefused(reason: string): Promise<number> {
    return (await host.readStatus()).counters[`signalbox_connections_refused_total{reason="${reason}"}`] ?? 0;
  }

  /** Sends bytes and resolves with what came until the close, and when that was. */
  async function provoke(bytes: string | Buffer): Promise<{ answer: string; ms: number }> {
    const connection = await RawConnection.open(host);
    connection.send(bytes);
    const { value, ms } = await timed(connection.readToEnd(), closeLimitMs, "the close");
    connection.destroy();
    return { answer: value.toString("latin1"), ms };
  }

  const cases: readonly { what: string; bytes: string | Buffer; reason: string }[] = [
    { what: "text that is no request", bytes: "hello, is anybody there?\r\n", reason: "garbage" },
    { what: "a request line without a version", bytes: "GET /\r\n\r\n", reason: "garbage" },
    { what: "a version that is not 1.x", bytes: "GET / HTTP/3.0\r\n\r\n", reason: "garbage" },
    { what: "a method that is too long", bytes: `${"G".repeat(30)} / HTTP/1.1\r\n\r\n`, reason: "garbage" },
    { what: "a beginning with a space", bytes: " GET / HTTP/1.1\r\n\r\n", reason: "garbage" },
    { what: "SSH", bytes: "SSH-2.0-OpenSSH_9.2\r\n", reason: "garbage" },
    { what: "bytes of zero", bytes: Buffer.alloc(64), reason: "garbage" },
    { what: "the HTTP/2 preface", bytes: "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", reason: "http2" },
    { what: "a TLS ClientHello's first bytes", bytes: Buffer.from("1603010200010001fc0303", "hex"), reason: "tls" },
  ];
  for (const { what, bytes, reason } of cases) {
    test(`${what}: 400 and the end at once, counted as ${reason}`, async () => {
      const before = await countRefused(reason);
      const { answer } = await provoke(bytes);
      assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
      assert.match(answer, /\r\nConnection: close\r\n/);
      assert.equal(await countRefused(reason), before + 1);
    });
  }

  test("a TLS client fails at once instead of waiting", async () => {
    const before = await countRefused("tls");
    const client = connectTls({ port: host.port, host: "127.0.0.1", rejectUnauthorized: false });
    await timed(new Promise((resolve) => client.once("error", resolve)), closeLimitMs, "the failure");
    assert.equal(await countRefused("tls"), before + 1);
  });

  for (const { what, bytes } of [
    { what: "a head whose lines end in LF alone", bytes: "GET /where HTTP/1.1\nHost: example.test\n\n" },
    {
      what: "a head whose first line ends in CRLF and the others in LF",
      bytes: "GET /where HTTP/1.1\r\nHost: a\nX: b\n\n",
    },
    {
      what: "a head with a line of LF alone before a proper end",
      bytes: "GET /where HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
    },
  ]) {
    test(`${what} is refused within a second`, async () => {
      const { answer, ms } = await provoke(bytes);
      if (answer !== "") assert.match(answer, /^HTTP\/1\.1 400 /);
      assert.ok(ms < closeLimitMs);
    });
  }

  test("200 connections of random bytes all end at once, and others are served meanwhile", async (t) => {
    const randomBytes = createRandomBytes(20_260);
    const before = (await countRefused("garbage")) + (await countRefused("tls"));
    const inputs = Array.from({ length: 200 }, (_, index) => randomBytes(1 + ((index * 37) % 600)));
    // A few may be the beginning of a method (1 byte, a letter): they may go on, so they are not refused yet.
    const isHopeless = (bytes: Buffer): boolean => !/^[\w!#$%&'*+.^`|~-]{1,24}( |$)/.test(bytes.toString("latin1"));
    const hopeless = inputs.filter(isHopeless);
    const work = Promise.all(hopeless.map(async (bytes) => await provoke(bytes)));
    const other = await timed(exchangeOnce(host, renderRequest({ path: "/where" })), closeLimitMs, "another's answer");
    assert.equal(other.value.status, 200);
    const ends = await work;
    for (const { answer } of ends) if (answer !== "") assert.match(answer, /^HTTP\/1\.1 400 /);
    assert.ok(hopeless.length > 150, `${hopeless.length} of 200 are hopeless`);
    assert.equal((await countRefused("garbage")) + (await countRefused("tls")), before + hopeless.length);
    t.diagnostic(`${hopeless.length} ended, the last after ${Math.max(...ends.map(({ ms }) => ms))} ms`);
  });

  test("garbage after a good request on a kept connection is refused by the worker", async () => {
    const connection = await RawConnection.open(host);
    assert.equal((await connection.exchange(renderRequest({ path: "/where" }))).status, 200);
    connection.send("\x00\x01\x02 what is this\r\n\r\n");
    const { value } = await timed(connection.readToEnd(), closeLimitMs, "the close");
    assert.match(value.toString("latin1"), /^HTTP\/1\.1 400 /);
    connection.destroy();
  });

  test("no worker has ended over any of this", async () => {
    assert.deepEqual(
      (await host.readStatus()).workers.map((worker) => worker.restarts),
      [0, 0],
    );
  });
});
