/** Many clients over several workers, half of them long-polling only: all connect, and a broadcast reaches each once. */

import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { once } from "node:events";
import { describe, test } from "node:test";
import { cleanEnvironment, fixturePath, startHost } from "../support/host.js";
import { timed } from "../support/stopwatch.js";

const isFull = process.env.TEST_SIZE === "full";
const clientCount = isFull ? 2_000 : 400;
const roomCount = 20;
const workers = 4;
const limitMs = isFull ? 120_000 : 25_000;

type LoadMessage =
  | { readonly type: "connected" | "all-received" }
  | { readonly type: "counted"; readonly receivedCount: number; readonly wrong: number }
  | { readonly type: "failed"; readonly message: string };

describe("many clients", { timeout: 2 * limitMs + 60_000 }, () => {
  test(`${clientCount} clients on ${workers} workers in ${roomCount} rooms: each receives its room's broadcast once`, async (t) => {
    // Workers that are not ready at the same moment would get different shares for a while.
    const env = { SIGNALBOX_SLOW_START_MS: "0" };
    await using host = await startHost({ app: fixturePath("echo-app.mjs"), workers, env });
    const load = fork(fixturePath("many-clients.mjs"), [host.port, clientCount, roomCount].map(String), {
      env: cleanEnvironment(),
      execArgv: [],
    });
    try {
      const next = async (): Promise<LoadMessage> => {
        const [message] = (await once(load, "message")) as [LoadMessage];
        if (message.type === "failed") assert.fail(message.message);
        return message;
      };
      const connected = await timed(next(), limitMs, "the connection of all");
      const sessions = (
        await host.waitForStatus(
          (status) => status.workers.reduce((sum, worker) => sum + worker.sessions, 0) === clientCount,
          "a report of all sessions",
        )
      ).workers.map((worker) => worker.sessions);
      load.send({ type: "broadcast" });
      const received = await timed(next(), limitMs, "the receipt by all");
      // A double would come right behind: one more question, answered after whatever is on its way.
      await new Promise((resolve) => setTimeout(resolve, 500));
      load.send({ type: "count" });
      const counted = await next();
      t.diagnostic(
        `${clientCount} connected and joined in ${connected.ms} ms (${sessions.join("/")}); ` +
          `${roomCount} broadcasts received by all in ${received.ms} ms`,
      );
      assert.deepEqual(counted, { type: "counted", receivedCount: clientCount, wrong: 0 });
      assert.ok(Math.max(...sessions) - Math.min(...sessions) <= clientCount / 20, sessions.join("/"));
    } finally {
      const ended = load.exitCode === null ? once(load, "exit") : undefined;
      load.kill("SIGKILL");
      await ended;
    }
  });
});
