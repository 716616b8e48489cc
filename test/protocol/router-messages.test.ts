import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  type BusReport,
  type MessageFromRouter,
  type MessageToRouter,
  parseMessageFromRouter,
  parseMessageToRouter,
  type RouterCounts,
} from "../../src/protocol/router-messages.js";
import { emptyCounters } from "../../src/router/router-effects.js";

const counts: RouterCounts = emptyCounters();
const port = { place: "hostAB", queuedBytes: 10, rooms: 2, isStalled: false, isConnected: true };

const bus: BusReport = {
  isUp: false,
  hasJoined: true,
  downReason: "no answer",
  hosts: [{ hostKey: "far-", name: "machine", isReachable: true, isFlooded: false, rooms: 3, queuedBytes: 0 }],
  counts: {
    framesIn: 1,
    framesOut: 1,
    messagesIn: 1,
    messagesOut: 1,
    bytesIn: 1,
    bytesOut: 1,
    droppedVolatile: 0,
    givenUpFrames: 0,
    lostFrames: 0,
    missedFrames: 0,
    uncertainFrames: 0,
    badMessages: 0,
    announcements: 2,
    snapshots: 0,
  },
};

const links = {
  regions: [
    {
      region: "us",
      isLinked: true,
      answers: true,
      hostKey: "bbbb",
      absence: null,
      isFlooded: false,
      rooms: 1,
      queuedBytes: 2,
      roundTripMs: 80.5,
    },
  ],
  accepted: 1,
  counts: {
    framesIn: 0,
    framesOut: 0,
    messagesIn: 0,
    messagesOut: 0,
    bytesIn: 0,
    bytesOut: 0,
    droppedVolatile: 0,
    givenUpFrames: 0,
    lostFrames: 0,
    missedFrames: 0,
    badMessages: 0,
    announcements: 0,
    snapshots: 0,
    refusals: 0,
    silences: 0,
  },
};

const fromRouter: MessageFromRouter[] = [
  { type: "router:hello" },
  { type: "router:ready" },
  { type: "router:pong" },
  { type: "router:failed", reason: "no directory" },
  { type: "router:note", level: "warn", text: "worker 2 does not answer" },
  { type: "router:note", level: "warn", text: "worker 2 does not answer", aboutWorker: 2 },
  { type: "router:must-stop", reason: "the host key is taken" },
  { type: "router:report", counts, ports: [], announcedRooms: 0, bus: null, links: null },
  { type: "router:report", counts: { ...counts, framesIn: 3 }, ports: [port, port], announcedRooms: 7, bus, links },
];

const toRouter: MessageToRouter[] = [
  {
    type: "router:init",
    socketPath: "/run/router.sock",
    hostKey: "host",
    log: { level: "info", format: "json", fd: 4, isColored: false },
    maxOutboxBytes: 1,
    maxRoomsPerWorker: 1,
    expectedPlaces: ["hostAA"],
    isDirectoryOwn: false,
    bus: null,
    links: null,
  },
  { type: "router:expect", place: "hostAA" },
  { type: "router:forget", place: "hostAA" },
  { type: "router:ping" },
  { type: "router:link", head: "R0VU" },
  { type: "router:link-secrets", secrets: ["new", "old"] },
];

const walls = [
  { reader: "primary", parse: parseMessageFromRouter, valid: fromRouter },
  { reader: "router", parse: parseMessageToRouter, valid: toRouter },
] as const;

for (const { reader, parse, valid } of walls) {
  describe(`what the ${reader} is told`, () => {
    for (const message of valid) {
      test(`${message.type} passes unchanged`, () => assert.deepEqual(parse(structuredClone(message)), message));
    }

    test("and as JSON, which is how it travels", () => {
      for (const message of valid) assert.deepEqual(parse(JSON.parse(JSON.stringify(message))), message);
    });

    test("garbage never throws, and is nothing", () => {
      fc.assert(
        fc.property(fc.anything({ withDate: true, withBigInt: true, withNullPrototype: true }), (raw) => {
          assert.equal(parse(raw), undefined);
        }),
      );
    });
  });
}

describe("what is not whole is passed over", () => {
  const report = { type: "router:report", counts, ports: [port], announcedRooms: 0 };
  const { stalls: _, ...countsWithoutOne } = counts;
  const cases: [string, unknown][] = [
    ["a message for the other side", { type: "router:ping" }],
    ["a type that every object has", { type: "toString" }],
    ["no secrets at all", { type: "router:link-secrets", secrets: [] }],
    ["a secret that is none", { type: "router:link-secrets", secrets: ["old", ""] }],
    ["a failure without a reason", { type: "router:failed" }],
    ["a note of a level that is none", { type: "router:note", level: "fatal", text: "x" }],
    ["a note of an inherited level", { type: "router:note", level: "constructor", text: "x" }],
    ["a note about no slot", { type: "router:note", level: "warn", text: "x", aboutWorker: "2" }],
    ["a note without a text", { type: "router:note", level: "warn" }],
    ["a report without counts", { ...report, counts: undefined }],
    ["a report that misses one count", { ...report, counts: countsWithoutOne }],
    ["a count below zero", { ...report, counts: { ...counts, framesIn: -1 } }],
    ["a count that is no whole number", { ...report, counts: { ...counts, framesIn: 0.5 } }],
    ["ports that are no list", { ...report, ports: { 0: port } }],
    ["one broken port among whole ones", { ...report, ports: [port, { ...port, isStalled: 1 }] }],
    ["rooms that are not counted", { ...report, announcedRooms: "7" }],
  ];
  for (const [what, raw] of cases) test(what, () => assert.equal(parseMessageFromRouter(raw), undefined));

  test("a place that is no text", () => {
    assert.equal(parseMessageToRouter({ type: "router:expect", place: 1 }), undefined);
    assert.equal(parseMessageToRouter({ type: "router:forget" }), undefined);
  });
});

test("fields that do not belong to a message are dropped", () => {
  assert.deepEqual(parseMessageFromRouter({ type: "router:ready", extra: 1 }), { type: "router:ready" });
});
