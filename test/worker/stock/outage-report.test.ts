import assert from "node:assert/strict";
import { test } from "node:test";
import { OutageReport } from "../../../src/worker/stock/outage-report.js";

const closed = { reason: "the connection was closed", isRefusal: false };
const refused = { reason: "WRONGPASS invalid", isRefusal: true };

function makeRunning(): OutageReport {
  const report = new OutageReport("redis://host:6379");
  assert.equal(report.noteUp("publishing", 0, 0), undefined);
  assert.equal(report.isUp, false);
  assert.equal(report.noteUp("subscribing", 0, 0), undefined, "a start without trouble is no news");
  assert.equal(report.isUp, true);
  return report;
}

test("an outage is one line for both connections, and so is its end", () => {
  const report = makeRunning();
  const line = report.noteDown("subscribing", closed, 1_000, 3);
  assert.equal(line?.level, "warn");
  assert.match(
    line?.message ?? "",
    /^Redis at redis:\/\/host:6379 is away: the connection was closed\. This worker goes/,
  );
  assert.equal(report.noteDown("publishing", closed, 1_001, 3), undefined);
  assert.equal(report.noteDown("publishing", { reason: "ECONNREFUSED", isRefusal: false }, 1_500, 4), undefined);
  assert.equal(report.noteUp("publishing", 3_000, 8), undefined);
  assert.deepEqual(report.noteUp("subscribing", 3_250, 8), {
    level: "info",
    message: "Redis at redis://host:6379 is back after 2.3 s; 5 messages of this worker did not reach it meanwhile",
  });
  assert.equal(report.noteUp("subscribing", 3_300, 8), undefined);
  assert.match(report.noteDown("publishing", closed, 4_000, 8)?.message ?? "", /is away/, "the next outage is news");
  assert.equal(report.noteUp("publishing", 4_100, 8)?.message, "Redis at redis://host:6379 is back after 0.1 s");
});

test("a refusal is told once in an outage, also when the outage is known", () => {
  const report = makeRunning();
  report.noteDown("publishing", closed, 0, 0);
  assert.equal(
    report.noteDown("publishing", refused, 10, 0)?.message,
    "Redis at redis://host:6379 refuses: WRONGPASS invalid",
  );
  assert.equal(report.noteDown("subscribing", refused, 20, 0), undefined);
  report.noteUp("publishing", 30, 0);
  report.noteUp("subscribing", 30, 0);
  assert.match(
    report.noteDown("publishing", refused, 40, 0)?.message ?? "",
    /refuses: WRONGPASS invalid\. This worker/,
  );
});

test("reasons that are new with each attempt do not fill the log", () => {
  const report = makeRunning();
  const lines = Array.from({ length: 100 }, (_, index) =>
    report.noteDown("publishing", { reason: `NOPERM ${index}`, isRefusal: true }, index, 0),
  );
  assert.equal(lines.filter((line) => line !== undefined).length, 5);
});
