/** What waits for a router that is gone waits for the next one: not a frame goes into a connection that has ended. */

import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, test } from "node:test";
import { frameKinds } from "../../../src/protocol/frame.js";
import { FrameSplitter } from "../../../src/protocol/frame-splitter.js";
import { encodeRouterToWorker, readFrameKind } from "../../../src/protocol/worker-port-frames.js";
import { HostSession } from "../../../src/worker/fabric/host-session.js";
import { RouterChannel } from "../../../src/worker/fabric/router-channel.js";
import { encodeBroadcast } from "../../support/fabric-frames.js";
import { ownPlace, uidOf } from "../../support/session-harness.js";

const frame = encodeBroadcast({ body: Buffer.alloc(1_000) });
const frameCount = 5_000;
const unreachableAfterMs = 200;

/** A session and its channel, as the fabric joins them. */
function openChannel(
  socketPath: string,
  onWelcome: () => void,
  onUnreachable: (socketPath: string, error: Error) => void = () => {},
): { session: HostSession; channel: RouterChannel } {
  const session: HostSession = new HostSession(
    {
      workerId: uidOf(ownPlace, "worker"),
      outbox: { maxBytes: 64 * 1024 * 1024, maxVolatileBytes: 0 },
      leaveCooldownMs: 1_000,
      maxRooms: 1_000,
      joinLimitMs: 1_000,
    },
    {
      wake: () => channel.wake(),
      schedule: () => {},
      raise: (error) => assert.fail(String(error)),
      refused: () => {},
      note: (note) => {
        if (note.type === "welcome") onWelcome();
      },
    },
  );
  const channel: RouterChannel = new RouterChannel(
    session,
    ownPlace,
    socketPath,
    { onLost: () => {}, onUnreachable },
    unreachableAfterMs,
  );
  channel.open();
  return { session, channel };
}

/** Says welcome to whoever comes, and hands the connection over. */
function listen(socketPath: string, onConnection: (socket: Socket) => void): Server {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", () => {
      socket.write(encodeRouterToWorker({ type: "welcome", version: 1, incarnation: "router" }));
    });
    onConnection(socket);
  });
  return server.listen(socketPath);
}

describe("the connection to a router that ends while much waits for it", { timeout: 20_000 }, () => {
  test("only what was being written is lost: the rest is the next router's", async (t) => {
    const directory = mkdtempSync(path.join(tmpdir(), "channel-"));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const socketPath = path.join(directory, "router.sock");

    const events = new EventEmitter();
    let connection: Socket | undefined;
    const former = listen(socketPath, (socket) => {
      connection = socket;
    });
    const { session, channel } = openChannel(socketPath, () => events.emit("welcome"));
    t.after(() => channel.close());
    await once(events, "welcome");
    // It reads no more, as a router does that is about to be killed.
    connection?.pause();
    for (let count = 0; count < frameCount; count++) session.send(frame);
    await new Promise((resolve) => setImmediate(resolve));
    const waiting = session.queuedBytes;
    assert.ok(waiting > 0.8 * frameCount * frame.length, `${waiting} bytes wait`);

    former.close();
    connection?.destroy();
    let received = 0;
    const arrived = once(events, "arrived");
    const next = listen(socketPath, (socket) => {
      const splitter = new FrameSplitter((bytes, start) => {
        if (readFrameKind(bytes, start) !== frameKinds.broadcast) return;
        if (++received === Math.floor(waiting / frame.length)) events.emit("arrived");
      });
      socket.on("data", (chunk) => splitter.push(chunk));
    });
    t.after(() => next.close());
    await arrived;
    assert.equal(session.queuedBytes, 0);
  });
});

test("a router that cannot be reached for some time is told of once, until it could be", {
  timeout: 30_000,
}, async (t) => {
  const directory = mkdtempSync(path.join(tmpdir(), "channel-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const socketPath = path.join(directory, "router.sock");
  const events = new EventEmitter();
  const told: [string, string | undefined][] = [];
  // A worker's own handles keep it running, never the channel's.
  const keptRunning = setInterval(() => {}, 1_000);
  t.after(() => clearInterval(keptRunning));
  const startedMs = performance.now();
  const { channel } = openChannel(
    socketPath,
    () => events.emit("welcome"),
    (where, error: NodeJS.ErrnoException) => {
      told.push([where, error.code]);
      events.emit("told");
    },
  );
  t.after(() => channel.close());
  await once(events, "told");
  assert.ok(performance.now() - startedMs >= unreachableAfterMs);
  // Some more attempts: there is one every 25 ms.
  await new Promise((resolve) => setTimeout(resolve, 250));
  assert.deepEqual(told, [[socketPath, "ENOENT"]]);

  let connection: Socket | undefined;
  const router = listen(socketPath, (socket) => {
    connection = socket;
  });
  await once(events, "welcome");
  const lostMs = performance.now();
  router.close();
  connection?.destroy();
  await once(events, "told");
  assert.ok(performance.now() - lostMs >= unreachableAfterMs, "the time counts from anew");
  assert.equal(told.length, 2);
});
