import assert from "node:assert/strict";
import type { Worker } from "node:cluster";
import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import { HostMetrics } from "../../src/metrics/host-metrics.js";
import { HandOff } from "../../src/primary/hand-off.js";
import type { IncomingConnection } from "../../src/primary/listener.js";
import { listTakers, WorkerRecord } from "../../src/primary/worker-record.js";
import type { Peer } from "../../src/protocol/peer.js";

/** A client's connection that keeps what it was answered. */
class FakeSocket extends Duplex {
  answer = "";
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.answer += chunk.toString();
    done();
  }
}

interface Sent {
  readonly message: unknown;
  readonly socket: unknown;
  /** What Node calls when the worker has the handle, or cannot get it. */
  readonly acknowledge: (error: Error | null) => void;
}

/** A worker that writes down what it is sent. */
class FakeWorker {
  readonly sent: Sent[] = [];
  readonly record: WorkerRecord;

  constructor(slot: number) {
    const send = (message: unknown, socket: unknown, _options: object, acknowledge: Sent["acknowledge"]): boolean => {
      this.sent.push({ message, socket, acknowledge });
      return true;
    };
    this.record = new WorkerRecord(slot, { send, process: {} } as unknown as Worker, `/run/w${slot}.sock`, 0);
    this.record.state = "ready";
  }

  get last(): Sent {
    const last = this.sent.at(-1);
    assert.ok(last !== undefined, "nothing was sent");
    return last;
  }
}

let metrics: HostMetrics;
let handOff: HandOff;

beforeEach(() => {
  mock.timers.enable({ apis: ["setInterval", "setTimeout"] });
  metrics = new HostMetrics();
  handOff = new HandOff({ hostKey: "host", slowStartMs: 0, maxPendingConnections: 2 }, metrics);
});

afterEach(() => {
  handOff.close();
  mock.timers.reset();
});

function addWorkers(...slots: number[]): FakeWorker[] {
  const workers = slots.map((slot) => new FakeWorker(slot));
  for (const { record } of workers) handOff.addWorker(record);
  return workers;
}

function take(sid?: string, client?: Peer): FakeSocket {
  const socket = new FakeSocket();
  const connection: IncomingConnection = {
    socket: socket as unknown as Socket,
    received: Buffer.from("GET / HTTP/1.1\r\n\r\n"),
    sid,
    isHandshake: sid === undefined,
    client,
  };
  handOff.take(connection);
  return socket;
}

function sidOf(slot: number, hostKey = "host"): string {
  return `${hostKey}A${"ABCDEFGH"[slot]}0123456789abcd`;
}

test("a connection is sent with its first bytes, in the package's shape", () => {
  const [worker] = addWorkers(0);
  const socket = take();
  assert.deepEqual(worker?.last.message, { type: "sticky:connection", data: Buffer.from("GET / HTTP/1.1\r\n\r\n") });
  assert.equal(worker?.last.socket, socket);
});

test("the client that a proxy has named travels with its connection", () => {
  const [worker] = addWorkers(0);
  const client = { address: "192.0.2.7", port: 80 };
  take(undefined, client);
  const { message } = worker?.last ?? {};
  assert.deepEqual((message as { client?: unknown } | undefined)?.client, client);
});

test("a worker is sent one connection at a time, the next when it has the one before", () => {
  const [worker] = addWorkers(0);
  assert.ok(worker !== undefined);
  const sockets = [take(), take(), take()];
  assert.equal(worker.sent.length, 1);
  worker.last.acknowledge(null);
  worker.last.acknowledge(null);
  assert.deepEqual(
    worker.sent.map(({ socket }) => socket),
    sockets,
  );
});

describe("while workers are replaced", () => {
  test("new sessions go to those that stay, and requests of sessions to the worker that has them", () => {
    const [leaving, staying] = addWorkers(1, 2);
    assert.ok(leaving !== undefined && staying !== undefined);
    leaving.record.isLeaving = true;
    for (let count = 0; count < 2; count++) {
      take();
      staying.last.acknowledge(null);
    }
    assert.deepEqual([leaving.sent.length, staying.sent.length], [0, 2]);
    take(sidOf(1));
    assert.equal(leaving.sent.length, 1);
  });

  test("those that leave take new sessions after all when no other worker is ready", () => {
    const [leaving, staying] = addWorkers(1, 2);
    assert.ok(leaving !== undefined && staying !== undefined);
    leaving.record.isLeaving = true;
    staying.record.state = "ended";
    handOff.removeWorker(2);
    take();
    assert.equal(leaving.sent.length, 1);
  });

  test("those that leave take what waits for one that stays, when that one stalls", () => {
    const [leaving, staying] = addWorkers(1, 2);
    assert.ok(leaving !== undefined && staying !== undefined);
    leaving.record.isLeaving = true;
    const [, waiting] = [take(), take()];
    assert.deepEqual([leaving.sent.length, staying.sent.length], [0, 1]);
    staying.record.isStalled = true;
    assert.deepEqual(listTakers([leaving.record, staying.record]), [leaving.record, staying.record]);
    // Its silence is what the hand-off sees of it.
    staying.record.lastHeardMs = performance.now() - 60_000;
    take();
    assert.equal(leaving.sent.length, 1);
    leaving.last.acknowledge(null);
    handOff.removeWorker(2);
    leaving.last.acknowledge(null);
    assert.equal(leaving.last.socket, waiting);
  });

  test("a worker that replaces another needs no slow start", () => {
    const [fresh] = addWorkers(1);
    assert.ok(fresh !== undefined);
    fresh.record.readySinceMs = performance.now();
    assert.equal(fresh.record.describeLoad(0).readySinceMs, fresh.record.readySinceMs);
    fresh.record.isReplacement = true;
    assert.equal(fresh.record.describeLoad(0).readySinceMs, Number.NEGATIVE_INFINITY);
  });
});

describe("a session goes", () => {
  test("to the worker that its id names, and to it while it drains", () => {
    const [one, other] = addWorkers(1, 2);
    take(sidOf(2));
    assert.equal(other?.sent.length, 1);
    other.last.acknowledge(null);
    other.record.state = "draining";
    take(sidOf(2));
    assert.equal(other.sent.length, 2);
    assert.equal(one?.sent.length, 0);
  });

  for (const [what, sid] of [
    ["of a worker that is gone", sidOf(7)],
    ["of another host", sidOf(1, "else")],
    ["that no address has", "abc"],
  ] as const) {
    test(`to any worker, for an id ${what}: that one says that nobody knows it`, () => {
      const [worker] = addWorkers(1);
      take(sid);
      assert.equal(worker?.sent.length, 1);
    });
  }

  test("nowhere when no worker is ready, and is told so at once", () => {
    const socket = take(sidOf(1));
    assert.match(socket.answer, /^HTTP\/1\.1 400 .*"Session ID unknown"/s);
  });
});

describe("while no worker is ready", () => {
  test("new clients wait, in order, for the first that is", () => {
    const sockets = [take(), take()];
    assert.equal(handOff.waitingConnections, 2);
    const [worker] = addWorkers(0);
    worker?.last.acknowledge(null);
    assert.deepEqual(
      worker?.sent.map(({ socket }) => socket),
      sockets,
    );
    assert.equal(handOff.waitingConnections, 0);
  });

  test("those above the limit are refused, with when to try again", () => {
    take();
    take();
    const socket = take();
    assert.match(socket.answer, /^HTTP\/1\.1 503 .*Retry-After: 1\r\n/s);
    assert.equal(handOff.waitingConnections, 2);
  });

  test("a draining worker is none", () => {
    const [worker] = addWorkers(0);
    assert.ok(worker !== undefined);
    worker.record.state = "draining";
    take();
    assert.equal(worker.sent.length, 0);
    assert.equal(handOff.waitingConnections, 1);
  });

  test("those that wait are refused when the host ends, and so are those that come then", () => {
    const waiting = take();
    handOff.close();
    assert.match(waiting.answer, /^HTTP\/1\.1 503 /);
    assert.match(take().answer, /^HTTP\/1\.1 503 /);
  });
});

describe("while the host drains", () => {
  test("requests of sessions go to their worker, all others are refused and told to come again", () => {
    const [worker] = addWorkers(1);
    assert.ok(worker !== undefined);
    worker.record.state = "draining";
    handOff.startDraining();
    take(sidOf(1));
    assert.equal(worker.sent.length, 1);
    for (const other of [undefined, sidOf(1, "else"), "abc"]) {
      assert.match(take(other).answer, /^HTTP\/1\.1 503 [\s\S]*\r\nRetry-After: 1\r\n/);
    }
    assert.equal(worker.sent.length, 1);
  });

  test("what waits for a busy worker's channel is refused, but for requests of sessions", () => {
    const [worker] = addWorkers(1);
    assert.ok(worker !== undefined);
    const [first, handshake, request] = [take(), take(), take(sidOf(1))];
    handOff.startDraining();
    assert.match(handshake?.answer ?? "", /^HTTP\/1\.1 503 /);
    worker.last.acknowledge(null);
    assert.equal(worker.last.socket, request);
    assert.equal(first?.answer, "");
  });

  test("a session whose worker has ended is unknown at once", () => {
    const [worker] = addWorkers(1);
    assert.ok(worker !== undefined);
    worker.record.state = "draining";
    handOff.startDraining();
    handOff.removeWorker(1);
    assert.match(take(sidOf(1)).answer, /^HTTP\/1\.1 400 [\s\S]*Session ID unknown/);
  });
});

describe("what a worker had not taken when it ended", () => {
  test("goes to another", async () => {
    const [ending] = addWorkers(0);
    const sockets = [take(), take()];
    const [other] = addWorkers(1);
    handOff.removeWorker(0);
    other?.last.acknowledge(null);
    assert.deepEqual(
      other?.sent.map(({ socket }) => socket),
      sockets,
    );
    assert.equal((await metrics.readCounters())['signalbox_hand_offs_rerouted_total{reason="worker-ended"}'], 2);
    // Node reports the failed sending later: it is nobody's any more.
    ending?.last.acknowledge(new Error("channel closed"));
    assert.equal(other?.sent.length, 2);
  });

  test("waits when there is no other", () => {
    addWorkers(0);
    take();
    handOff.removeWorker(0);
    assert.equal(handOff.waitingConnections, 1);
  });
});

test("a worker that does not answer has a bounded queue: what comes beyond it is refused and counted", async () => {
  const [worker] = addWorkers(0);
  const sockets = Array.from({ length: 4 }, () => take(sidOf(0)));
  assert.equal(worker?.sent.length, 1);
  assert.deepEqual(
    sockets.map(({ answer }) => answer.split("\r\n")[0]),
    ["", "", "", "HTTP/1.1 503 Service Unavailable"],
  );
  const counters = await metrics.readCounters();
  assert.equal(counters['signalbox_connections_refused_total{reason="no-worker"}'], 1);
});
