/** What workers print becomes records of the host's log, and neither much of it nor nobody reading it harms the host. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import type { HostStatus } from "../../src/protocol/host-status.js";
import { runProgram } from "../support/cli-process.js";
import {
  cleanEnvironment,
  cliPath,
  fetchText,
  fixturePath,
  pause,
  projectDir,
  startHost,
  waitUntilGone,
} from "../support/host.js";

const app = fixturePath("lifecycle-app.mjs");

test("console.log and console.error are one record each, however many lines, with level and worker slot", async () => {
  await using host = await startHost({ app, workers: 2 });
  const { pid, worker } = JSON.parse((await fetchText(`${host.url}/who`)).body) as { pid: number; worker: number };
  assert.equal((await host.readStatus()).workers[worker]?.pid, pid);
  await fetchText(`${host.url}/console?text=mark`);
  const logged = await host.waitForLog(
    ({ msg }) => msg.startsWith("several\nlines") && msg.endsWith("mark"),
    "console.log",
  );
  const failed = await host.waitForLog(({ msg }) => msg.startsWith("an error Error: mark\n    at "), "console.error");
  assert.deepEqual([logged.level, failed.level], [30, 50]);
  for (const record of [logged, failed]) {
    assert.equal(record.pid, (await host.readStatus()).workers[record.worker ?? -1]?.pid);
  }
  assert.ok(
    host.log.every(({ level }) => level > 0),
    "every line of the output is JSON",
  );
});

test("what is written past the console appears with the worker slot too", async () => {
  await using host = await startHost({ app, workers: 2 });
  await fetchText(`${host.url}/stdout?text=past-the-console`);
  const written = await host.waitForLog(({ msg }) => msg === "past-the-console", "the line on stdout");
  assert.ok(written.level === 30 && (written.worker === 0 || written.worker === 1));
  await fetchText(`${host.url}/native-stderr?text=from-native-code`);
  const native = await host.waitForLog(({ msg }) => msg === "from-native-code", "the line on stderr");
  assert.ok(native.level >= 40 && (native.worker === 0 || native.worker === 1));
  assert.ok(
    host.log.every(({ level }) => level > 0),
    "every line of the output is JSON",
  );
});

test("the pretty format is for people: time, level, and who speaks", async () => {
  await using host = await startHost({
    app,
    workers: 2,
    isReadyAwaited: false,
    env: { SIGNALBOX_LOG_FORMAT: "pretty" },
  });
  const ready = await host.waitForLog(({ msg }) => msg.includes("Ready at "), "the ready line");
  assert.match(
    ready.msg,
    /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: primary +Ready at http:\/\/127\.0\.0\.1:\d+ with 2 workers/,
  );
  const url = /http:\S+:\d+/.exec(ready.msg)?.[0] ?? "";
  await fetchText(`${url}/stdout?text=hello-people`);
  const line = await host.waitForLog(({ msg }) => msg.includes("hello-people"));
  assert.match(line.msg, /^\[[\d:.]+\] INFO: worker [01] +hello-people$/);
});

test("a worker that floods its stdout breaks neither the primary nor the log", async (t) => {
  await using host = await startHost({ app, workers: 2 });
  const beforeBytes = readResidentBytes(host.pid);
  const flooded = fetchText(`${host.url}/flood?text=after-the-flood`);
  const startedMs = performance.now();
  assert.equal((await fetchText(`http://127.0.0.1:${host.adminPort}/livez`)).status, 200);
  t.diagnostic(`/livez in the flood: ${Math.round(performance.now() - startedMs)} ms`);
  await flooded;
  // Not waitForLog: it looks at all records each time that one comes.
  const deadlineMs = performance.now() + 20_000;
  while (!host.log.slice(-20).some(({ msg }) => msg.endsWith("after-the-flood"))) {
    assert.ok(performance.now() < deadlineMs, `the end of the flood did not come; ${host.log.length} records did`);
    await pause(20);
  }
  t.diagnostic(`the whole flood: ${Math.round(performance.now() - startedMs)} ms`);
  const lines = host.log.filter(({ msg }) => /^x{200} \d+$/.test(msg));
  assert.equal(lines.length, 20_000, "no line is lost");
  assert.ok(
    host.log.every(({ level }) => level > 0),
    "every line of the output is JSON",
  );
  assert.ok(
    host.log.every(({ msg }) => msg.length <= 256 * 1024),
    "a line without end comes in pieces",
  );
  const grownMiB = (readResidentBytes(host.pid) - beforeBytes) / 1024 / 1024;
  t.diagnostic(`the primary grew by ${Math.round(grownMiB)} MiB`);
  assert.ok(grownMiB < 200, `${grownMiB} MiB`);
  assert.equal((await host.readStatus()).workers.filter((worker) => worker.state === "ready").length, 2);
});

test("a host whose output is not read, but not closed either, serves on and ends in order", async () => {
  await using host = await startHost({ app, workers: 2 });
  host.process.stdout?.pause();
  try {
    // More than the pipe and the host's own buffer hold together.
    await fetchText(`${host.url}/flood?text=unread`);
    assert.equal((await fetchText(`${host.url}/who`)).status, 200);
    assert.equal((await fetchText(`http://127.0.0.1:${host.adminPort}/livez`)).status, 200);
    const ended = await Promise.race([host.stop(), pause(10_000)]);
    assert.deepEqual(ended, { code: 0, signal: null });
  } finally {
    host.process.stdout?.resume();
  }
});

test("a host whose output nobody reads any more serves on and ends in order", async () => {
  const runtimeDir = mkdtempSync(join(tmpdir(), "sbx-"));
  const child = spawn(process.execPath, [cliPath, "start", app], {
    stdio: ["ignore", "pipe", "pipe"],
    env: cleanEnvironment({
      SIGNALBOX_PORT: "0",
      SIGNALBOX_ADMIN_PORT: "0",
      SIGNALBOX_WORKERS: "2",
      SIGNALBOX_RUNTIME_DIR: runtimeDir,
    }),
  });
  const ended = once(child, "exit");
  try {
    let stderr = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      stderr += text;
    });
    // As `signalbox start | head -1`: the first line is read, then the pipe is closed.
    await once(createInterface({ input: child.stdout }), "line");
    child.stdout.destroy();

    const socketPath = join(runtimeDir, `auto-${child.pid}`, "control.sock");
    const readStatus = async (): Promise<HostStatus> =>
      JSON.parse((await fetchText("http://localhost/status", { socketPath })).body) as HostStatus;
    let status = await readStatus();
    while (status.workers.some((worker) => worker.state !== "ready")) {
      assert.equal(child.exitCode, null, stderr);
      await pause(20);
      status = await readStatus();
    }
    const url = `http://127.0.0.1:${status.listen.kind === "tcp" ? status.listen.port : 0}`;
    for (const route of ["console", "stdout", "native-stderr"]) {
      for (let round = 0; round < 4; round++)
        assert.equal((await fetchText(`${url}/${route}?text=unread`)).status, 200);
    }
    const after = await readStatus();
    assert.deepEqual(
      after.workers.map(({ pid, restarts }) => ({ pid, restarts })),
      status.workers.map(({ pid }) => ({ pid, restarts: 0 })),
      "no worker has ended",
    );
    child.kill("SIGTERM");
    assert.deepEqual(await ended, [0, null]);
    assert.equal(stderr, "");
    assert.deepEqual(
      await waitUntilGone(
        after.workers.map(({ pid }) => pid ?? 0),
        1_000,
      ),
      [],
    );
    assert.deepEqual(readdirSync(runtimeDir), []);
  } finally {
    child.kill("SIGKILL");
    await ended;
    rmSync(runtimeDir, { recursive: true, force: true });
  }
});

function readResidentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? 0) * 1024;
}

test("modules behind symbolic links are found by their real paths while the log goes to a pipe", async () => {
  const directory = mkdtempSync(join(tmpdir(), "sbx-links-"));
  try {
    symlinkSync(join(projectDir, "node_modules"), join(directory, "node_modules"));
    const script = join(directory, "script.mjs");
    writeFileSync(
      script,
      `import { createRequire } from "node:module";
       import { createLogger } from ${JSON.stringify(pathToFileURL(join(projectDir, "dist/logging.js")).href)};
       const { resolve } = createRequire(import.meta.url);
       const before = resolve("express");
       createLogger({ level: "info", format: "json", fd: 1, isColored: false });
       process.stdout.write(JSON.stringify([before, resolve("ws")]));`,
    );
    const { stdout, stderr } = await runProgram(process.execPath, [script]);
    assert.equal(stderr, "");
    assert.deepEqual(
      JSON.parse(stdout),
      ["express", "ws"].map((name) => realpathSync(join(projectDir, "node_modules", name, "index.js"))),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});
