/** When frames go out: at once on a quiet bus, together on a busy one. */

import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { LinkSession } from "../../../src/link/link-session.js";
import { isBusMessage } from "../../../src/protocol/bus-messages.js";
import { decodeDatagram } from "../../../src/protocol/link-datagram.js";
import { AnnouncementWriter } from "../../../src/router/host-bus/announcement-writer.js";
import { emptyBusCounters } from "../../../src/router/host-bus/bus-effects.js";
import { BusSpeaker } from "../../../src/router/host-bus/bus-speaker.js";
import { HostPort } from "../../../src/router/host-bus/host-port.js";
import { HostView } from "../../../src/router/host-bus/host-view.js";
import { SnapshotServer } from "../../../src/router/host-bus/snapshot-server.js";
import { makeFrame, testLimits } from "../../support/link-history.js";

const own = { hostKey: "own-", incarnation: "a", instance: "i" };
const fullDatagramBytes = 1_000;

describe("what waits to be said", () => {
  let said: Buffer[];
  let arrived: number;
  let isFull: boolean;
  let host: HostPort;
  let speaker: BusSpeaker;
  let nowMs: number;

  beforeEach(() => {
    said = [];
    arrived = Number.POSITIVE_INFINITY;
    isFull = false;
    nowMs = 1_000;
    const session = new LinkSession(
      {
        ...testLimits,
        maxBytes: 100_000,
        maxInFlightBytes: 50_000,
        maxDatagramBytes: 5_000,
        incarnation: "a",
        peerIncarnation: "b",
      },
      { onFrame: () => assert.fail("nobody sends here"), onLost: () => {} },
    );
    session.noteCarrier(true, nowMs);
    const nothing = (): void => {};
    const view = new HostView(
      "far-",
      {
        setRoom: nothing,
        forgetRooms: nothing,
        setMember: nothing,
        keepMembers: nothing,
        noteStalled: nothing,
        noteWantsAll: nothing,
      },
      5,
    );
    host = new HostPort({ hostKey: "far-", name: "far", incarnation: "b" }, session, view);
    host.toldTaken = view.sequence;
    const writer = new AnnouncementWriter();
    speaker = new BusSpeaker(
      { ...own, name: "own", heartbeatMs: 1_000_000, fullDatagramBytes },
      {
        effects: {
          publish: (_channel, payload) => said.push(payload) > 0,
          get isFull() {
            return isFull;
          },
          get published() {
            return said.length;
          },
          get arrived() {
            return Math.min(arrived, said.length);
          },
          wake: nothing,
          note: nothing,
          mustStop: nothing,
        },
        counters: emptyBusCounters(),
        writer,
        snapshots: new SnapshotServer({
          isFlooded: false,
          listMembers: () => [],
          listStalledPlaces: () => [],
          listRooms: () => [],
        }),
        hosts: new Map([["far-", host]]),
        isServing: () => true,
        takenByAll: () => Number.POSITIVE_INFINITY,
        listPorts: () => [],
        listRooms: () => [],
        tellHost: nothing,
        releaseInterest: nothing,
      },
    );
    speaker.sayAll(nowMs);
  });

  const push = (count: number): void => {
    for (let number = 0; number < count; number++) host.session.push(makeFrame(number, 100), false, nowMs);
  };
  const countFrames = (): number[] =>
    said.filter((payload) => !isBusMessage(payload)).map((payload) => decodeDatagram(payload).frames.length);
  /** From now on nothing arrives. */
  const stall = (): void => {
    arrived = said.length;
  };
  const pushAndSay = (): void => {
    push(1);
    speaker.sayAll(nowMs);
  };

  test("goes at once when nothing is on its way", () => {
    pushAndSay();
    assert.deepEqual(countFrames(), [1]);
    assert.equal(speaker.canGoOn, false);
  });

  test("gathers while a datagram is on its way, and goes in one message then", () => {
    stall();
    for (let turn = 0; turn < 6; turn++) pushAndSay();
    assert.deepEqual(countFrames(), [1]);
    assert.equal(speaker.canGoOn, false);
    arrived = said.length;
    assert.equal(speaker.canGoOn, true);
    speaker.sayAll(nowMs);
    assert.deepEqual(countFrames(), [1, 5]);
    assert.equal(speaker.canGoOn, false);
  });

  test("goes all the same when it fills a datagram, and that holds nothing up", () => {
    stall();
    pushAndSay();
    const first = said.length;
    push(fullDatagramBytes / 100);
    speaker.sayAll(nowMs);
    pushAndSay();
    assert.deepEqual(countFrames(), [1, fullDatagramBytes / 100]);
    arrived = first;
    assert.equal(speaker.canGoOn, true);
  });

  test("is not held up by what is said of the host itself", () => {
    stall();
    speaker.wantHello(false);
    nowMs += 1_000;
    speaker.sayAll(nowMs);
    host.toldTaken = -1;
    pushAndSay();
    assert.deepEqual(countFrames(), [1]);
    // Said while frames wait, it does not make them wait longer either.
    const first = said.length;
    pushAndSay();
    host.toldTaken = -1;
    speaker.sayAll(nowMs);
    assert.ok(said.length > first);
    arrived = first;
    assert.equal(speaker.canGoOn, true);
  });

  test("does not make a timer turn while it is held back", () => {
    stall();
    pushAndSay();
    pushAndSay();
    assert.ok(speaker.nextDueMs() > nowMs + 100_000);
  });

  test("goes on when less is on its way, after too much was", () => {
    isFull = true;
    pushAndSay();
    assert.deepEqual(countFrames(), []);
    assert.equal(speaker.canGoOn, false);
    isFull = false;
    assert.equal(speaker.canGoOn, true);
    speaker.sayAll(nowMs);
    assert.deepEqual(countFrames(), [1]);
  });

  test("is not held back when there is nothing", () => {
    pushAndSay();
    stall();
    speaker.sayAll(nowMs);
    assert.equal(speaker.canGoOn, false);
  });

  test("goes before the last word, whatever is on its way", () => {
    stall();
    pushAndSay();
    pushAndSay();
    speaker.sayLast(nowMs);
    assert.deepEqual(countFrames(), [1, 1]);
    assert.ok(isBusMessage(said.at(-1) as Buffer));
  });
});
