/** Who knocks at a host's link socket without the secret, or talks nonsense: refused with the stated code, counted, and nobody else notices. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { after, before, describe, test } from "node:test";
import WebSocket from "ws";
import { type LinkClosure, linkClosures } from "../../src/protocol/link-closures.js";
import { encodeLinkHandshake } from "../../src/protocol/link-handshake.js";
import { encodeRouterToRouter } from "../../src/protocol/router-frames.js";
import { fetchText } from "../support/host.js";
import { LightSocket } from "../support/light-socket.js";
import { expectClosed, knock, shakeHands, stranger } from "../support/link-knock.js";
import { linkSecret, RegionFleet } from "../support/region-fleet.js";

const isFull = process.env["TEST_SIZE"] === "full";
const garbageConnections = isFull ? 10_000 : 300;
/** RFC 6455, 7.4.1. */
const messageTooBig = 1009;
const nonce = Buffer.alloc(32, 7);
const wrongSecret = "not-the-secret-of-these-regions-at-all";

describe("the link socket of a host", { timeout: 120_000 }, () => {
  let fleet: RegionFleet;
  let socketPath: string;
  let refusals = 0;

  before(async () => {
    fleet = await RegionFleet.start({ regions: { eu: 1, us: 1 } });
    socketPath = fleet.linkSocket("us", 0);
  });

  after(async () => {
    await fleet?.[Symbol.asyncDispose]();
  });

  /** Resolves when the host has closed it with this code, which counts as a refusal. */
  async function expectRefused(socket: WebSocket, code: number): Promise<void> {
    await expectClosed(socket, code);
    refusals++;
  }

  const hello = (change: object): Buffer =>
    encodeLinkHandshake({ type: "hello", version: 1, ...stranger, nonce, ...change } as never);

  const beforeProof: readonly [what: string, said: Buffer | string, LinkClosure][] = [
    ["garbage", Buffer.from("what is this, then?"), "badMessage"],
    ["text", "hello", "badMessage"],
    ["an empty message", Buffer.alloc(0), "badMessage"],
    ["a message that is too long for a handshake", Buffer.alloc(5_000), "badMessage"],
    ["an old version", hello({ version: 0 }), "unknownVersion"],
    ["a version of later", hello({ version: 2 }), "unknownVersion"],
    ["the region of the host itself", hello({ region: "us" }), "notExpected"],
    ["the host's own key", hello({ hostKey: "us-0" }), "notExpected"],
    ["a proof before anything else", encodeLinkHandshake({ type: "proof", mac: nonce }), "badMessage"],
    ["a message of a link", encodeRouterToRouter({ type: "link-resume", acked: 0, lost: 0 }), "badMessage"],
  ];
  for (const [what, said, closure] of beforeProof) {
    test(`${what} instead of a hello is closed with ${linkClosures[closure].code}`, async () => {
      const socket = await knock(socketPath);
      socket.send(said);
      await expectRefused(socket, linkClosures[closure].code);
    });
  }

  test("a message that is too long for a link is closed with 1009 before anything is proven", async () => {
    const socket = await knock(socketPath);
    socket.send(Buffer.alloc(600_000));
    await expectRefused(socket, messageTooBig);
  });

  test("a wrong secret is closed with 4002", async () => {
    const { code } = await shakeHands(socketPath, "us", wrongSecret);
    assert.equal(code, linkClosures.notProven.code);
    refusals++;
  });

  test("a recorded handshake, said again, is closed with 4002", async () => {
    const spoken: Buffer[] = [];
    const { socket: first } = await shakeHands(socketPath, "us", linkSecret, {}, spoken);
    const second = await knock(socketPath);
    second.send(spoken[0] as Buffer);
    await once(second, "message");
    second.send(spoken[1] as Buffer);
    await expectRefused(second, linkClosures.notProven.code);
    first.close();
    await once(first, "close");
  });

  const resume = encodeRouterToRouter({ type: "link-resume", acked: 0, lost: 0 });
  const afterProof: readonly [what: string, said: readonly (Buffer | string)[], code: number][] = [
    ["a datagram before it is said where it goes on", [Buffer.alloc(80, 1)], linkClosures.badMessage.code],
    ["a malformed datagram", [resume, Buffer.alloc(80, 1)], linkClosures.badMessage.code],
    ["a malformed message", [resume, Buffer.from([0, 0, 0, 9, 67, 0])], linkClosures.badMessage.code],
    ["text", ["text"], linkClosures.badMessage.code],
    ["an oversized message", [Buffer.alloc(600_000)], messageTooBig],
  ];
  for (const [what, said, code] of afterProof) {
    test(`${what} on a link that has proven itself is closed with ${code}`, async () => {
      const { socket } = await shakeHands(socketPath, "us", linkSecret);
      for (const each of said) socket.send(each);
      await expectRefused(socket, code);
    });
  }

  test("after ten failures of one address it is told to wait, and others are not", async () => {
    for (let left = 10; left > 0; left--) {
      const socket = await knock(socketPath, "10.9.9.9");
      socket.send("no");
      await expectRefused(socket, linkClosures.badMessage.code);
    }
    const refused = new WebSocket(`ws+unix:${socketPath}:/`, { headers: { "x-forwarded-for": "10.9.9.9" } });
    refused.on("error", () => {});
    const [, response] = (await once(refused, "unexpected-response")) as [unknown, { statusCode: number }];
    assert.equal(response.statusCode, 429);
    refusals++;
    const { socket, isLinked } = await shakeHands(socketPath, "us", linkSecret);
    assert.ok(isLinked);
    socket.terminate();
  });

  test(`${garbageConnections} connections of garbage change nothing for the link that there is`, async () => {
    const noise = Buffer.from("\x16\x03\x01 no request of any kind \r\n\r\n");
    for (let left = garbageConnections; left > 0; ) {
      const batch = Math.min(left, 50);
      left -= batch;
      await Promise.all(
        Array.from({ length: batch }, async () => {
          const socket = connect(socketPath);
          socket.on("error", () => {});
          socket.end(noise);
          socket.resume();
          await once(socket, "close");
        }),
      );
    }
    refusals += garbageConnections;
    const eu = await LightSocket.open(fleet.host("eu", 0));
    const us = await LightSocket.open(fleet.host("us", 0));
    const said = once(us, "said");
    eu.emitTo("emit", [], "still here");
    assert.deepEqual(await said, ["still here"]);
    eu.close();
    us.close();
    const { links } = await fleet.host("eu", 0).readStatus();
    assert.equal(links?.regions[0]?.isLinked, true);
    assert.equal(fleet.host("eu", 0).log.filter(({ msg }) => /no link to region us any more/.test(msg)).length, 0);
  });

  test("all of it is counted, and no log holds a secret", async () => {
    for (const deadlineMs = performance.now() + 10_000; ; ) {
      const { body } = await fetchText(`http://127.0.0.1:${fleet.host("us", 0).adminPort}/metrics`);
      const counted = Number(/^signalbox_link_refusals_total (\d+)/m.exec(body)?.[1]);
      const isLate = performance.now() > deadlineMs;
      assert.ok(counted <= refusals && !isLate, `${counted} counted, and ${refusals} were refused`);
      if (counted === refusals) break;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const log = fleet.hosts.map(({ host }) => `${JSON.stringify(host.log)}${host.stderr}`).join();
    assert.match(log, /a link was refused \(4002, notProven\)/);
    for (const secret of [linkSecret, wrongSecret]) assert.ok(!log.includes(secret));
  });
});
