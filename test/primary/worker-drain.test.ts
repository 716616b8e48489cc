import assert from "node:assert/strict";
import type { Worker } from "node:cluster";
import { EventEmitter } from "node:events";
import { afterEach, beforeEach, describe, mock, test } from "node:test";
import { waitForEnd } from "../../src/primary/worker-drain.js";
import { WorkerRecord } from "../../src/primary/worker-record.js";

/** A process that ends when it is told to by the test, and by nothing else: the system may hold one like that. */
class HeldProcess extends EventEmitter {
  readonly signals: string[] = [];
  kill(signal: string): void {
    this.signals.push(signal);
  }
}

describe("the end of a worker that was told to drain within 1 s", () => {
  let held: HeldProcess;
  let outcome: boolean | undefined;
  let waiting: Promise<void>;

  beforeEach(() => {
    mock.timers.enable({ apis: ["setTimeout"] });
    held = new HeldProcess();
    outcome = undefined;
    const record = new WorkerRecord(0, { process: held } as unknown as Worker, "/run/w0.sock", 0);
    waiting = waitForEnd(record, 1_000).then((hasEnded) => {
      outcome = hasEnded;
    });
  });
  afterEach(() => mock.timers.reset());

  test("by itself", async () => {
    mock.timers.tick(1_499);
    held.emit("exit");
    await waiting;
    assert.equal(outcome, true);
    mock.timers.tick(10_000);
    assert.deepEqual(held.signals, []);
  });

  test("by being killed", async () => {
    mock.timers.tick(1_500);
    assert.deepEqual(held.signals, ["SIGKILL"]);
    held.emit("exit");
    await waiting;
    assert.equal(outcome, true);
  });

  test("not even then: it is not waited for", async () => {
    mock.timers.tick(1_500);
    mock.timers.tick(2_000);
    await waiting;
    assert.equal(outcome, false);
    assert.deepEqual(held.signals, ["SIGKILL"]);
  });
});
