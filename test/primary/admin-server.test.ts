import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { HostMetrics } from "../../src/metrics/host-metrics.js";
import { AdminServer } from "../../src/primary/admin-server.js";
import type { HostStatus } from "../../src/protocol/host-status.js";
import { exampleStatus } from "../cli/example-status.js";
import { fetchText } from "../support/host.js";

test("a reload that breaks off after the answer has begun ends that connection, and nothing else", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "sbx-admin-"));
  const server = new AdminServer({
    metrics: new HostMetrics(),
    readStatus: async () => await Promise.reject(new Error("no status")),
    explainNotReady: () => undefined,
    reload: async () => await Promise.reject(new Error("broken")),
    describeReload: () => null,
  });
  t.after(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });
  const socketPath = join(directory, "control.sock");
  await server.listenOnSocket(socketPath);
  await assert.rejects(fetchText("http://host/reload", { socketPath, method: "POST" }), { code: "ECONNRESET" });
  const { status, body } = await fetchText("http://host/status", { socketPath });
  assert.deepEqual([status, body], [500, "no status\n"]);
});

test("why a reload failed, which may quote a secret, is told on the control socket alone", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "sbx-admin-"));
  const reload = { state: "failed", workersDone: 0, workers: 2, sessionsMoved: 0, seconds: 1, secondsLeft: 0 } as const;
  const failed: HostStatus = { ...exampleStatus, reload: { ...reload, reason: "TOKEN=hunter2", restartNeeded: [] } };
  const server = new AdminServer({
    metrics: new HostMetrics(),
    readStatus: async () => await Promise.resolve(failed),
    explainNotReady: () => undefined,
    reload: async () => await Promise.reject(new Error("not asked for")),
    describeReload: () => null,
  });
  t.after(() => {
    server.close();
    rmSync(directory, { recursive: true });
  });
  const socketPath = join(directory, "control.sock");
  await server.listenOnSocket(socketPath);
  const port = await server.listenOnPort(0);
  assert.deepEqual(JSON.parse((await fetchText("http://host/status", { socketPath })).body), failed);
  const told = JSON.parse((await fetchText(`http://127.0.0.1:${port}/status`)).body) as HostStatus;
  const reason = "`signalbox status` tells why";
  assert.deepEqual(told, { ...failed, reload: { ...failed.reload, reason } });
});
