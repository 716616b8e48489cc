import assert from "node:assert/strict";
import { once } from "node:events";
import { PassThrough } from "node:stream";
import { describe, test } from "node:test";
import { captureOutput } from "../../src/primary/output-capture.js";
import { createRecordingLog, type RecordedLine } from "../support/recording-log.js";

/** Records of what is written in these pieces, up to the end of the stream. */
async function capture(pieces: readonly (string | Buffer)[], level: "info" | "warn" = "info"): Promise<RecordedLine[]> {
  const { log, records } = createRecordingLog();
  const stream = new PassThrough();
  captureOutput(stream, log, level);
  for (const piece of pieces) {
    stream.write(piece);
    await new Promise((resolve) => setImmediate(resolve));
  }
  stream.end();
  await once(stream, "end");
  return records;
}

describe("a worker's output becomes", () => {
  const cases: [string, string[], string[]][] = [
    ["a record for each line", ["one\ntwo\n"], ["one", "two"]],
    ["one record of a line in pieces", ["he", "ll", "o\n"], ["hello"]],
    ["records across pieces", ["one\nt", "wo\nthree\n"], ["one", "two", "three"]],
    ["a record of a last line without its end", ["one\ntwo"], ["one", "two"]],
    ["no record of an empty line", ["\n\none\n  \n"], ["one"]],
    ["lines without a carriage return", ["one\r\ntwo\r", "\n"], ["one", "two"]],
    ["lines that keep their indentation", ["  at main\n"], ["  at main"]],
    ["nothing when there is nothing", [], []],
  ];
  for (const [what, pieces, texts] of cases) {
    test(what, async () => {
      const records = await capture(pieces);
      assert.deepEqual(
        records.map(({ msg }) => msg),
        texts,
      );
    });
  }

  test("records of the level of its stream", async () => {
    assert.deepEqual(await capture(["bad\n"], "warn"), [{ level: "warn", msg: "bad" }]);
    assert.deepEqual(await capture(["fine\n"], "info"), [{ level: "info", msg: "fine" }]);
  });

  test("whole letters, though a piece ends inside one", async () => {
    const bytes = Buffer.from("größe\n");
    const records = await capture(Array.from(bytes, (byte) => Buffer.from([byte])));
    assert.equal(records[0]?.msg, "größe");
  });
});

test("a line that never ends is logged in pieces and not kept", async () => {
  const records = await capture(Array.from({ length: 10 }, () => "x".repeat(10_000)));
  assert.ok(records.length >= 5);
  assert.equal(
    records.reduce((sum, { msg }) => sum + msg.length, 0),
    100_000,
  );
  assert.ok(records.every(({ msg }) => msg.length <= 16 * 1_024 + 10_000));
});

test("a pipe that breaks is not an uncaught error", () => {
  const stream = new PassThrough();
  captureOutput(stream, createRecordingLog().log, "info");
  assert.doesNotThrow(() => stream.emit("warn", new Error("EPIPE")));
});
