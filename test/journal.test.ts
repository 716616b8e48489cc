import assert from "node:assert/strict";
import { closeSync, fstatSync, mkdtempSync, openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { isJournal, journalPriority, prefixPriority, priorityOfLevel } from "../src/journal.js";

describe("the journal", () => {
  test("each level has its priority", () => {
    const levels = [10, 20, 30, 40, 50, 60];
    assert.deepEqual(levels.map(priorityOfLevel), [7, 7, 6, 4, 3, 2]);
  });

  test("each line of a text has the priority, and no colour", () => {
    assert.equal(prefixPriority("one\n  \u001b[31mtwo\u001b[0m\n\n", journalPriority.error), "<3>one\n<3>  two\n");
  });

  test("a descriptor is the journal's if it is the stream that systemd named", () => {
    const directory = mkdtempSync(join(tmpdir(), "sbx-journal-"));
    const fd = openSync(join(directory, "stream"), "w");
    const { dev, ino } = fstatSync(fd);
    assert.equal(isJournal(fd, `${dev}:${ino}`), true);
    assert.equal(isJournal(fd, `${dev}:${ino + 1}`), false);
    assert.equal(isJournal(fd, undefined), false);
    closeSync(fd);
    assert.equal(isJournal(9_999, `${dev}:${ino}`), false);
    rmSync(directory, { recursive: true });
  });
});
