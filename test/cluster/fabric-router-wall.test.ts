/** The router's socket is for the workers of its host, and who says something else there is refused and disturbs nobody. */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { statSync } from "node:fs";
import { dirname } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Socket } from "socket.io-client";
import { encodePlace } from "../../src/address/address.js";
import { frameKinds, protocolVersion } from "../../src/protocol/frame.js";
import { type PortRefusal, portRefusals } from "../../src/protocol/port-refusals.js";
import { encodeRouterToWorker, encodeWorkerToRouter } from "../../src/protocol/worker-port-frames.js";
import type { TestHost } from "../support/host.js";
import { connectAsWorker, connectRaw } from "../support/raw-port.js";
import {
  connectToEachWorker,
  findRouterSocket,
  readRouter,
  sendAcross,
  startRoutedHost,
} from "../support/routed-host.js";

test("the socket is this user's alone (0600), in a directory that is too (0700), whatever the umask", async () => {
  const before = process.umask(0);
  try {
    await using host = await startRoutedHost({ workers: 1 });
    const path = findRouterSocket(host);
    assert.equal(statSync(dirname(path)).mode & 0o777, 0o700);
    assert.equal(statSync(path).mode & 0o777, 0o600);
    assert.ok(statSync(path).isSocket());
  } finally {
    process.umask(before);
  }
});

describe("what is not a worker of this host and version", () => {
  const workers = 2;
  let host: TestHost;
  let clients: Socket[];
  let socketPath = "";
  let hostKey = "";
  let routerPid = 0;

  before(async () => {
    host = await startRoutedHost({ workers });
    socketPath = findRouterSocket(host);
    ({ hostKey } = await host.readStatus());
    routerPid = (await readRouter(host)).pid ?? 0;
    clients = await connectToEachWorker(host, workers);
  });

  after(async () => {
    for (const client of clients) client.disconnect();
    await host[Symbol.asyncDispose]();
  });

  /** The host's own workers are where they were, and reach each other. */
  async function assertUndisturbed(value: string): Promise<void> {
    const [one, other] = clients as [Socket, Socket];
    await sendAcross(one, other, "room", `${value} there`);
    await sendAcross(other, one, "room", `${value} back`);
    const { pid, restarts } = await readRouter(host);
    assert.deepEqual([pid, restarts], [routerPid, 0]);
  }

  const helloOf = (place: string, version = protocolVersion): Buffer =>
    encodeWorkerToRouter({ type: "hello", version, place, workerId: "w".repeat(20) });
  /** A slot of this host that none of its workers has. */
  const freePlace = (slot: number): string => encodePlace({ hostKey, workerSlot: 100 + slot });
  const noise = randomBytes(4_096);
  // As a length, 4 GB: random bytes are rarely a length that is allowed, and then the rest of that frame is waited for.
  noise[0] = 0xff;
  const frameOf = (kind: number): Buffer => Buffer.from([0, 0, 0, 3, kind, 0, 7]);

  const cases: [string, PortRefusal, RegExp, () => Uint8Array[]][] = [
    ["random bytes", "badFrame", /a frame of \d{10} bytes; the limit is/, () => [noise]],
    [
      "a browser",
      "badFrame",
      /a frame of \d{10} bytes/,
      () => [Buffer.from("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")],
    ],
    ["a frame of 4 GB", "badFrame", /a frame of 4294967299 bytes/, () => [Buffer.from([255, 255, 255, 255])]],
    ["a frame without a kind", "badFrame", /a frame of 4 bytes/, () => [Buffer.alloc(4)]],
    ["a hello that is cut short", "badFrame", /./, () => [frameOf(frameKinds.hello)]],
    ["an unknown version", "unknownVersion", /version 999 .*known: 1/, () => [helloOf(freePlace(1), 999)]],
    ["a wrong host key", "notExpected", /the place \?\?\?\?AA is not of this host/, () => [helloOf("????AA")]],
    ["a frame before hello", "notExpected", /the first frame is not a hello/, () => [frameOf(frameKinds.broadcast)]],
    [
      "a router",
      "badFrame",
      /a kind that a worker does not send/,
      () => [helloOf(freePlace(2)), encodeRouterToWorker({ type: "ping", token: 1 })],
    ],
    ["a second hello", "badFrame", /a kind that/, () => [helloOf(freePlace(3)), helloOf(freePlace(3))]],
    ["noise after hello", "badFrame", /a frame of \d{10} bytes/, () => [helloOf(freePlace(4)), noise]],
  ];
  const said = new Set<PortRefusal>();
  for (const [what, refusal, reason, makeChunks] of cases) {
    test(`${what}: refused with its code, counted, logged, and nobody is disturbed`, async () => {
      const refusalsBefore = (await host.readStatus()).counters.signalbox_router_refusals_total ?? 0;
      const port = await connectRaw(socketPath);
      port.send(...makeChunks());
      const refused = await port.waitFor("refused");
      assert.equal(refused.code, portRefusals[refusal].code);
      assert.match(refused.reason, reason);
      await port.closed;
      // Of the same kind, one line in ten seconds is enough: the first of each is looked for.
      if (!said.has(refusal)) {
        said.add(refusal);
        const line = await host.waitForLog(
          ({ router, msg }) => router === true && msg.includes(`(${refusal}): ${refused.reason}`),
          "the line about it",
        );
        assert.equal(line.level, 40);
        assert.equal(line.pid, routerPid);
      }
      await host.waitForStatus(
        ({ counters }) => (counters.signalbox_router_refusals_total ?? 0) === refusalsBefore + 1,
        "the count",
      );
      await assertUndisturbed(what);
    });
  }

  test("a frame that is promised and never comes holds up nobody, and goes with its connection", async () => {
    const port = await connectRaw(socketPath);
    port.send(helloOf(freePlace(5)));
    await port.waitFor("welcome");
    const head = Buffer.alloc(6);
    head.writeUInt32BE(60 * 1024 * 1024);
    head[4] = frameKinds.broadcast;
    port.send(head);
    await assertUndisturbed("while it waits");
    await port.close();
    await host.waitForLog(({ msg }) => msg.startsWith("worker 105 has left the router"), "its end");
    await assertUndisturbed("afterwards");
  });

  test("a hundred connections that come and go leave nothing", async () => {
    const ports = await Promise.all(Array.from({ length: 100 }, async () => await connectRaw(socketPath)));
    await assertUndisturbed("with them");
    await Promise.all(ports.map(async (port) => await port.close()));
    await assertUndisturbed("without them");
    await host.waitForStatus(({ router }) => Object.keys(router?.queuedBytes ?? {}).length === workers, "two ports");
  });

  test("a second connection for a worker's place takes it, and the worker's own comes back", async () => {
    const place = encodePlace({ hostKey, workerSlot: 0 });
    const port = await connectAsWorker(socketPath, place);
    await host.waitForLog(
      ({ msg }) => msg.includes("worker 0 (replaced): another connection has taken this place"),
      "the line about the first",
    );
    // The worker tries again after a while, and takes its place back in the same way.
    const refused = await port.waitFor("refused");
    assert.equal(refused.code, portRefusals.replaced.code);
    await port.closed;
    await assertUndisturbed("afterwards");
  });
});
