/** A host that is told to stop lets its clients and its answers finish, and ends as soon as the last is gone. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { Agent, get, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { io as connectClient, type Socket } from "socket.io-client";
import { fetchText, fixturePath, startHost, type TestHost, waitUntilGone } from "../support/host.js";
import { awaitEvent } from "../support/use-sockets.js";

const app = fixturePath("lifecycle-app.mjs");
/** Far below the drain timeout (10 s by default): the host did not wait for it. */
const promptMs = 5_000;

/** Resolves with a client that is connected, on one transport. */
async function connectOver(host: TestHost, transport: "polling" | "websocket"): Promise<Socket> {
  const client = connectClient(host.url, { transports: [transport], forceNew: true, reconnectionDelay: 50 });
  await new Promise<void>((resolve, reject) => {
    client.once("connect", resolve);
    client.once("connect_error", reject);
  });
  return client;
}

/** Resolves once every polling session has a poll open: one that has none cannot be told that it is closed. */
async function waitForPolls(host: TestHost): Promise<void> {
  while ((await fetchText(`${host.url}/sessions-without-poll`)).body !== "0");
}

async function startGet(url: string, agent?: Agent): Promise<IncomingMessage> {
  const [response] = (await once(get(url, { agent: agent ?? false }), "response")) as [IncomingMessage];
  return response;
}

async function readAll(response: IncomingMessage): Promise<string> {
  let text = "";
  response.setEncoding("utf8");
  for await (const chunk of response) text += String(chunk);
  return text;
}

for (const signal of ["SIGTERM", "SIGINT"] as const) {
  test(`${signal}: clients are closed so that they come back, and the host ends with 0 once the last is gone`, async (t) => {
    await using host = await startHost({ app, workers: 2 });
    const workers = (await host.readStatus()).workers.map((worker) => worker.pid ?? 0);
    const clients = await Promise.all(
      (["websocket", "polling", "websocket", "polling"] as const).map(
        async (transport) => await connectOver(host, transport),
      ),
    );
    try {
      await waitForPolls(host);
      const reasons = clients.map(async (client) => await awaitEvent(client, "disconnect"));
      const startedMs = performance.now();
      const ended = await host.stop(signal);
      const tookMs = performance.now() - startedMs;
      t.diagnostic(`${signal} to exit with 4 clients: ${Math.round(tookMs)} ms`);

      assert.deepEqual(ended, { code: 0, signal: null });
      assert.ok(tookMs < promptMs, `${tookMs} ms`);
      assert.deepEqual(await Promise.all(reasons), Array(4).fill("transport close"));
      assert.ok(
        clients.every((client) => client.active),
        "every client tries to reconnect",
      );
      assert.deepEqual(await waitUntilGone(workers, 0), [], "no worker outlives the primary");
      assert.equal(host.stderr, "");
      assert.deepEqual(readdirSync(host.runtimeDir), [], "the directory of the host is gone");
    } finally {
      for (const client of clients) client.disconnect();
    }
  });
}

test("without clients the host ends at once, an idle kept-alive connection does not hold it", async (t) => {
  await using host = await startHost({ app, workers: 2 });
  const agent = new Agent({ keepAlive: true });
  const response = await startGet(`${host.url}/who`, agent);
  await readAll(response);
  const startedMs = performance.now();
  const { code } = await host.stop();
  const tookMs = performance.now() - startedMs;
  t.diagnostic(`SIGTERM to exit with an idle connection: ${Math.round(tookMs)} ms`);
  agent.destroy();
  assert.equal(code, 0);
  assert.ok(tookMs < 2_000, `${tookMs} ms`);
});

test("a long poll that is in flight gets its 200 with the close packet", async () => {
  await using host = await startHost({ app, workers: 1 });
  const base = `${host.url}/socket.io/?EIO=4&transport=polling`;
  const { body: open } = await fetchText(base);
  const { sid } = JSON.parse(open.slice(1)) as { sid: string };
  await fetchText(`${base}&sid=${sid}`, { method: "POST", body: "40", headers: { "Content-Type": "text/plain" } });
  const { body: connected } = await fetchText(`${base}&sid=${sid}`);
  assert.match(connected, /^40\{/);

  const poll = fetchText(`${base}&sid=${sid}`);
  // A request behind it on the same worker is answered: so the poll has arrived as well.
  await host.waitForStatus((status) => status.workers[0]?.handedOff === 4, "the poll");
  await fetchText(`${host.url}/who`);
  const stopped = host.stop();
  const { status, body } = await poll;
  assert.equal(status, 200);
  assert.ok(body.split("\x1e").includes("1"), `the answer is ${JSON.stringify(body)}`);
  assert.equal((await stopped).code, 0);
});

test("an answer in progress finishes; until then all others hear 503, and the host says that it drains", async (t) => {
  await using host = await startHost({ app, workers: 2 });
  const response = await startGet(`${host.url}/slow?ms=1000`);
  const startedMs = performance.now();
  const stopped = host.stop();
  await host.waitForLog((record) => record.msg.startsWith("SIGTERM: no new sessions"), "the drain line");

  const ready = await fetchText(`http://127.0.0.1:${host.adminPort}/readyz`);
  assert.deepEqual([ready.status, ready.body], [503, "draining\n"]);
  const refused = await fetchText(`${host.url}/who`);
  assert.deepEqual([refused.status, refused.headers["retry-after"], refused.body], [503, "1", "draining"]);
  assert.equal((await host.readStatus()).state, "draining");
  assert.equal((await fetchText(`http://127.0.0.1:${host.adminPort}/livez`)).status, 200);

  const lines = (await readAll(response)).trimEnd().split("\n");
  const answeredMs = performance.now() - startedMs;
  assert.deepEqual([lines.length, lines.at(-1)], [11, "end"]);
  assert.equal((await stopped).code, 0);
  const endedMs = performance.now() - startedMs;
  t.diagnostic(`answer complete after ${Math.round(answeredMs)} ms, exit after ${Math.round(endedMs)} ms`);
  assert.ok(endedMs - answeredMs < 2_000, `the host ended ${endedMs - answeredMs} ms after the answer`);
});

test("drain hooks run on every worker, and the host waits for those that are async", async () => {
  const directory = mkdtempSync(join(tmpdir(), "sbx-notes-"));
  try {
    const notes = join(directory, "notes");
    await using host = await startHost({ app, workers: 2, env: { APP_DRAIN: "note", APP_NOTES: notes } });
    assert.equal((await host.stop()).code, 0);
    const lines = readFileSync(notes, "utf8").trimEnd().split("\n").sort();
    assert.deepEqual(
      lines.map((line) => JSON.parse(line) as unknown),
      ["first", "second"].flatMap((drain) => [0, 1].map((worker) => ({ drain, worker }))),
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("a runtime directory that the host had to make is taken away with it", async () => {
  const directory = mkdtempSync(join(tmpdir(), "sbx-"));
  try {
    const runtimeDir = join(directory, "made");
    await using host = await startHost({ app, workers: 1, env: { SIGNALBOX_RUNTIME_DIR: runtimeDir } });
    assert.ok(existsSync(runtimeDir));
    assert.equal((await host.stop()).code, 0);
    assert.ok(!existsSync(runtimeDir));
  } finally {
    rmSync(directory, { recursive: true });
  }
});
