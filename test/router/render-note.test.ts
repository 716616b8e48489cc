import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { encodePlace } from "../../src/address/address.js";
import { type PortRefusal, portRefusals } from "../../src/protocol/port-refusals.js";
import { renderNote } from "../../src/router/render-note.js";
import type { RouterNote } from "../../src/router/router-effects.js";

const place = encodePlace({ hostKey: "host", workerSlot: 70 });

describe("a note becomes a line with its level", () => {
  const cases: [RouterNote, string, RegExp][] = [
    [{ type: "port-up", place }, "debug", /^worker 70 has connected to the router$/],
    [{ type: "port-down", place, lostFrames: 0 }, "debug", /^worker 70 has left the router$/],
    [
      { type: "port-down", place, lostFrames: 2 },
      "debug",
      /^worker 70 has left .*; 2 messages for it had not been written$/,
    ],
    [{ type: "stalled", place }, "warn", /^worker 70 does not answer the router: its event loop is blocked/],
    [{ type: "resumed", place }, "info", /^worker 70 answers the router again$/],
    [{ type: "overflowed", place }, "warn", /^worker 70 .*maxOutboxBytes.*Its clients have to reconnect$/],
    [
      { type: "loss-told", place, lostFrames: 1 },
      "info",
      /^worker 70 has missed 1 message, .*closes its clients' connections/,
    ],
    [
      { type: "unsent", place, lostFrames: 1 },
      "warn",
      /^worker 70 has given up 1 message for other workers: in a burst, .*maxOutboxBytes.*clients of the other workers have to/,
    ],
    [{ type: "unsent", place, lostFrames: 5 }, "warn", /given up 5 messages for other workers/],
    [{ type: "flooded", place }, "info", /^worker 70 .*maxRoomsPerWorker.*gets every message/],
    [{ type: "not-flooded", place }, "info", /^worker 70 announces its rooms again$/],
    [{ type: "not-back", place, lostFrames: 0 }, "warn", /^worker 70 has not come back .* until it does$/],
    [{ type: "not-back", place, lostFrames: 9 }, "warn", /; 9 messages were lost$/],
  ];
  for (const [note, level, text] of cases) {
    test(`${note.type} ${"lostFrames" in note ? note.lostFrames : ""}`, () => {
      const line = renderNote(note);
      assert.equal(line.level, level);
      assert.match(line.text, text);
      assert.equal(line.aboutWorker, 70);
    });
  }
});

describe("a refusal", () => {
  for (const refusal of Object.keys(portRefusals) as PortRefusal[]) {
    test(`${refusal} of a worker says why, and what the worker does then`, () => {
      const line = renderNote({ type: "refused", place, refusal, reason: "the reason" });
      const then = portRefusals[refusal].reconnect === "now" ? "connects again at once" : "tries again later";
      assert.equal(line.level, "warn");
      assert.match(line.text, new RegExp(`worker 70 \\(${refusal}\\): the reason; it ${then}`));
      assert.equal(line.aboutWorker, 70);
    });
  }

  test("of somebody who has not said who he is names no worker", () => {
    const line = renderNote({ type: "refused", place: undefined, refusal: "badFrame", reason: "a frame of 4 bytes" });
    assert.equal(line.level, "warn");
    assert.match(line.text, /^a connection to the router's socket was refused \(badFrame\): a frame of 4 bytes\. /);
    assert.equal(line.aboutWorker, undefined);
  });
});

test("a place that cannot be read is a worker that is not known", () => {
  assert.deepEqual(renderNote({ type: "port-up", place: "ho t??" }), {
    level: "debug",
    text: "worker ? has connected to the router",
    kind: "port-up ho t??",
    aboutWorker: undefined,
  });
});

describe("lines that repeat each other are of one kind", () => {
  const kindOf = (note: RouterNote): string => renderNote(note).kind;
  const other = encodePlace({ hostKey: "host", workerSlot: 71 });

  test("whatever number is in them", () => {
    const first = kindOf({ type: "unsent", place, lostFrames: 1 });
    assert.equal(kindOf({ type: "unsent", place, lostFrames: 2 }), first);
  });

  test("but not those of another worker, of another type, or of another refusal", () => {
    const kinds = [
      kindOf({ type: "unsent", place, lostFrames: 1 }),
      kindOf({ type: "unsent", place: other, lostFrames: 1 }),
      kindOf({ type: "not-back", place, lostFrames: 1 }),
      kindOf({ type: "refused", place, refusal: "badFrame", reason: "a" }),
      kindOf({ type: "refused", place, refusal: "notExpected", reason: "a" }),
      kindOf({ type: "refused", place: undefined, refusal: "badFrame", reason: "a" }),
    ];
    assert.equal(new Set(kinds).size, kinds.length);
    assert.equal(kindOf({ type: "refused", place, refusal: "badFrame", reason: "b" }), kinds[3]);
  });
});
