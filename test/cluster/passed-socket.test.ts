/** Sockets passed as systemd passes them, by the program that systemd has for trying that. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, type TestContext, test } from "node:test";
import { findFreePorts } from "../support/cli-process.js";
import { enginePath, PollingSession, readHandshake } from "../support/engine-polling.js";
import { cleanEnvironment, cliPath, fetchText, fixturePath, pause, TestHost, waitForPorts } from "../support/host.js";
import { findProgram, skipOrFail } from "../support/prerequisite.js";
import { RawConnection, renderRequest } from "../support/raw-http.js";

/** A TCP socket is passed in systemd-service.test.ts as well. */
const skip = process.env["TEST_SIZE"] === "full" ? false : "at full size";

/** It becomes the host at the first connection, or the first datagram. */
function activate(runtimeDir: string, sockets: readonly string[], wrapper: readonly string[] = []): ChildProcess {
  const settings = {
    SIGNALBOX_WORKERS: "1",
    SIGNALBOX_PORT: "1",
    SIGNALBOX_ADMIN_PORT: "0",
    SIGNALBOX_RUNTIME_DIR: runtimeDir,
    SIGNALBOX_LOG_FORMAT: "json",
  };
  const passed = Object.entries(settings).map(([name, value]) => `--setenv=${name}=${value}`);
  const host = [...wrapper, process.execPath, cliPath, "start", fixturePath("echo-app.mjs")];
  const args = [...passed, ...sockets, ...host];
  return spawn("systemd-socket-activate", args, { env: cleanEnvironment(), stdio: ["ignore", "pipe", "pipe"] });
}

async function knock(target: { port: number } | { path: string }): Promise<void> {
  for (let attempt = 0; attempt < 200; attempt++) {
    const socket = connect(target);
    const isThere = await new Promise<boolean>((resolve) => {
      socket.once("connect", () => resolve(true)).once("error", () => resolve(false));
    });
    socket.destroy();
    if (isThere) return;
    await pause(20);
  }
  throw new Error("nobody listens");
}

function isMissing(t: TestContext): boolean {
  if (findProgram("systemd-socket-activate") !== undefined) return false;
  skipOrFail(t, "systemd-socket-activate is missing; apt-get install systemd installs it");
  return true;
}

describe("passed sockets", { concurrency: 3 }, () => {
  test("a host listens on the TCP socket it is given, and says that its own address is not used", {
    skip,
  }, async (t) => {
    if (isMissing(t)) return;
    const port = await findFreePorts(1);
    const runtimeDir = mkdtempSync(join(tmpdir(), "sbx-"));
    await using host = new TestHost(activate(runtimeDir, ["--listen", `127.0.0.1:${port}`]), runtimeDir);
    await knock({ port });
    await waitForPorts(host);
    assert.equal(host.port, port);
    const { body } = await fetchText(`http://127.0.0.1:${port}/`);
    assert.equal((JSON.parse(body) as { worker: number }).worker, 0);
    assert.ok(
      host.log.some(({ msg }) => /a socket passed by systemd; the settings host, port and listen only name/.test(msg)),
    );
  });

  test("a host listens on the Unix socket it is given, and knows its path", async (t) => {
    if (isMissing(t)) return;
    const runtimeDir = mkdtempSync(join(tmpdir(), "sbx-"));
    const path = join(runtimeDir, "public.sock");
    await using host = new TestHost(activate(runtimeDir, ["--listen", path]), runtimeDir);
    await knock({ path });
    const ready = await host.waitForLog(({ msg }) => msg.startsWith("Ready at "));
    assert.ok(ready.msg.startsWith(`Ready at ${path} `));
    assert.equal((await fetchText("http://host/", { socketPath: path })).status, 200);
    // Whoever may open it is believed, as with a path of the host's own.
    const connection = await RawConnection.open({ path });
    const headers = { "X-Forwarded-For": "192.0.2.7" };
    const session = new PollingSession(
      readHandshake(await connection.exchange(renderRequest({ path: enginePath(), headers }))),
      connection,
    );
    await session.join();
    assert.equal((await session.who()).address, "192.0.2.7");
    connection.destroy();
  });

  const unusable: [what: string, flags: readonly string[], count: number, fault: RegExp][] = [
    ["two sockets", [], 2, /systemd passes 2 sockets .*keep one ListenStream=/],
    ["a socket that takes no connections", ["--datagram"], 1, /descriptor 3.*has to have ListenStream= and Accept=no/],
  ];
  for (const [what, flags, count, fault] of unusable) {
    test(`${what}: an error that says what to write`, async (t) => {
      if (isMissing(t)) return;
      const port = await findFreePorts(count);
      const runtimeDir = mkdtempSync(join(tmpdir(), "sbx-"));
      const sockets = Array.from({ length: count }, (_, index) => `--listen=127.0.0.1:${port + index}`);
      const child = activate(runtimeDir, [...flags, ...sockets]);
      t.after(() => child.kill("SIGKILL"));
      let said = "";
      child.stderr?.setEncoding("utf8").on("data", (text: string) => {
        said += text;
      });
      const closed = once(child, "close");
      if (flags.length === 0) await knock({ port });
      else await knockByDatagram(port, closed);
      assert.deepEqual(await closed, [4, null]);
      assert.match(said, fault);
      rmSync(runtimeDir, { recursive: true });
    });
  }
});

/** Nothing says whether one has been heard. */
async function knockByDatagram(port: number, ended: Promise<unknown>): Promise<void> {
  const socket = createSocket("udp4");
  const timer = setInterval(() => socket.send("knock", port, "127.0.0.1"), 50);
  await ended;
  clearInterval(timer);
  socket.close();
}
