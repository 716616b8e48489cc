/** What the demo's chat accepts from a page, and at what pace. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  fillBucket,
  maxNameLength,
  maxTextLength,
  parseJoin,
  parseMessage,
  parseRename,
  takeToken,
} from "../../src/demo/chat-rules.js";

const goodId = "0123456789abcdef";

describe("joining a room", () => {
  it("accepts a name and a room in any script", () => {
    const parsed = parseJoin({ name: "林 Ada O'Neil 👩‍💻", room: "Straße_42-ζ" });
    assert.deepEqual(parsed, {
      ok: true,
      value: { name: "林 Ada O'Neil 👩‍💻", room: "Straße_42-ζ", formerId: undefined },
    });
  });

  it("takes the spaces around a name away", () => {
    assert.deepEqual(parseRename({ name: "  Ada " }), { ok: true, value: { name: "Ada" } });
  });

  it("takes the former id of a page that is back, and ignores what is none", () => {
    const value = { name: "Ada", room: "lobby" };
    const formerId = "demoAC0123456789abcd";
    assert.deepEqual(parseJoin({ ...value, formerId }), { ok: true, value: { ...value, formerId } });
    for (const none of [undefined, null, 7, "short", {}]) {
      assert.deepEqual(parseJoin({ ...value, formerId: none }), { ok: true, value: { ...value, formerId: undefined } });
    }
  });

  it("gives one spelling to a room that two systems type differently", () => {
    const composed = parseJoin({ name: "Ada", room: "caf\u00e9" });
    assert.deepEqual(parseJoin({ name: "Ada", room: "cafe\u0301" }), composed);
  });

  for (const [what, name] of [
    ["no name", undefined],
    ["a number", 7],
    ["an empty name", ""],
    ["a name of spaces", "   "],
    ["a name of zero-width characters", "\u200b\u200d"],
    ["a name with a line break", "Ada\nLovelace"],
    ["a name that turns the text around", "Ada\u202e"],
    ["half a surrogate pair", "Ada\ud83d"],
    ["a name that is too long", "a".repeat(maxNameLength + 1)],
    ["an enormous name", "a".repeat(100_000)],
  ] as const) {
    it(`refuses ${what}`, () => {
      assert.deepEqual(parseJoin({ name, room: "lobby" }), { ok: false, error: "invalid-name" });
      assert.deepEqual(parseRename({ name }), { ok: false, error: "invalid-name" });
    });
  }

  for (const room of [undefined, 7, "", "two words", "a/b", "chat:lobby", "#lobby", "a".repeat(33), ["lobby"]]) {
    it(`refuses the room ${JSON.stringify(room)}`, () => {
      assert.deepEqual(parseJoin({ name: "Ada", room }), { ok: false, error: "invalid-room" });
    });
  }
});

describe("sending a message", () => {
  it("keeps the text as it was written", () => {
    const text = " two\nlines <b>and</b> tags ";
    assert.deepEqual(parseMessage({ id: goodId, text }), { ok: true, value: { id: goodId, text } });
  });

  it("accepts the longest text and refuses one character more", () => {
    assert.equal(parseMessage({ id: goodId, text: "x".repeat(maxTextLength) }).ok, true);
    const tooLong = parseMessage({ id: goodId, text: "x".repeat(maxTextLength + 1) });
    assert.deepEqual(tooLong, { ok: false, error: "invalid-text" });
  });

  for (const text of [undefined, null, 7, {}, "", " \n "]) {
    it(`refuses the text ${JSON.stringify(text)}`, () => {
      assert.deepEqual(parseMessage({ id: goodId, text }), { ok: false, error: "invalid-text" });
    });
  }

  for (const id of [undefined, 7, "", "short", "with space in it", "x".repeat(41)]) {
    it(`refuses the id ${JSON.stringify(id)}`, () => {
      assert.deepEqual(parseMessage({ id, text: "hello" }), { ok: false, error: "invalid-request" });
    });
  }
});

it("refuses a request that is no object", () => {
  for (const request of [undefined, null, 7, "text", [], () => undefined]) {
    assert.deepEqual(parseJoin(request), { ok: false, error: "invalid-request" });
    assert.deepEqual(parseRename(request), { ok: false, error: "invalid-request" });
    assert.deepEqual(parseMessage(request), { ok: false, error: "invalid-request" });
  }
});

describe("the pace of a socket", () => {
  const pace = { perSecond: 10, burst: 20 };

  /** How many tokens can be taken at one moment, and what is left then. */
  function takeAll(bucket: ReturnType<typeof fillBucket>, nowMs: number) {
    let taken = 0;
    for (let next = takeToken(bucket, pace, nowMs); next; next = takeToken(bucket, pace, nowMs)) {
      bucket = next;
      taken += 1;
    }
    return { taken, bucket };
  }

  it("lets a burst through and then nothing", () => {
    assert.equal(takeAll(fillBucket(pace, 0), 0).taken, 20);
  });

  it("refills with time, never beyond the burst", () => {
    const { bucket } = takeAll(fillBucket(pace, 0), 0);
    assert.equal(takeAll(bucket, 99).taken, 0);
    assert.equal(takeAll(bucket, 100).taken, 1);
    assert.equal(takeAll(bucket, 1_000).taken, 10);
    assert.equal(takeAll(bucket, 3_600_000).taken, 20);
  });

  it("holds the rate over a long time however often it is asked", () => {
    let bucket = fillBucket(pace, 0);
    let taken = 0;
    for (let nowMs = 0; nowMs < 60_000; nowMs += 7) {
      const next = takeToken(bucket, pace, nowMs);
      if (next) taken += 1;
      bucket = next ?? bucket;
    }
    assert.ok(taken >= 600 && taken <= 620, `took ${taken} in a minute`);
  });

  it("gives nothing for a clock that steps back", () => {
    const { bucket } = takeAll(fillBucket(pace, 10_000), 10_000);
    assert.equal(takeAll(bucket, 5_000).taken, 0);
  });
});
