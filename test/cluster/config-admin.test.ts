/** The admin port and the control socket: what they answer, and to whom. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { findFreePorts, runCli } from "../support/cli-process.js";
import { fetchText, fixturePath, startHost, waitForPorts } from "../support/host.js";

const app = fixturePath("lifecycle-app.mjs");

describe("the admin port", { concurrency: 2 }, () => {
  test("answers health, metrics and status", async () => {
    await using host = await startHost({ app, workers: 2 });
    const admin = `http://127.0.0.1:${host.adminPort}`;
    const live = await fetchText(`${admin}/livez`);
    assert.deepEqual([live.status, live.body], [200, "ok\n"]);
    const ready = await fetchText(`${admin}/readyz`);
    assert.deepEqual([ready.status, ready.body], [200, "ok\n"]);
    const metrics = await fetchText(`${admin}/metrics`);
    assert.equal(metrics.status, 200);
    assert.match(String(metrics.headers["content-type"]), /^text\/plain; version=0\.0\.4/);
    assert.match(metrics.body, /^signalbox_workers_ready 2$/m);
    assert.match(metrics.body, /^signalbox_sessions\{worker="1"\} 0$/m);
    const status = await fetchText(`${admin}/status`);
    assert.match(String(status.headers["content-type"]), /^application\/json/);
    const { state, pid } = JSON.parse(status.body) as { state: string; pid: number };
    assert.deepEqual([state, pid], ["running", host.pid]);
  });

  test("only reads, knows four paths, and is no page's to read", async () => {
    await using host = await startHost({ app, workers: 1 });
    const admin = `http://127.0.0.1:${host.adminPort}`;
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS"]) {
      const { status, headers } = await fetchText(`${admin}/status`, { method });
      assert.deepEqual([method, status, headers.allow], [method, 405, "GET, HEAD"]);
    }
    const head = await fetchText(`${admin}/livez`, { method: "HEAD" });
    assert.deepEqual([head.status, head.body], [200, ""]);
    const unknown = await fetchText(`${admin}/shutdown`);
    assert.equal(unknown.status, 404);
    assert.match(unknown.body, /\/livez \/readyz \/metrics \/status/);
    for (const foreign of ["evil.example", `evil.example:${host.adminPort}`, "127.0.0.1.evil.example", "10.0.0.1"]) {
      assert.equal((await fetchText(`${admin}/status`, { headers: { Host: foreign } })).status, 403, foreign);
    }
    for (const local of ["localhost", `LOCALHOST:${host.adminPort}`, "[::1]", `127.0.0.1:${host.adminPort}`]) {
      assert.equal((await fetchText(`${admin}/status`, { headers: { Host: local } })).status, 200, local);
    }
  });

  test("is open on 127.0.0.1 only", async () => {
    await using host = await startHost({ app, workers: 1, env: { SIGNALBOX_HOST: "0.0.0.0" } });
    // All of 127/8 is this machine: what is bound to every address answers there.
    assert.equal(await canConnect("127.0.0.2", host.port), true);
    assert.equal(await canConnect("127.0.0.2", host.adminPort), false);
    assert.equal(await canConnect("127.0.0.1", host.adminPort), true);
  });

  test("that is taken ends the start with 4 and advice", async () => {
    await using host = await startHost({ app, workers: 1 });
    const { code, stderr } = await runCli(["start", app], {
      SIGNALBOX_PORT: "0",
      SIGNALBOX_ADMIN_PORT: String(host.adminPort),
      SIGNALBOX_RUNTIME_DIR: host.runtimeDir,
    });
    assert.equal(code, 4);
    assert.match(stderr, /^signalbox: cannot listen on the admin address 127\.0\.0\.1:\d+: it is in use.*--admin-port/);
  });

  test("says not ready while the application starts, and ready as soon as it serves", async () => {
    const directory = mkdtempSync(join(tmpdir(), "sbx-gate-"));
    try {
      const gate = join(directory, "gate");
      const adminPort = await findFreePorts(1);
      const env = { SIGNALBOX_ADMIN_PORT: String(adminPort), APP_GATE: gate };
      await using host = await startHost({ app, workers: 2, isReadyAwaited: false, env });
      await host.waitForLog(({ msg }) => msg.includes(" starts "), "the start line");
      const admin = `http://127.0.0.1:${adminPort}`;
      const starting = await fetchText(`${admin}/readyz`);
      assert.deepEqual([starting.status, starting.body], [503, "no worker is ready\n"]);
      assert.equal((await fetchText(`${admin}/livez`)).status, 200);
      assert.match((await fetchText(`${admin}/status`)).body, /"state":"starting"/);
      writeFileSync(gate, "");
      await waitForPorts(host);
      assert.equal((await fetchText(`${admin}/readyz`)).status, 200);
      assert.equal((await host.readStatus()).state, "running");
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

describe("the runtime directory", () => {
  test("is this user's alone (0700), and so is the control socket in it (0600), whatever the umask", async () => {
    const before = process.umask(0);
    try {
      await using host = await startHost({ app, workers: 1 });
      const instance = join(host.runtimeDir, `auto-${host.pid}`);
      assert.equal(statSync(instance).mode & 0o777, 0o700);
      assert.equal(statSync(join(instance, "control.sock")).mode & 0o777, 0o600);
      const { status, body } = await fetchText("http://localhost/status", {
        socketPath: join(instance, "control.sock"),
      });
      assert.equal(status, 200);
      assert.equal((JSON.parse(body) as { pid: number }).pid, host.pid);
    } finally {
      process.umask(before);
    }
  });
});

async function canConnect(host: string, port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host, port });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}
