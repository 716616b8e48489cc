import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import {
  type MessageToPrimary,
  type MessageToWorker,
  maxRunOnceNameLength,
  noFabricCounts,
  parseMessageToPrimary,
  parseMessageToWorker,
} from "../../src/protocol/worker-messages.js";

const counts = {
  unknownSessions: 0,
  forwardedRequests: 1,
  forwardedHandshakes: 2,
  receivedRequests: 3,
  forwardFailures: 4,
};

const fabric = noFabricCounts;
const rssBytes = 1_000;
const isInspected = false;

const messagesToPrimary: MessageToPrimary[] = [
  { type: "signalbox:hello" },
  { type: "signalbox:ready" },
  { type: "signalbox:start-failed", code: "SIGNALBOX_APP_FAILED", message: "it threw" },
  { type: "signalbox:counts", counts, fabric: { ...noFabricCounts, lateJoins: 5 }, rssBytes, isInspected: true },
  { type: "signalbox:run-once-claim", name: "cleanup" },
  { type: "signalbox:run-once-release", name: "cleanup" },
  { type: "signalbox:sessions", began: 2, ended: 0 },
];

const messagesToWorker: MessageToWorker[] = [
  {
    type: "signalbox:init",
    slot: 0,
    hostKey: "host",
    region: "default",
    appPath: "/app.js",
    fabric: "routed",
    stockRedis: undefined,
    routerSocketPath: "/run/router.sock",
    maxOutboxBytes: 1,
    maxRoomsPerWorker: 1,
    socketPath: "/run/w0.sock",
    trustProxy: ["loopback"],
    hasUnixPeers: false,
    startTimeoutMs: 1,
    hangTimeoutMs: 1,
    maxHeadBytes: 1,
    headTimeoutMs: 1,
    requestTimeoutMs: 1,
    keepAliveTimeoutMs: 1,
    logLevel: "info",
    logFormat: "json",
    logFd: 4,
    isLogColored: false,
  },
  { type: "signalbox:siblings", siblings: [], takesSessions: true },
  {
    type: "signalbox:siblings",
    takesSessions: false,
    siblings: [{ slot: 1, socketPath: "/run/w1.sock", load: 3, isDraining: false, isStalled: false }],
  },
  { type: "signalbox:drain", deadlineMs: 10_000, spreadMs: 8_000 },
  { type: "signalbox:run-once-granted", name: "cleanup" },
];

const walls = [
  { reader: "primary", parse: parseMessageToPrimary, valid: messagesToPrimary },
  { reader: "worker", parse: parseMessageToWorker, valid: messagesToWorker },
] as const;

for (const { reader, parse, valid } of walls) {
  describe(`what the ${reader} is told`, () => {
    for (const message of valid) {
      test(`${message.type} passes unchanged`, () => assert.deepEqual(parse(structuredClone(message)), message));
    }

    test("garbage never throws, and is nothing", () => {
      fc.assert(
        fc.property(fc.anything({ withDate: true, withBigInt: true, withNullPrototype: true }), (raw) => {
          assert.equal(parse(raw), undefined);
        }),
      );
    });

    test("a known type with anything beside it is nothing, or a message that passes again unchanged", () => {
      const types = fc.constantFrom(...valid.map(({ type }) => type));
      const fields = fc.dictionary(
        fc.constantFrom("code", "message", "counts", "name", "data", "siblings", "deadlineMs"),
        fc.anything(),
      );
      fc.assert(
        fc.property(types, fields, (type, rest) => {
          const message = parse({ ...rest, type });
          if (message === undefined) return;
          assert.equal(message.type, type);
          assert.deepEqual(parse(message), message);
        }),
      );
    });
  });
}

describe("the primary passes over a message that is not whole", () => {
  const cases: [string, unknown][] = [
    ["no type", {}],
    ["a type of the application", { type: "chat" }],
    ["a type for the worker", { type: "signalbox:drain", deadlineMs: 1 }],
    ["a type that every object has", { type: "constructor" }],
    ["a failure without a message", { type: "signalbox:start-failed", code: "SIGNALBOX_APP_FAILED" }],
    ["a failure with an unknown code", { type: "signalbox:start-failed", code: "SIGNALBOX_USAGE", message: "" }],
    [
      "counts that miss one",
      { type: "signalbox:counts", counts: { ...counts, receivedRequests: undefined }, fabric, rssBytes, isInspected },
    ],
    [
      "counts that are not whole numbers",
      { type: "signalbox:counts", counts: { ...counts, forwardFailures: 0.5 }, fabric, rssBytes, isInspected },
    ],
    ["counts without counts", { type: "signalbox:counts", counts: null, fabric, rssBytes, isInspected }],
    ["counts without those of the fabric", { type: "signalbox:counts", counts, rssBytes, isInspected }],
    ["counts without the memory", { type: "signalbox:counts", counts, fabric, isInspected }],
    ["counts without a word on the debugger", { type: "signalbox:counts", counts, fabric, rssBytes }],
    [
      "counts of the fabric that miss one",
      { type: "signalbox:counts", counts, fabric: { ...fabric, lateJoins: undefined }, rssBytes, isInspected },
    ],
    ["a claim without a name", { type: "signalbox:run-once-claim" }],
    ["a name above the limit", { type: "signalbox:run-once-claim", name: "x".repeat(maxRunOnceNameLength + 1) }],
    ["sessions that are not counted", { type: "signalbox:sessions", began: -1, ended: 0 }],
    ["the package's message for a session", { type: "sticky:connection", data: "hostAA0123456789abcd" }],
    ["the package's messages for requests with a body", { type: "sticky:http-response", data: "x", connectionId: "1" }],
    ["a message of the cluster adapter", { source: "_sio_adapter", type: 3, data: {} }],
  ];
  for (const [what, raw] of cases) test(what, () => assert.equal(parseMessageToPrimary(raw), undefined));

  test("and takes a name of exactly the limit", () => {
    const message = { type: "signalbox:run-once-claim", name: "x".repeat(maxRunOnceNameLength) };
    assert.deepEqual(parseMessageToPrimary(message), message);
  });

  test("and drops fields that do not belong to the message", () => {
    assert.deepEqual(parseMessageToPrimary({ type: "signalbox:ready", extra: 1 }), { type: "signalbox:ready" });
  });
});

describe("a worker passes over a message that is not whole", () => {
  const sibling = { slot: 1, socketPath: "/s", load: 0, isDraining: false, isStalled: false };
  const cases: [string, unknown][] = [
    ["siblings that are no list", { type: "signalbox:siblings", siblings: { 0: sibling }, takesSessions: true }],
    [
      "one broken sibling among whole ones",
      { type: "signalbox:siblings", siblings: [sibling, { ...sibling, slot: "1" }], takesSessions: true },
    ],
    ["siblings without a word on the worker itself", { type: "signalbox:siblings", siblings: [sibling] }],
    ["a drain without a deadline", { type: "signalbox:drain", spreadMs: 1 }],
    ["a drain without a spread", { type: "signalbox:drain", deadlineMs: 1 }],
    ["a grant without a name", { type: "signalbox:run-once-granted", name: 1 }],
    ["a connection of the sticky package", { type: "sticky:connection", data: Buffer.from("GET / HTTP/1.1") }],
  ];
  for (const [what, raw] of cases) test(what, () => assert.equal(parseMessageToWorker(raw), undefined));
});
