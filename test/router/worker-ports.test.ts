import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, mock, test } from "node:test";
import { portRefusals } from "../../src/protocol/port-refusals.js";
import type { RouterNote } from "../../src/router/router-effects.js";
import { WorkerPorts } from "../../src/router/worker-ports.js";
import { encodeBroadcast, encodeInterest } from "../support/fabric-frames.js";
import { connectAsWorker, connectRaw, type RawPort } from "../support/raw-port.js";

const outboxBytes = 1024 * 1024;
/** What the kernel keeps of a Unix socket's stream, and one write: what may be on its way beside the outbox. */
const onTheWayBytes = 1024 * 1024;

let directory = "";
let socketPath = "";
let notes: RouterNote[] = [];
let ports: WorkerPorts;
let open: RawPort[] = [];
let noteWatchers: (() => void)[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "sbx-ports-"));
  socketPath = join(directory, "router.sock");
  notes = [];
  noteWatchers = [];
  open = [];
  ports = new WorkerPorts(
    {
      hostKey: "host",
      incarnation: "incarnation1",
      outbox: { maxBytes: outboxBytes, maxVolatileBytes: outboxBytes },
      maxRoomsPerPort: 100,
      stalledAfterMs: 60_000,
      expectBackMs: 60_000,
    },
    {},
    {
      onNote: (note) => {
        notes.push(note);
        for (const watch of noteWatchers) watch();
      },
      onServerError: (error) => {
        throw error;
      },
    },
  );
});

afterEach(async () => {
  ports.close();
  await Promise.all(open.map(async (port) => await port.close()));
  rmSync(directory, { recursive: true, force: true });
});

async function joinAs(place: string): Promise<RawPort> {
  const port = await connectAsWorker(socketPath, place);
  open.push(port);
  return port;
}

async function waitForNote(type: RouterNote["type"]): Promise<void> {
  await new Promise<void>((resolve) => {
    const look = (): void => {
      if (notes.some((note) => note.type === type)) resolve();
    };
    noteWatchers.push(look);
    look();
  });
}

test("the socket is this user's alone, and takes the place of what a killed router left", async () => {
  writeFileSync(socketPath, "left behind");
  await ports.listen(socketPath);
  assert.ok(statSync(socketPath).isSocket());
  assert.equal(statSync(socketPath).mode & 0o777, 0o600);
  await joinAs("hostAA");
});

test("a place where it cannot listen is told by an error", async () => {
  mkdirSync(socketPath);
  await assert.rejects(ports.listen(socketPath));
  await assert.rejects(ports.listen(join(directory, "missing", "router.sock")), { code: /ENOENT|EACCES/ });
});

test("what comes for a worker in one turn leaves in one write", async () => {
  await ports.listen(socketPath);
  const sender = await joinAs("hostAA");
  const receiver = await joinAs("hostAB");
  await sender.waitFor("member-up");
  const frame = encodeBroadcast({ body: "x".repeat(50) });
  const last = encodeBroadcast({ body: "the last" });
  const take = mock.method(ports.core, "takeWrites");
  sender.send(...Array.from({ length: 500 }, () => frame), last);
  await receiver.waitFor("passed-on", ({ bytes }) => bytes.equals(last));
  assert.equal(receiver.heard.filter(({ type }) => type === "passed-on").length, 501);
  // One for what the kernel gave in one read; a few when it gave it in several.
  assert.ok(take.mock.callCount() <= 5, `${take.mock.callCount()} writes`);
});

test("a message finds the room that was announced before it was sent, whichever of the two is read first", async () => {
  await ports.listen(socketPath);
  const [trigger, sender, newcomer] = [await joinAs("hostAA"), await joinAs("hostAB"), await joinAs("hostAC")];
  await Promise.all(
    [trigger, sender].map(async (port) => await port.waitFor("member-up", ({ uid }) => uid.startsWith("hostAC"))),
  );
  const { core } = ports;
  const receive = core.received.bind(core);
  let chunks = 0;
  mock.method(core, "received", (id: number, chunk: Buffer, nowMs: number) => {
    // The system has said what this turn reads: the sender is among it, the newcomer is not.
    if (++chunks === 1) {
      newcomer.send(encodeInterest(1, "/", { joined: ["new"] }));
      sender.send(encodeBroadcast({ body: "to the new room", rooms: ["new"] }));
    }
    receive(id, chunk, nowMs);
  });
  const end = encodeBroadcast({ body: "the end" });
  trigger.send(encodeBroadcast({ body: "one" }));
  sender.send(encodeBroadcast({ body: "two" }));
  await newcomer.waitFor("interest-taken");
  sender.send(end);
  await newcomer.waitFor("passed-on", ({ bytes }) => bytes.equals(end));
  const passed = newcomer.heard.flatMap((heard) => (heard.type === "passed-on" ? [heard.bytes.toString()] : []));
  assert.deepEqual(
    ["one", "two", "to the new room", "the end"].map((body) => passed.findIndex((bytes) => bytes.endsWith(body))),
    [0, 1, 2, 3],
  );
});

test("a worker that says much is not read to the end before another is heard", async () => {
  await ports.listen(socketPath);
  const [much, little, receiver] = [await joinAs("hostAA"), await joinAs("hostAB"), await joinAs("hostAC")];
  /** Lengths of what is read since the first long piece, in whose turn the other worker speaks. */
  const order: number[] = [];
  const { core } = ports;
  const receive = core.received.bind(core);
  mock.method(core, "received", (id: number, chunk: Buffer, nowMs: number) => {
    if (order.length > 0 || chunk.length > 1_000) order.push(chunk.length);
    if (order.length === 1) little.send(encodeBroadcast({ body: "x" }));
    // More than a turn may take.
    const endMs = performance.now() + 15;
    while (performance.now() < endMs);
    receive(id, chunk, nowMs);
  });
  const last = encodeBroadcast({ body: "the last" });
  much.send(...Array.from({ length: 100 }, () => encodeBroadcast({ body: Buffer.alloc(10_000) })), last);
  await receiver.waitFor("passed-on", ({ bytes }) => bytes.equals(last));
  assert.ok(order.findIndex((length) => length < 1_000) <= 2, order.join(" "));
});

test("a worker that does not read costs its outbox's bound and no more, and is told what it missed", async () => {
  await ports.listen(socketPath);
  const sender = await joinAs("hostAA");
  const receiver = await joinAs("hostAB");
  await sender.waitFor("member-up");
  receiver.pause();
  const frame = encodeBroadcast({ body: Buffer.alloc(10_000) });
  const sent = 2_000;
  for (let count = 0; count < sent; count++) sender.send(frame);
  await waitForNote("overflowed");
  // What the router answers to this has gone behind all that was sent.
  sender.say({ type: "namespace-up", uid: "hostAA".padEnd(20, "2"), parserId: 0, namespace: "/other" });
  while (ports.core.counters.framesIn < sent + 5) await new Promise((resolve) => setImmediate(resolve));
  receiver.resume();
  const { frames } = await receiver.waitFor("lost");
  const received = receiver.heard.filter(({ type }) => type === "passed-on").length;
  assert.ok(received * frame.length < outboxBytes + onTheWayBytes, `${received} frames had been kept`);
  assert.ok(frames + received >= sent, `${frames} lost, ${received} received of ${sent}`);
  // After that it gets everything again.
  const next = encodeBroadcast({ body: "afterwards" });
  sender.send(next);
  await receiver.waitFor("passed-on", ({ bytes }) => bytes.equals(next));
});

test("who is refused and does not read the reason is cut off all the same", async () => {
  await ports.listen(socketPath);
  const sender = await joinAs("hostAA");
  const deaf = await joinAs("hostAB");
  await sender.waitFor("member-up");
  deaf.pause();
  for (let count = 0; count < 300; count++) sender.send(encodeBroadcast({ body: Buffer.alloc(10_000) }));
  await waitForNote("overflowed");
  deaf.send(Buffer.alloc(6, 255));
  await waitForNote("refused");
  await deaf.closedByPeer();
});

test("a refusal reaches who goes on talking", async () => {
  await ports.listen(socketPath);
  const port = await connectRaw(socketPath);
  open.push(port);
  port.send(Buffer.alloc(6, 255));
  for (let count = 0; count < 100; count++) port.send(Buffer.alloc(10_000, 255));
  assert.equal((await port.waitFor("refused")).code, portRefusals.badFrame.code);
  await port.closed;
});
