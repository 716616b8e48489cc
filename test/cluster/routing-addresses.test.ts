/** Where a host listens: a Unix socket with its file and mode, a port that may be taken. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { openPolling, PollingSession } from "../support/engine-polling.js";
import { fixturePath, startHost, type TestHost } from "../support/host.js";
import { LightSocket } from "../support/light-socket.js";
import { RawConnection } from "../support/raw-http.js";

const app = fixturePath("echo-app.mjs");
/** The exit code for an address that is taken or not permitted. */
const cannotListen = 4;

/** Everything that the host said while it ended. */
async function readLastWords(host: TestHost): Promise<string> {
  await host.exited;
  await new Promise((resolve) => setImmediate(resolve));
  return `${host.stderr}\n${host.log.map((record) => record.msg).join("\n")}`;
}

/** Starts a host that must not come up, and resolves with its exit code and words. */
async function startInVain(env: Record<string, string>): Promise<{ code: number | null; words: string }> {
  await using host = await startHost({ app, isReadyAwaited: false, env });
  const { code } = await host.exited;
  return { code, words: await readLastWords(host) };
}

describe("a Unix socket", { timeout: 180_000 }, () => {
  let directory: string;
  let path: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "sbx-l-"));
    path = join(directory, "public.sock");
  });

  afterEach(() => {
    rmSync(directory, { recursive: true });
  });

  async function assertServes(host: TestHost): Promise<void> {
    const target = { path };
    const polling = await openPolling(target);
    const who = await polling.who();
    assert.ok(who.address === undefined || who.address === "" || who.address === null, String(who.address));
    const webSocket = await LightSocket.open(target);
    assert.equal(await webSocket.call("echo", "over a path"), "over a path");
    const seen = (await webSocket.who()).address;
    assert.ok(seen === undefined || seen === "" || seen === null, String(seen));
    const proxied = await LightSocket.open(target, { "X-Forwarded-For": "203.0.113.1, 192.0.2.7" });
    assert.equal((await proxied.who()).address, "192.0.2.7", "whoever has the socket's file is trusted by default");
    // Forwarded too: sessions of both workers over one connection.
    const workers = new Set<number>();
    const connection = await RawConnection.open(target);
    for (let index = 0; index < 6; index++) workers.add((await (await PollingSession.open(connection)).who()).worker);
    assert.equal(workers.size, 2);
    assert.deepEqual(
      (await host.readStatus()).workers.map((worker) => worker.restarts),
      [0, 0],
    );
    for (const each of [polling.connection, connection]) each.destroy();
    for (const each of [webSocket, proxied]) each.close();
  }

  test("serves polling and WebSocket, its file has mode 0660, and no address is made up", async () => {
    await using host = await startHost({ app, env: { SIGNALBOX_LISTEN: path } });
    assert.equal((statSync(path).mode & 0o777).toString(8), "660");
    assert.deepEqual((await host.readStatus()).listen, { kind: "unix", path });
    await assertServes(host);
  });

  test("takes the mode that is set, and its file goes with the host", async () => {
    await using host = await startHost({ app, env: { SIGNALBOX_LISTEN: path, SIGNALBOX_LISTEN_MODE: "600" } });
    assert.equal((statSync(path).mode & 0o777).toString(8), "600");
    assert.deepEqual(await host.stop(), { code: 0, signal: null });
    assert.equal(existsSync(path), false);
  });

  test("replaces a file that a killed host left behind", async () => {
    {
      await using killed = await startHost({ app, env: { SIGNALBOX_LISTEN: path } });
      await killed.stop("SIGKILL");
    }
    assert.ok(statSync(path).isSocket());
    await using host = await startHost({ app, env: { SIGNALBOX_LISTEN: path } });
    await assertServes(host);
  });

  test("is refused with exit code 4 where another process answers, which is left alone", async () => {
    const other = createServer((socket) => {
      // The host only knocks, and goes.
      socket.on("error", () => {});
      socket.end("mine");
    });
    other.listen(path);
    await once(other, "listening");
    const { code, words } = await startInVain({ SIGNALBOX_LISTEN: path });
    assert.equal(code, cannotListen, words);
    assert.ok(words.includes(path) && words.includes("another process answers"), words);
    const connection = await RawConnection.open({ path });
    assert.equal((await connection.readToEnd()).toString(), "mine");
    connection.destroy();
    other.close();
  });

  test("is refused with exit code 4 where a file is that is no socket, which is left alone", async () => {
    writeFileSync(path, "precious");
    const { code, words } = await startInVain({ SIGNALBOX_LISTEN: path });
    assert.equal(code, cannotListen, words);
    assert.ok(words.includes(path) && words.includes("not a socket"), words);
    assert.equal(readFileSync(path, "utf8"), "precious");
  });

  test("is refused with exit code 4 in a directory that does not exist", async () => {
    const missing = join(directory, "missing", "public.sock");
    const { code, words } = await startInVain({ SIGNALBOX_LISTEN: missing });
    assert.equal(code, cannotListen, words);
    assert.ok(words.includes(missing), words);
  });
});

describe("a TCP port", { timeout: 180_000 }, () => {
  test("that is taken: exit code 4, and a message that names it and says what to do", async () => {
    const other = createServer();
    other.listen(0, "127.0.0.1");
    await once(other, "listening");
    const address = other.address();
    const port = typeof address === "object" && address !== null ? String(address.port) : "";
    const { code, words } = await startInVain({ SIGNALBOX_PORT: port });
    assert.equal(code, cannotListen, words);
    assert.ok(
      words.includes(`127.0.0.1:${port}`) && words.includes("in use") && words.includes("SIGNALBOX_PORT"),
      words,
    );
    other.close();
  });

  test("on an address that this machine does not have: exit code 4, and a message that names it", async () => {
    // TEST-NET-1 (RFC 5737): nobody's.
    const { code, words } = await startInVain({ SIGNALBOX_HOST: "192.0.2.1" });
    assert.equal(code, cannotListen, words);
    assert.ok(words.includes("192.0.2.1") && words.includes("SIGNALBOX_HOST"), words);
  });
});
