import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { type MessageToPrimary, maxRunOnceNameLength } from "../../src/protocol/worker-messages.js";
import type { PrimaryChannel } from "../../src/worker/primary-channel.js";
import { RunOnceJobs } from "../../src/worker/run-once.js";
import { createRecordingLog, type RecordedLine } from "../support/recording-log.js";

let sent: MessageToPrimary[] = [];
let records: RecordedLine[] = [];
let jobs: RunOnceJobs;

beforeEach(() => {
  sent = [];
  const recording = createRecordingLog();
  records = recording.records;
  const channel: Pick<PrimaryChannel, "send"> = {
    send: (message) => {
      sent.push(message);
    },
  };
  jobs = new RunOnceJobs(channel as PrimaryChannel, recording.log);
});

/** Until promises that are settled have had their say. */
async function settle(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}

const release: MessageToPrimary = { type: "signalbox:run-once-release", name: "job" };

test("a job is claimed at once and runs only when it is granted", () => {
  let runs = 0;
  jobs.claim("job", () => {
    runs++;
  });
  assert.deepEqual(sent, [{ type: "signalbox:run-once-claim", name: "job" }]);
  assert.equal(runs, 0);
  jobs.grant("job");
  assert.equal(runs, 1);
});

test("a second grant does not run it again", () => {
  let runs = 0;
  jobs.claim("job", () => {
    runs++;
  });
  jobs.grant("job");
  jobs.grant("job");
  assert.equal(runs, 1);
});

test("a grant of a name that was never claimed is nothing", () => {
  assert.doesNotThrow(() => jobs.grant("job"));
  assert.deepEqual(sent, []);
});

test("a job that has returned still holds its name", async () => {
  jobs.claim("job", () => {});
  jobs.grant("job");
  await settle();
  assert.deepEqual(
    sent.map(({ type }) => type),
    ["signalbox:run-once-claim"],
  );
});

describe("a name is refused that is", () => {
  const cases: [string, string, RegExp][] = [
    ["empty", "", /1 to 200 characters/],
    ["too long", "x".repeat(maxRunOnceNameLength + 1), /1 to 200 characters/],
    ["taken in this worker", "taken", /a job named "taken" already/],
  ];
  for (const [what, name, message] of cases) {
    test(what, () => {
      jobs.claim("taken", () => {});
      assert.throws(() => jobs.claim(name, () => {}), { name: "RangeError", message });
      assert.equal(sent.length, 1);
    });
  }
});

test("a name of the longest length is taken", () => {
  assert.doesNotThrow(() => jobs.claim("x".repeat(maxRunOnceNameLength), () => {}));
});

describe("when the worker gives its jobs back", () => {
  test("the running job is aborted, and its name is given back only when it has ended", async () => {
    let finish: (() => void) | undefined;
    let isAborted = false;
    jobs.claim("job", async (signal) => {
      await untilAborted(signal);
      isAborted = true;
      await new Promise<void>((resolve) => {
        finish = resolve;
      });
    });
    jobs.grant("job");
    const released = jobs.releaseAll();
    await settle();
    assert.equal(isAborted, true);
    assert.equal(sent.length, 1);
    finish?.();
    await released;
    assert.deepEqual(sent.slice(1), [release]);
  });

  test("one that does not end does not hold up the others", async () => {
    jobs.claim("endless", async () => await new Promise(() => {}));
    jobs.claim("job", async (signal) => await untilAborted(signal));
    for (const name of ["endless", "job"]) jobs.grant(name);
    void jobs.releaseAll();
    await settle();
    assert.deepEqual(sent.slice(2), [release]);
  });

  test("one that still waits is given back, and a grant that crosses it does not run it", async () => {
    let runs = 0;
    jobs.claim("job", () => {
      runs++;
    });
    await jobs.releaseAll();
    jobs.grant("job");
    assert.equal(runs, 0);
    assert.deepEqual(sent.slice(1), [release]);
  });

  test("nothing is said when there is none", async () => {
    await jobs.releaseAll();
    assert.deepEqual(sent, []);
  });
});

describe("a job that fails", () => {
  const failures: [string, () => void | Promise<void>][] = [
    [
      "by throwing",
      () => {
        throw new Error("no disk");
      },
    ],
    ["by rejecting", async () => await Promise.reject(new Error("no disk"))],
  ];
  for (const [how, job] of failures) {
    test(`${how} is logged with its name, and not run again`, async () => {
      jobs.claim("job", job);
      jobs.grant("job");
      await settle();
      jobs.grant("job");
      await settle();
      assert.equal(records.length, 1);
      assert.equal(records[0]?.level, "error");
      assert.equal(records[0]?.job, "job");
      assert.match(records[0]?.msg ?? "", /^runOnce job job failed: .*no disk/);
    });
  }

  test("because it was aborted is not logged", async () => {
    jobs.claim("job", async (signal) => {
      await untilAborted(signal);
      throw signal.reason;
    });
    jobs.grant("job");
    await jobs.releaseAll();
    assert.deepEqual(records, []);
    assert.deepEqual(sent.slice(1), [release]);
  });
});
