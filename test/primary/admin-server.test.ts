import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { HostMetrics } from "../../src/metrics/host-metrics.js";
import { AdminServer } from "../../src/primary/admin-server.js";
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
