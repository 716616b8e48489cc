/** The shipped nginx configuration, in a real nginx, in front of a real host. */

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { io as connectClient, type ManagerOptions, type SocketOptions } from "socket.io-client";
import { fetchText, fixturePath, projectDir, startHost, type TestHost } from "../support/host.js";
import { isNginxMissing, makeCertificate, Nginx } from "../support/nginx.js";
import { findProgram, skipOrFail } from "../support/prerequisite.js";

const app = fixturePath("echo-app.mjs");
const shippedConf = readFileSync(join(projectDir, "nginx/one-host.conf"), "utf8");
const shippedReadme = readFileSync(join(projectDir, "nginx/README.md"), "utf8");

const patienceMs = 15_000;
const clientsOfEachKind = 4;

type ClientOptions = Partial<ManagerOptions & SocketOptions>;

/** How clients come: the way they are told to, and the transport they must have in the end. */
const ways: readonly { options: ClientOptions; transport: string }[] = [
  { options: { transports: ["polling"] }, transport: "polling" },
  { options: { transports: ["polling", "websocket"] }, transport: "websocket" },
  { options: { transports: ["websocket"] }, transport: "websocket" },
];

/** The file as shipped but for this; each part has to be there. */
function changeConf(changes: Readonly<Record<string, string>>): string {
  let conf = shippedConf;
  for (const [from, to] of Object.entries({ ...changes, "/var/log/nginx/signalbox.log": "access.log" })) {
    assert.ok(conf.includes(from), `nginx/one-host.conf has "${from}"`);
    conf = conf.replace(from, to);
  }
  return conf;
}

/** What a client writes itself, nginx replaces. */
const extraHeaders = { "X-Forwarded-For": "203.0.113.1" };

interface Who {
  readonly worker: number;
  readonly id: string;
  readonly address: string;
}

/** Clients of every kind connect through nginx, talk, and share a room over both workers. */
async function checkClients(url: string, moreOptions: ClientOptions = {}): Promise<Set<number>> {
  const clients = ways.flatMap(({ options, transport }) =>
    Array.from({ length: clientsOfEachKind }, () => ({
      client: connectClient(url, { forceNew: true, reconnection: false, extraHeaders, ...options, ...moreOptions }),
      transport,
    })),
  );
  try {
    const workers = new Set<number>();
    for (const { client, transport } of clients) {
      const who = (await client.timeout(patienceMs).emitWithAck("who")) as Who;
      workers.add(who.worker);
      assert.equal(who.id, client.id);
      assert.equal(who.address, "127.0.0.1", "not what the client has written");
      const { engine } = client.io;
      if (engine.transport.name !== transport) {
        await new Promise<void>((resolve, reject) => {
          engine.once("upgrade", () => resolve());
          client.once("disconnect", () => reject(new Error("the client was cut off")));
          setTimeout(() => reject(new Error("the client was not upgraded")), patienceMs).unref();
        });
      }
      assert.equal(engine.transport.name, transport);
      await client.timeout(patienceMs).emitWithAck("join", "room");
    }
    const said = clients.map(
      async ({ client }) => await new Promise((resolve) => client.once("said", (value) => resolve(value))),
    );
    await clients[0]?.client.timeout(patienceMs).emitWithAck("say", "room", "to all");
    assert.deepEqual(await Promise.all(said), Array(clients.length).fill("to all"));
    const long = "x".repeat(100_000);
    for (const { client } of clients) {
      assert.equal(await client.timeout(patienceMs).emitWithAck("echo", long), long);
    }
    assert.ok(clients.every(({ client }) => client.connected));
    return workers;
  } finally {
    for (const { client } of clients) client.disconnect();
  }
}

/** Connections that the host has given to its workers. */
async function countHandedOff(host: TestHost): Promise<number> {
  return (await host.readStatus()).workers.reduce((sum, worker) => sum + worker.handedOff, 0);
}

test("the shipped configuration carries polling, upgrade, WebSocket and uploads", { timeout: 120_000 }, async (t) => {
  if (isNginxMissing(t)) return;
  await using host = await startHost({ app, workers: 2 });
  await using nginx = await Nginx.start((port) =>
    changeConf({ "listen 80;": `listen 127.0.0.1:${port};`, "127.0.0.1:3000": `127.0.0.1:${host.port}` }),
  );
  const { url } = nginx;

  assert.deepEqual([...(await checkClients(url))].sort(), [0, 1], "both workers have clients");

  const body = randomBytes(900_000);
  const answer = await fetchText(`${url}/upload`, { method: "POST", body });
  const { bytes, sha256 } = JSON.parse(answer.body) as { bytes: number; sha256: string };
  assert.deepEqual([bytes, sha256], [body.length, createHash("sha256").update(body).digest("hex")]);

  const before = await countHandedOff(host);
  const requests = 20;
  for (let index = 0; index < requests; index++) assert.equal((await fetchText(`${url}/`)).status, 200);
  const opened = (await countHandedOff(host)) - before;
  t.diagnostic(`${requests} requests one after another: ${opened} connections from nginx to the host`);
  assert.ok(opened <= 2, `${opened} connections`);
  assert.deepEqual(nginx.complaints, []);
  assert.match(nginx.readLog(), /"POST \/socket\.io\/" 200/);
  assert.doesNotMatch(nginx.readLog(), /sid=/, "session ids are not in the log");
});

test("with the README's lines for TLS and a Unix socket it does the same", { timeout: 120_000 }, async (t) => {
  if (isNginxMissing(t)) return;
  if (findProgram("openssl") === undefined) return skipOrFail(t, "openssl is not installed; it makes the certificate");
  const directory = mkdtempSync(join(tmpdir(), "sbx-tls-"));
  try {
    const { certificatePath, keyPath } = await makeCertificate(directory);
    const socketPath = join(directory, "http.sock");
    await using _host = await startHost({ app, workers: 2, env: { SIGNALBOX_LISTEN: socketPath } });
    const tlsLines = /```nginx\n([\s\S]*?)```/.exec(shippedReadme)?.[1] ?? "";
    await using nginx = await Nginx.start((port) => {
      const changes = {
        "listen 443 ssl;": `listen 127.0.0.1:${port} ssl;`,
        "/etc/ssl/certs/example.pem": certificatePath,
        "/etc/ssl/private/example.key": keyPath,
      };
      let lines = tlsLines;
      for (const [from, to] of Object.entries(changes)) {
        assert.ok(lines.includes(from), `nginx/README.md has "${from}"`);
        lines = lines.replace(from, to);
      }
      return changeConf({ "    listen 80;\n": lines, "server 127.0.0.1:3000;": `server unix:${socketPath};` });
    });
    const url = `https://127.0.0.1:${nginx.port}`;
    assert.deepEqual([...(await checkClients(url, { rejectUnauthorized: false }))].sort(), [0, 1]);
    const status = await new Promise((resolve, reject) => {
      const outgoing = httpsRequest(url, { agent: false, rejectUnauthorized: false }, (response) => {
        response.resume().once("end", () => resolve(response.statusCode));
      });
      outgoing.once("error", reject).end();
    });
    assert.equal(status, 200);
    assert.deepEqual(
      nginx.complaints.filter((line) => !line.includes("plain HTTP request")),
      [],
    );
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
