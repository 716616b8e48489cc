/** A `runOnce` job runs on one worker of the host, never on two, and moves on when that worker is gone. */

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fixturePath, pause, startHost, type TestHost } from "../support/host.js";

interface Note {
  readonly job: string;
  readonly what: "begin" | "end";
  readonly pid: number;
  readonly worker: number;
}

interface RunOnceHost {
  readonly host: TestHost;
  readonly readNotes: (job: string) => Note[];
  /** Resolves when the job has begun that many times. */
  readonly waitForBegins: (job: string, count: number) => Promise<Note[]>;
}

async function withHost(use: (context: RunOnceHost) => Promise<void>): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), "sbx-notes-"));
  try {
    const file = join(directory, "notes");
    const readNotes = (job: string): Note[] =>
      (existsSync(file) ? readFileSync(file, "utf8") : "")
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Note)
        .filter((note) => note.job === job);
    await using host = await startHost({
      app: fixturePath("run-once-app.mjs"),
      workers: 4,
      env: { APP_NOTES: file, SIGNALBOX_RESTART_BACKOFF_MIN_MS: "20" },
    });
    const waitForBegins = async (job: string, count: number): Promise<Note[]> => {
      const deadlineMs = performance.now() + 20_000;
      for (;;) {
        const begins = readNotes(job).filter((note) => note.what === "begin");
        if (begins.length >= count) return begins;
        if (performance.now() > deadlineMs) throw new Error(`${job} began ${begins.length} times, not ${count}`);
        await pause(10);
      }
    };
    await use({ host, readNotes, waitForBegins });
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Kills the worker with this pid and resolves when another is ready in its place. */
async function killAndAwaitNext(host: TestHost, pid: number): Promise<void> {
  process.kill(pid, "SIGKILL");
  await host.waitForStatus((status) =>
    status.workers.every((worker) => worker.pid !== pid && worker.state === "ready"),
  );
}

test("a job runs on exactly one of four workers, and on another each time that one is killed", async () => {
  await withHost(async ({ host, readNotes, waitForBegins }) => {
    for (let round = 1; round <= 4; round++) {
      const begins = await waitForBegins("tick", round);
      assert.equal(begins.length, round, "nobody else has begun");
      await killAndAwaitNext(host, begins.at(-1)?.pid ?? 0);
    }
    const begins = await waitForBegins("tick", 5);
    const pids = begins.map((note) => note.pid);
    assert.equal(new Set(pids).size, pids.length, "a new process each time");
    const { workers } = await host.readStatus();
    assert.ok(workers.some((worker) => worker.pid === pids.at(-1)));
    assert.ok(
      readNotes("tick").every((note) => note.what === "begin"),
      "the killed could not say that they ended",
    );
  });
});

test("a worker that does not hold the job can be killed without a second begin", async () => {
  await withHost(async ({ host, waitForBegins }) => {
    const [holder] = await waitForBegins("tick", 1);
    const { workers } = await host.readStatus();
    for (const { pid } of workers.filter((worker) => worker.pid !== holder?.pid))
      await killAndAwaitNext(host, pid ?? 0);
    assert.equal((await waitForBegins("tick", 1)).length, 1);
  });
});

test("the drain of the host aborts the signal, waits for the job, and does not start it elsewhere", async () => {
  await withHost(async ({ host, readNotes, waitForBegins }) => {
    const [holder] = await waitForBegins("tick", 1);
    assert.equal((await host.stop()).code, 0);
    assert.deepEqual(
      readNotes("tick").map(({ what, pid }) => ({ what, pid })),
      [
        { what: "begin", pid: holder?.pid },
        { what: "end", pid: holder?.pid },
      ],
    );
  });
});

test("a job that throws is logged with its name and not tried again, neither there nor elsewhere", async () => {
  await withHost(async ({ host, waitForBegins }) => {
    const record = await host.waitForLog(({ msg }) => msg.startsWith("runOnce job faulty failed: "), "the failure");
    assert.equal(record.level, 50);
    assert.equal(record.job, "faulty");
    assert.match(JSON.stringify(record), /the job is broken/);
    const [holder] = await waitForBegins("faulty", 1);
    assert.equal(record.worker, holder?.worker);
    // Workers come and go: nobody takes the job up again while the one that had it lives.
    const { workers } = await host.readStatus();
    for (const { pid } of workers.filter((worker) => worker.pid !== holder?.pid))
      await killAndAwaitNext(host, pid ?? 0);
    assert.equal((await waitForBegins("faulty", 1)).length, 1);
    assert.equal(host.log.filter(({ msg }) => msg.startsWith("runOnce job faulty failed: ")).length, 1);
  });
});
