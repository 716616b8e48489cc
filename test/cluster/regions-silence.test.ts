/** Who holds a link, or the way to one, without saying or reading anything: closed in its stated time, counted, and nobody else waits. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { type WebSocket, WebSocketServer } from "ws";
import { linkClosures } from "../../src/protocol/link-closures.js";
import { type LinkIdentity, nonceBytes } from "../../src/protocol/link-handshake.js";
import { AcceptorHandshake } from "../../src/router/region-link/handshake.js";
import { createLinkProver } from "../../src/router/region-link/link-prover.js";
import { runCli } from "../support/cli-process.js";
import { fetchText, fixturePath, pause, startHost, type TestHost } from "../support/host.js";
import { LightSocket } from "../support/light-socket.js";
import { expectClosed, knock, shakeHands, stranger } from "../support/link-knock.js";
import { linkSecret } from "../support/region-fleet.js";

const isFull = process.env["TEST_SIZE"] === "full";
/** To say who one is. */
const handshakeMs = 5_000;
const unreachableAfterMs = 3_000;
/** The host looks once a second; a loaded machine gets some more. */
const graceMs = 10_000;
/** Of pino. */
const warnLevel = 40;
const maxOutboxBytes = 1024 * 1024;
const messages = 60;
const payload = "x".repeat(100_000);

describe("who says nothing, or does not read", { concurrency: true, timeout: 120_000 }, () => {
  let directory: string;
  let us: TestHost;
  let eu: TestHost;
  let sleeper: Sleeper;
  let socketPath: string;
  let latePath: string;

  before(async () => {
    directory = mkdtempSync(join(tmpdir(), "sbx-silence-"));
    socketPath = join(directory, "us.sock");
    latePath = join(directory, "sa.sock");
    sleeper = await Sleeper.start(join(directory, "ap.sock"), stranger);
    const app = fixturePath("hosts/hosts-app.mjs");
    const start = async (region: string, env: Readonly<Record<string, string>>): Promise<TestHost> => {
      const own = { SIGNALBOX_REGION: region, SIGNALBOX_HOST_KEY: `${region}-0`, SIGNALBOX_LINK_SECRETS: linkSecret };
      return await startHost({ app, workers: 1, env: { ...own, ...env } });
    };
    [us, eu] = await Promise.all([
      start("us", { SIGNALBOX_LINK_LISTEN: socketPath }),
      start("eu", {
        SIGNALBOX_LINKS: Object.entries({ us: socketPath, ap: sleeper.socketPath, sa: latePath })
          .map(([region, path]) => `${region}=ws+unix:${path}:/signalbox/link`)
          .join(","),
        SIGNALBOX_MAX_HOST_OUTBOX_BYTES: String(maxOutboxBytes),
      }),
    ]);
    await eu.waitForStatus(({ links }) => links?.regions[0]?.isLinked === true, "the link to us");
  });

  after(async () => {
    await Promise.allSettled([us, eu].map(async (host) => await host?.[Symbol.asyncDispose]()));
    sleeper?.close();
    rmSync(directory, { recursive: true, force: true });
  });

  async function closesAfter(ms: number, closed: Promise<unknown>, what: string): Promise<void> {
    const startedMs = performance.now();
    await closed;
    const tookMs = performance.now() - startedMs;
    assert.ok(tookMs > ms - 100 && tookMs < ms + graceMs, `${what} was closed after ${Math.round(tookMs)} ms`);
  }

  function open(): { socket: Socket; closed: Promise<unknown> } {
    const socket = connect(socketPath);
    socket.on("error", () => {});
    socket.resume();
    // Not `once` of events: what is written in the moment when it closes is no fault.
    return { socket, closed: new Promise((resolve) => socket.once("close", resolve)) };
  }

  test("a connection on which nothing is said is closed after 5 s", async () => {
    await closesAfter(handshakeMs, open().closed, "the silent connection");
  });

  test("an endless head of a request, a line at a time, is closed after 5 s", async () => {
    const { socket, closed } = open();
    socket.write("GET /signalbox/link HTTP/1.1\r\nHost: example.test\r\n");
    const timer = setInterval(() => socket.write("X-More: to come\r\n"), 100);
    await closesAfter(handshakeMs, closed, "the endless head").finally(() => clearInterval(timer));
  });

  test("a WebSocket without a hello is closed with 4005 after 5 s", async () => {
    const socket = await knock(socketPath);
    await closesAfter(handshakeMs, expectClosed(socket, linkClosures.handshakeTimeout.code), "the silent WebSocket");
  });

  test("a WebSocket on which pings come and nothing else is closed with 4005 after 5 s", async () => {
    const socket = await knock(socketPath);
    const timer = setInterval(() => socket.ping(), 100);
    const closed = expectClosed(socket, linkClosures.handshakeTimeout.code);
    await closesAfter(handshakeMs, closed, "the pinging WebSocket").finally(() => clearInterval(timer));
  });

  test("who has proven itself and then neither speaks nor reads is closed with 4008", async () => {
    const { socket } = await shakeHands(socketPath, "us", linkSecret, { region: "sa", incarnation: "0.sa" });
    socket.pause();
    await closesAfter(unreachableAfterMs, readEnd(us, "sa", /nothing was heard of it/), "the link");
    // What was said before is still there to be read.
    const closed = expectClosed(socket, linkClosures.silent.code);
    socket.resume();
    await closed;
  });

  // Nearly all of its 16 s are waiting.
  if (isFull) {
    test("who has proven itself, speaks, and does not read is closed as silent", async () => {
      const { socket } = await shakeHands(socketPath, "us", linkSecret, { region: "af", incarnation: "0.af" });
      socket.pause();
      // A ping after the end makes the system forget what was there to be read: the code is read by the test before.
      socket.on("error", () => {});
      const timer = setInterval(() => socket.ping(), 500);
      const ended = readEnd(us, "af", /it does not read what is sent to it/);
      await closesAfter(15_000, ended, "the link").finally(() => clearInterval(timer));
      socket.terminate();
    });
  }

  test("pings without an end, whose answers are not read, end the link", async () => {
    const { socket } = await shakeHands(socketPath, "us", linkSecret, { region: "au", incarnation: "0.au" });
    socket.pause();
    socket.on("error", () => {});
    const ended = readEnd(us, "au", /the connection was closed/);
    const ping = Buffer.alloc(125);
    const timer = setInterval(() => {
      for (let left = 1_000; left > 0; left--) socket.ping(ping);
    }, 10);
    await ended.finally(() => clearInterval(timer));
    socket.terminate();
  });

  test("a region that is not there at the start is told of once, with the reason, and when it is there", async () => {
    const missing = /^no link to region sa for \d+ s, since the start \(connect ENOENT/;
    const { level } = await eu.waitForLog(({ msg }) => missing.test(msg), "the missing region");
    assert.equal(level, warnLevel);
    const { stdout } = await runCli(["status"], { SIGNALBOX_RUNTIME_DIR: eu.runtimeDir });
    assert.match(stdout, /region sa: no link for \d+ s \(connect ENOENT/);
    assert.equal((await fetchText(`http://127.0.0.1:${eu.adminPort}/readyz`)).status, 200);
    const late = await Sleeper.start(latePath, { region: "sa", hostKey: "yyyy", incarnation: "0.late" });
    const there = /^there is a link to region sa \(host yyyy\), after \d+ s without$/;
    await eu.waitForLog(({ msg }) => there.test(msg), "the region that was missing");
    late.close();
    assert.equal(eu.log.filter(({ msg }) => missing.test(msg)).length, 1);
    const atOnce = eu.log.filter(
      (record) => record.msg.startsWith("no link to region sa (") && record.level >= warnLevel,
    );
    assert.deepEqual(atOnce, []);
  });

  test("of what waits for a region that does not read no more than the outbox is kept, and others get theirs", async () => {
    await eu.waitForStatus(({ links }) => links?.regions[1]?.isLinked === true, "the link to who does not read");
    const [from, to] = await Promise.all([LightSocket.open(eu), LightSocket.open(us)]);
    for (let number = 1; number <= messages; number++) {
      const said = once(to, "said");
      from.emitTo("emit", [], "long", number, payload);
      const [, heard] = await said;
      assert.equal(heard, number);
      const { links } = await eu.readStatus();
      for (const { region, queuedBytes } of links?.regions ?? []) {
        assert.ok(queuedBytes <= maxOutboxBytes + payload.length, `${queuedBytes} bytes wait for ${region}`);
      }
    }
    from.close();
    to.close();
    await eu.waitForLog(
      ({ msg }) => /^no link to region ap any more \((nothing was heard of it|it does not read)/.test(msg),
      "the end of the link that is not read",
    );
    assert.equal(eu.log.filter(({ msg }) => msg.startsWith("no link to region us any more")).length, 0);
    assert.equal((await eu.readStatus()).links?.regions[0]?.isLinked, true);
    for (const name of ["given_up_frames_total", "silences_total"]) await waitUntilCounted(eu, name);
  });
});

/** Resolves when the host has said that the link of that region has ended, and why. */
async function readEnd(host: TestHost, region: string, reason: RegExp): Promise<void> {
  const start = `a link of region ${region} has ended`;
  const { msg } = await host.waitForLog((record) => record.msg.startsWith(start), start);
  assert.match(msg, reason);
}

/** The metrics are a second old at most. */
async function waitUntilCounted(host: TestHost, name: string): Promise<void> {
  const counted = new RegExp(`^signalbox_link_${name} [1-9]`, "m");
  for (const deadlineMs = performance.now() + graceMs; ; await pause(50)) {
    const { body } = await fetchText(`http://127.0.0.1:${host.adminPort}/metrics`);
    if (counted.test(body)) return;
    assert.ok(performance.now() < deadlineMs, `${name} is not counted`);
  }
}

/** A region that takes links, proves who it is, and then does nothing any more. */
class Sleeper {
  readonly socketPath: string;
  readonly #server = createServer();
  readonly #sockets: WebSocket[] = [];

  readonly #self: LinkIdentity;

  private constructor(socketPath: string, self: LinkIdentity) {
    this.socketPath = socketPath;
    this.#self = self;
    const server = new WebSocketServer({ server: this.#server, perMessageDeflate: false });
    server.on("connection", (socket) => this.#sleep(socket));
  }

  static async start(socketPath: string, self: LinkIdentity): Promise<Sleeper> {
    const sleeper = new Sleeper(socketPath, self);
    sleeper.#server.listen(socketPath);
    await once(sleeper.#server, "listening");
    return sleeper;
  }

  #sleep(socket: WebSocket): void {
    this.#sockets.push(socket);
    socket.on("error", () => {});
    const handshake = new AcceptorHandshake(this.#self, randomBytes(nonceBytes), createLinkProver([linkSecret]));
    socket.on("message", (data: Buffer) => {
      const step = handshake.take(data);
      if (step.type !== "refuse" && step.bytes !== undefined) socket.send(step.bytes);
      if (step.type === "linked") socket.pause();
    });
  }

  close(): void {
    for (const socket of this.#sockets) socket.terminate();
    this.#server.close();
  }
}
