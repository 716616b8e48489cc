/** What is wrong with an application is said once, with its file and the reason, and the host ends instead of trying on. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { runCli } from "../support/cli-process.js";
import { fetchText, fixturePath, startHost, waitUntilGone } from "../support/host.js";

/** Longer than a worker takes on a busy machine to load an application that is well. */
const startTimeoutMs = 5_000;

interface Fault {
  readonly file: string;
  /** What the message has to say. */
  readonly reason: RegExp;
  readonly takesTimeout?: boolean;
}

const faults: Readonly<Record<string, Fault>> = {
  "throws while it is loaded": { file: "throws-on-load.mjs", reason: /the moon is down/ },
  "is not there": { file: "not-there.mjs", reason: /does not exist/ },
  "imports what is not there": { file: "missing-import.mjs", reason: /is-not-there\.mjs/ },
  "has a syntax error": { file: "syntax-error.mjs", reason: /Unexpected token ';'/ },
  "awaits for ever at its top level": {
    file: "top-level-await.mjs",
    reason: /did not finish loading within 5000 ms/,
    takesTimeout: true,
  },
  "exports a function that never resolves": {
    file: "never-resolves.mjs",
    reason: /did not resolve within 5000 ms/,
    takesTimeout: true,
  },
  "exports a function that rejects": { file: "rejects.mjs", reason: /threw: Error: the database is away/ },
  "throws what is no error": { file: "throws-undefined.mjs", reason: /threw: undefined/ },
  "blocks for ever while it is loaded": {
    file: "endless-loop.mjs",
    reason: /blocks the event loop/,
    takesTimeout: true,
  },
  "neither exports a function nor calls attach": {
    file: "exports-nothing.mjs",
    reason: /neither exports a function .* nor called attach/,
    takesTimeout: true,
  },
  "attaches a server that never listens": {
    file: "attach-without-listen.mjs",
    reason: /listen\(\) was not called within 5000 ms/,
    takesTimeout: true,
  },
  "leaves a rejection unhandled before it is ready": {
    file: "unhandled-rejection.mjs",
    reason: /threw before it was ready: Error: nobody caught me/,
  },
  "throws in a timer before it is ready": {
    file: "throws-in-timer.mjs",
    reason: /threw before it was ready: Error: late but not ready/,
  },
  "makes an https server": { file: "https-server.mjs", reason: /an https server.* terminate TLS in nginx/ },
  "asks for WebTransport": { file: "webtransport.mjs", reason: /"webtransport"/ },
  "attaches a second Socket.IO server": {
    file: "second-attach.mjs",
    reason: /attach\(\) was called with a second Socket\.IO server/,
  },
  "attaches a second Socket.IO server where nobody awaits it": {
    file: "second-attach-unawaited.mjs",
    reason: /attach\(\) was called with a second Socket\.IO server/,
  },
};

describe("start ends with 3, and says which file and why, when the application", { concurrency: 3 }, () => {
  for (const [what, { file, reason, takesTimeout }] of Object.entries(faults)) {
    test(what, async (t) => {
      const path = fixturePath(`faults/${file}`);
      const { code, stdout, stderr, durationMs } = await runCli(["start", path], {
        SIGNALBOX_PORT: "0",
        SIGNALBOX_ADMIN_PORT: "0",
        // Several fail at the same time, and it is said once; those that take long are not to take each other's time as well.
        SIGNALBOX_WORKERS: takesTimeout === true ? "1" : "2",
        // The others must not come near the limit: theirs is a different message.
        ...(takesTimeout === true && { SIGNALBOX_START_TIMEOUT_MS: String(startTimeoutMs) }),
      });
      t.diagnostic(`${file}: ${Math.round(durationMs)} ms`);
      assert.equal(code, 3, `${stdout}\n${stderr}`);
      assert.match(stderr, /^signalbox: /);
      assert.ok(stderr.includes(path), stderr);
      assert.match(stderr, reason);
      assert.equal(stderr.match(/^signalbox: /gm)?.length, 1, "said once on stderr");
      const told = stdout.split("\n").filter((line) => line.includes(path) && !line.includes(" starts "));
      assert.ok(told.length <= 1, `said at most once in the log:\n${told.join("\n")}`);
      assert.doesNotMatch(stdout, /started again/);
    });
  }
});

describe("an exception that nobody catches", () => {
  const app = fixturePath("lifecycle-app.mjs");
  const kinds = {
    throw: "Uncaught exception in the application: bang",
    reject: "Unhandled rejection in the application: bang",
  };
  for (const [route, words] of Object.entries(kinds)) {
    test(`(${route}) is one log record with worker slot and stack, and the worker is replaced`, async () => {
      await using host = await startHost({ app, workers: 2, env: { SIGNALBOX_RESTART_BACKOFF_MIN_MS: "20" } });
      const { workers } = await host.readStatus();
      await fetchText(`${host.url}/${route}?text=bang`);
      const record = await host.waitForLog(({ msg }) => msg === words, "the record of the exception");
      assert.equal(record.level, 60);
      const slot = record.worker ?? -1;
      assert.equal(record.pid, workers[slot]?.pid);
      assert.match((record.err as { stack: string }).stack, /lifecycle-app\.mjs:\d+/);
      await host.waitForLog(
        ({ msg }) => msg.startsWith(`worker ${slot} ended (exit code 1); started again in 20 ms`),
        "the restart",
      );
      const after = await host.waitForStatus(
        (status) => status.workers[slot]?.restarts === 1 && status.workers[slot].state === "ready",
      );
      assert.equal(after.workers[1 - slot]?.pid, workers[1 - slot]?.pid);
      assert.deepEqual(await waitUntilGone([workers[slot]?.pid ?? 0], 1_000), []);
      assert.equal(host.log.filter(({ msg }) => msg.includes("bang")).length, 1);
    });
  }

  test("does not end a worker whose application has a handler of its own", async () => {
    await using host = await startHost({ app: fixturePath("faults/survives-uncaught.mjs"), workers: 1 });
    const { body: before } = await fetchText(`${host.url}/throw`);
    await host.waitForLog(({ msg }) => msg === "handled by the application: survived");
    assert.equal((await fetchText(host.url)).body, before);
    assert.equal((await host.readStatus()).workers[0]?.restarts, 0);
  });
});
