/** What came over a link is acknowledged when everybody it went to has taken it, or is not waited for. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { LinkSession } from "../../../src/link/link-session.js";
import type { HostPort } from "../../../src/router/host-bus/host-port.js";
import { Port } from "../../../src/router/port.js";
import { AckGate } from "../../../src/router/region-link/ack-gate.js";

const frame = Buffer.from([0, 0, 0, 6, 32, 0, 1, 2, 3, 4]);
const isThere = (): boolean => true;

function createPort(): Port {
  return new Port("hostAA", { maxBytes: 100_000, maxVolatileBytes: 1_000 });
}

function send(port: Port): void {
  port.outbox.push(frame, 0, frame.length, false);
}

/** As the router's core does it. */
function take(port: Port): void {
  port.outbox.take(1_000_000);
  port.takenBytes = port.outbox.passedBytes;
}

function createHost(): HostPort {
  const session = new LinkSession(
    {
      incarnation: "a",
      peerIncarnation: "b",
      maxBytes: 10_000,
      maxAgeMs: 1_000,
      maxInFlightBytes: 10_000,
      maxDatagramBytes: 1_000,
      resendMs: 100,
      maxResendMs: 100,
      ackDelayMs: 1,
    },
    { onFrame: () => {}, onLost: () => {} },
  );
  return { isWorker: false, isReachable: true, session } as unknown as HostPort;
}

test("a worker has taken a frame when it is written, and not when it is being written", () => {
  const gate = new AckGate();
  const port = createPort();
  send(port);
  gate.note([port], []);
  gate.seal(1);
  assert.equal(gate.advance(isThere), 0);
  take(port);
  assert.equal(gate.advance(isThere), 0);
  port.writtenBytes = port.takenBytes;
  assert.equal(gate.advance(isThere), 1);
  assert.ok(gate.isEmpty);
});

test("what comes later does not hold up what came before", () => {
  const gate = new AckGate();
  const port = createPort();
  for (const sequence of [1, 2]) {
    send(port);
    gate.note([port], []);
    gate.seal(sequence);
    if (sequence === 1) take(port);
  }
  port.writtenBytes = port.takenBytes;
  assert.equal(gate.advance(isThere), 1);
});

test("a worker that has ended is not waited for, nor what went to nobody", () => {
  const gate = new AckGate();
  const port = createPort();
  gate.seal(3);
  assert.equal(gate.advance(isThere), 3);
  send(port);
  gate.note([port], []);
  gate.seal(4);
  // To nobody: waits for those before.
  gate.seal(5);
  assert.equal(gate.advance(isThere), 0);
  assert.equal(
    gate.advance(() => false),
    5,
  );
});

test("another host is waited for until its session has taken the frame, it cannot be reached, or its next router has all", () => {
  const gate = new AckGate();
  const host = createHost();
  host.session.push(frame, false, 0);
  gate.note([], [host]);
  gate.seal(1);
  assert.equal(gate.advance(isThere), 0);
  const former = host.session;
  host.session = createHost().session;
  former.moveTo(host.session, () => true);
  assert.equal(gate.advance(isThere), 0, "the successor has it, and has not sent it");
  host.isReachable = false;
  assert.equal(gate.advance(isThere), 1);
});

test("what a host that cannot be reached was not waited for is known until it has taken it, and is told once", () => {
  const gate = new AckGate();
  const [late, quick] = [createHost(), createHost()];
  for (const host of [late, quick]) {
    host.isReachable = false;
    host.session.push(frame, false, 0);
  }
  gate.note([], [late, quick]);
  gate.seal(1);
  assert.equal(gate.advance(isThere), 1);
  quick.session.giveUpAll();
  assert.deepEqual(gate.takeKept(isThere), [late]);
  assert.deepEqual(gate.takeKept(isThere), []);
});
