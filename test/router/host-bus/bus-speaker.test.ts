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
  let isBusy: boolean;
  let host: HostPort;
  let speaker: BusSpeaker;
  let nowMs: number;

  beforeEach(() => {
    said = [];
    isBusy = false;
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
          isFull: false,
          get isBusy() {
            return isBusy;
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
    said.length = 0;
  });

  const push = (count: number): void => {
    for (let number = 0; number < count; number++) host.session.push(makeFrame(number, 100), false, nowMs);
  };
  const countFrames = (): number[] =>
    said.filter((payload) => !isBusMessage(payload)).map((payload) => decodeDatagram(payload).frames.length);

  test("goes at once when nothing is on its way", () => {
    push(1);
    speaker.sayAll(nowMs);
    assert.deepEqual(countFrames(), [1]);
    assert.equal(speaker.isHolding, false);
  });

  test("gathers while something is on its way, and goes in one message then", () => {
    isBusy = true;
    for (let turn = 0; turn < 5; turn++) {
      push(1);
      speaker.sayAll(nowMs);
    }
    assert.deepEqual(countFrames(), []);
    assert.equal(speaker.isHolding, true);
    isBusy = false;
    speaker.sayAll(nowMs);
    assert.deepEqual(countFrames(), [5]);
    assert.equal(speaker.isHolding, false);
  });

  test("goes all the same when it fills a datagram", () => {
    isBusy = true;
    push(fullDatagramBytes / 100);
    speaker.sayAll(nowMs);
    assert.deepEqual(countFrames(), [fullDatagramBytes / 100]);
  });

  test("does not make a timer turn while it is held back", () => {
    isBusy = true;
    push(1);
    const dueMs = speaker.nextDueMs();
    speaker.sayAll(nowMs);
    assert.ok(speaker.nextDueMs() > nowMs + 100_000, `${dueMs}, then ${speaker.nextDueMs()}`);
  });

  test("is not held back when there is nothing", () => {
    isBusy = true;
    speaker.sayAll(nowMs);
    assert.equal(speaker.isHolding, false);
    assert.equal(said.length, 0);
  });
});
