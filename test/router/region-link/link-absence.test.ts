import assert from "node:assert/strict";
import { test } from "node:test";
import { LinkAbsence } from "../../../src/router/region-link/link-absence.js";
import { renderLinkNote } from "../../../src/router/region-link/render-link-note.js";

test("an absence is told once, when it has lasted for 6 s", () => {
  const absence = new LinkAbsence(1_000, undefined);
  assert.equal(absence.dueMs, 7_000);
  assert.deepEqual([absence.takeDue(6_999), absence.isTold], [false, false]);
  assert.deepEqual([absence.takeDue(7_000), absence.isTold], [true, true]);
  assert.deepEqual([absence.takeDue(70_000), absence.dueMs], [false, Number.POSITIVE_INFINITY]);
  assert.deepEqual(absence.describe(62_240), { seconds: 61.2, reason: "no answer yet" });
});

test("one after a link says why that ended, until something later does", () => {
  const absence = new LinkAbsence(0, "nothing was heard of it");
  assert.deepEqual([absence.isFromStart, absence.reason], [false, "nothing was heard of it"]);
  absence.reason = "connect ECONNREFUSED";
  assert.equal(absence.describe(0).reason, "connect ECONNREFUSED");
});

test("the log says which region, since when and why, and how long it was when it is over", () => {
  const region = "us";
  const missing = {
    type: "region-missing",
    region,
    isFromStart: true,
    forMs: 6_004,
    reason: "it was refused",
  } as const;
  const { level, text } = renderLinkNote(missing);
  assert.equal(level, "warn");
  assert.match(text, /^no link to region us for 6 s, since the start \(it was refused\): messages for it wait/);
  assert.match(renderLinkNote({ ...missing, isFromStart: false }).text, /^no link to region us for 6 s \(it was/);
  const up = { type: "link-up", isDialled: true, region, hostKey: "us-0", afterMs: 61_200 } as const;
  assert.equal(renderLinkNote(up).text, "there is a link to region us (host us-0), after 61 s without");
  assert.equal(renderLinkNote({ ...up, afterMs: undefined }).text, "there is a link to region us (host us-0)");
});
