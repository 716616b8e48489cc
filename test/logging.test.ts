import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { createLogger, type Logger, type LoggerOptions } from "../src/logging.js";

let directory = "";
let path = "";
let fd = 0;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sbx-log-"));
  path = join(directory, "log");
  fd = openSync(path, "a");
});

afterEach(() => {
  closeSync(fd);
  rmSync(directory, { recursive: true, force: true });
});

function open(options: Partial<LoggerOptions> = {}): Logger {
  return createLogger({ level: "info", format: "json", fd, isColored: false, ...options });
}

function readText(): string {
  return readFileSync(path, "utf8");
}

function readRecords(): Record<string, unknown>[] {
  return readText()
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
}

describe("as JSON", () => {
  test("a record is one line that is in the file at once", () => {
    open().info({ port: 3000 }, "two\nlines");
    const [record, ...others] = readRecords();
    assert.deepEqual(others, []);
    assert.equal(record?.msg, "two\nlines");
    assert.equal(record?.level, 30);
    assert.equal(record?.port, 3000);
    assert.equal(record?.pid, process.pid);
    assert.ok(typeof record?.time === "number");
  });

  test("a worker's records carry its slot, slot 0 included, the router's say so, and the primary's nothing", () => {
    open({ workerSlot: 0 }).info("of a worker");
    open({ isRouter: true }).info("of the router");
    open().info("of the primary");
    const [worker, router, primary] = readRecords();
    assert.deepEqual([worker?.worker, worker?.router], [0, undefined]);
    assert.deepEqual([router?.worker, router?.router], [undefined, true]);
    assert.deepEqual([primary?.worker, primary?.router], [undefined, undefined]);
  });

  test("an error is written with its stack", () => {
    open().error({ err: new TypeError("bad") }, "failed");
    const error = readRecords()[0]?.err as { type: string; stack: string };
    assert.equal(error.type, "TypeError");
    assert.match(error.stack, /TypeError: bad\n/);
  });
});

describe("for a terminal", () => {
  test("a line says when, how bad, who and what", () => {
    open({ format: "pretty" }).warn("careful");
    open({ format: "pretty", workerSlot: 3 }).info("hello");
    open({ format: "pretty", isRouter: true }).info({ aboutWorker: 3 }, "worker 3 is there");
    const lines = readText().trimEnd().split("\n");
    assert.match(lines[0] ?? "", /^\[\d\d:\d\d:\d\d\.\d{3}\] WARN: primary\s+careful$/);
    assert.match(lines[2] ?? "", /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: router\s+worker 3 is there$/);
    assert.match(lines[1] ?? "", /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: worker 3\s+hello$/);
  });

  test("a child logger of the primary for a worker says the worker", () => {
    open({ format: "pretty" }).child({ worker: 1 }).info("printed");
    assert.match(readText(), /worker 1\s+printed/);
  });

  test("the stack of an error follows its line", () => {
    open({ format: "pretty" }).error({ err: new TypeError("bad") }, "failed");
    assert.match(readText(), /failed\n.*TypeError: bad/s);
  });

  test("colours are only there when they are asked for", () => {
    const colour = "\u001b[";
    open({ format: "pretty" }).info("plain");
    assert.equal(readText().includes(colour), false);
    open({ format: "pretty", isColored: true }).info("coloured");
    assert.equal(readText().includes(colour), true);
  });
});

describe("for a journal", () => {
  test("each line has its priority, says who and what, and neither when nor in which colour", () => {
    open({ format: "journal" }).warn("careful");
    open({ format: "journal", workerSlot: 3, isColored: true }).info("\u001b[32mgreen\u001b[0m");
    open({ format: "journal" }).error({ err: new TypeError("bad") }, "failed");
    const [first, second, ...stack] = readText().trimEnd().split("\n");
    assert.equal(first, "<4>primary   careful");
    assert.equal(second, "<6>worker 3  green");
    assert.equal(stack[0], "<3>primary   failed");
    assert.ok(stack.length > 3);
    for (const line of stack) assert.match(line, /^<3>/);
  });
});

for (const format of ["json", "pretty", "journal"] as const) {
  test(`records below the level are not written (${format})`, () => {
    const log = open({ format, level: "warn" });
    log.info("quiet");
    log.warn("loud");
    const text = readText();
    assert.equal(text.includes("quiet"), false);
    assert.equal(text.includes("loud"), true);
  });
}
