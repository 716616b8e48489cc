/** One configuration from flags, environment, file and defaults, as `check`, `status` and the running host see it. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import type { HostStatus } from "../../src/protocol/host-status.js";
import { findFreePorts, runCli } from "../support/cli-process.js";
import { fetchText, fixturePath, startHost } from "../support/host.js";

const app = fixturePath("lifecycle-app.mjs");
const directory = mkdtempSync(join(tmpdir(), "sbx-config-"));
after(() => rmSync(directory, { recursive: true }));

function writeConfig(name: string, values: object): string {
  const path = join(directory, name);
  writeFileSync(path, JSON.stringify(values));
  return path;
}

describe("settings", { concurrency: 2 }, () => {
  test("come from flags before environment before file before defaults, in check", async () => {
    const config = writeConfig("order.json", { region: "file", hostKey: "file", workers: 3, maxRestarts: 33 });
    const { code, stdout, stderr } = await runCli(["check", app, "--config", config, "--region", "flag"], {
      SIGNALBOX_REGION: "environment",
      SIGNALBOX_HOST_KEY: "envi",
    });
    assert.deepEqual([code, stderr], [0, ""]);
    const rows = new Map(stdout.split("\n").map((line) => [line.split(/\s+/)[0], line.replaceAll(/\s+/g, " ")]));
    assert.equal(rows.get("region"), "region flag flag --region");
    assert.equal(rows.get("hostKey"), "hostKey envi variable SIGNALBOX_HOST_KEY");
    assert.match(rows.get("workers") ?? "", /^workers 3 .*order\.json$/);
    assert.match(rows.get("maxRestarts") ?? "", /^maxRestarts 33 .*order\.json$/);
    assert.equal(rows.get("port"), "port 3000 default");
    assert.equal(rows.get("adminPort"), "adminPort 9464 default");
    assert.equal(rows.get("drainTimeoutMs"), "drainTimeoutMs 10000 default");
  });

  test("come in the same order to the running host, as its /status tells", async () => {
    const config = writeConfig("host.json", { region: "file", hostKey: "file", workers: 7, app: "./nowhere.mjs" });
    await using host = await startHost({
      app,
      workers: 2,
      args: ["--config", config, "--region", "flag"],
      env: { SIGNALBOX_REGION: "environment" },
    });
    const status = await host.readStatus();
    assert.deepEqual(
      {
        region: status.region,
        hostKey: status.hostKey,
        workers: status.workers.length,
        app: status.app,
        fabric: status.fabric,
      },
      { region: "flag", hostKey: "file", workers: 2, app, fabric: "routed" },
    );
    assert.deepEqual(status.listen, { kind: "tcp", host: "127.0.0.1", port: host.port });
  });

  test("name the application relative to the file, when the file does", async () => {
    writeFileSync(join(directory, "own.mjs"), "export default () => {};\n");
    const config = writeConfig("own.json", { app: "./own.mjs", port: 0, adminPort: 0, workers: 1 });
    await using host = await startHost({ workers: 1, env: { SIGNALBOX_CONFIG: config } });
    assert.equal((await host.readStatus()).app, join(directory, "own.mjs"));
  });

  test("that are wrong keep a host from starting: all faults in one message, exit code 2", async () => {
    const config = writeConfig("faults.json", { prot: 1, workers: 0 });
    const { code, stdout, stderr } = await runCli(["start", app, "--config", config, "--drain-timeout-ms", "soon"], {
      SIGNALBOX_PORT: "70000",
      SIGNALBOX_LOG_LEVEL: "loud",
      SIGNALBOX_WORKER: "2",
    });
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, /^signalbox: The configuration has 6 faults:\n/);
    const faults = [
      '"prot" is not a setting',
      "workers: 0",
      'drainTimeoutMs: "soon"',
      'port: "70000"',
      'logLevel: "loud"',
      "SIGNALBOX_WORKER is not known",
    ];
    for (const fault of faults) assert.ok(stderr.includes(fault), `${fault} is missing in\n${stderr}`);
    assert.doesNotMatch(stderr, /\n {4}at /);
  });

  test("do not matter to an unknown command, which ends with 2", async () => {
    const { code, stderr } = await runCli(["restart"]);
    assert.equal(code, 2);
    assert.match(stderr, /^signalbox: "restart" is not a command/);
  });
});

describe("status", { concurrency: 2 }, () => {
  test("finds the only running host without any flag, as text and as JSON", async () => {
    await using host = await startHost({ app, workers: 2 });
    const env = { SIGNALBOX_RUNTIME_DIR: host.runtimeDir };
    const text = await runCli(["status"], env);
    assert.equal(text.code, 0);
    assert.match(text.stdout, new RegExp(`^pid +${host.pid}$`, "m"));
    assert.match(text.stdout, new RegExp(`^listening on +127\\.0\\.0\\.1:${host.port}$`, "m"));
    assert.match(text.stdout, new RegExp(`^app +${app}$`, "m"));
    assert.equal(text.stdout.match(/^ +[01] +\d+ +ready +0 /gm)?.length, 2, text.stdout);

    const json = await runCli(["status", "--json"], env);
    assert.equal(json.code, 0);
    const status = JSON.parse(json.stdout) as HostStatus;
    assert.deepEqual([status.pid, status.state, status.workers.length], [host.pid, "running", 2]);
  });

  test("ends with 6 when no host runs, and after the only one has ended", async () => {
    await using host = await startHost({ app, workers: 1 });
    const env = { SIGNALBOX_RUNTIME_DIR: host.runtimeDir };
    await host.stop();
    const ended = await runCli(["status", "--json"], env);
    assert.deepEqual([ended.code, ended.stdout], [6, ""]);
    assert.match(ended.stderr, /^signalbox: No host answers on /);
  });

  test("ends with 6 after the host was killed, and says that something is left over", async () => {
    const port = String(await findFreePorts(1));
    await using host = await startHost({ app, workers: 1, env: { SIGNALBOX_PORT: port } });
    host.process.kill("SIGKILL");
    await host.exited;
    const { code, stderr } = await runCli(["status"], { SIGNALBOX_RUNTIME_DIR: host.runtimeDir, SIGNALBOX_PORT: port });
    assert.equal(code, 6);
    assert.match(stderr, /left over by a host that crashed/);
  });
});

describe("two hosts", { concurrency: 2 }, () => {
  test("cannot have one address: the second ends with 4, in the same runtime directory or in another", async () => {
    const port = String(await findFreePorts(1));
    await using host = await startHost({ app, workers: 1, env: { SIGNALBOX_PORT: port } });
    const env = { SIGNALBOX_PORT: port, SIGNALBOX_ADMIN_PORT: "0", SIGNALBOX_WORKERS: "1" };
    const same = await runCli(["start", app], { ...env, SIGNALBOX_RUNTIME_DIR: host.runtimeDir });
    assert.equal(same.code, 4);
    assert.match(same.stderr, /^signalbox: a Signalbox host with this listen address is running already/);
    const other = await runCli(["start", app], { ...env, SIGNALBOX_RUNTIME_DIR: join(directory, "other") });
    assert.equal(other.code, 4);
    assert.ok(
      other.stderr.startsWith(`signalbox: cannot listen on 127.0.0.1:${port}: the address is in use`),
      other.stderr,
    );
    // The refused have not taken away what the first one needs.
    assert.equal((await runCli(["status"], { SIGNALBOX_RUNTIME_DIR: host.runtimeDir, SIGNALBOX_PORT: port })).code, 0);
    assert.equal((await fetchText(`${host.url}/who`)).status, 200);
  });

  test("with different ports share a runtime directory; status then wants to know which", async () => {
    const first = await findFreePorts(2);
    const runtimeDir = mkdtempSync(join(tmpdir(), "sbx-"));
    try {
      const start = async (port: number) =>
        await startHost({ app, workers: 1, env: { SIGNALBOX_PORT: String(port), SIGNALBOX_RUNTIME_DIR: runtimeDir } });
      await using left = await start(first);
      await using right = await start(first + 1);
      for (const host of [left, right]) assert.equal((await fetchText(`${host.url}/who`)).status, 200);
      const env = { SIGNALBOX_RUNTIME_DIR: runtimeDir };

      const either = await runCli(["status"], env);
      assert.deepEqual([either.code, either.stdout], [6, ""]);
      assert.match(either.stderr, /2 other hosts are running:/);
      for (const host of [left, right])
        assert.ok(either.stderr.includes(`pid ${host.pid}, --host 127.0.0.1 --port ${host.port}`));

      const chosen = await runCli(["status", "--json", "--port", String(right.port)], env);
      assert.equal((JSON.parse(chosen.stdout) as HostStatus).pid, right.pid);

      await left.stop();
      const only = await runCli(["status", "--json"], env);
      assert.equal(only.code, 0);
      assert.equal((JSON.parse(only.stdout) as HostStatus).pid, right.pid);
    } finally {
      rmSync(runtimeDir, { recursive: true, force: true });
    }
  });
});
