/** One of two hosts behind nginx is drained and ends, and nobody who begins a session meanwhile notices. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import WebSocket from "ws";
import { enginePath } from "../support/engine-polling.js";
import { fetchText, fixturePath, startHost, type TestHost } from "../support/host.js";
import { missingNginx, nginxPath, startNginx } from "../support/nginx.js";
import { skipOrFail } from "../support/prerequisite.js";

const app = fixturePath("echo-app.mjs");
const loopsOfEachKind = 3;
/** Handshakes that must succeed before the drain, and after the host has ended. */
const calmHandshakes = 50;

/** Requests of a session go to its host; a request of none goes to any, and to the next when that one will not have it. */
function renderConf(port: number, hosts: Readonly<Record<string, TestHost>>): string {
  const entries = Object.entries(hosts);
  // No host is ever left out for its failures: the one that ends is asked until the end, and after it.
  const servers = entries.map(([, host]) => `server 127.0.0.1:${host.port} max_fails=0;`);
  return [
    ...["upstream any {", ...servers, "keepalive 4;", "}"],
    ...entries.map(([key, host]) => `upstream ${key} { server 127.0.0.1:${host.port}; }`),
    ...["map $arg_sid $host_of_session {", "default any;", ...entries.map(([key]) => `"~^${key}" ${key};`), "}"],
    'map $http_upgrade $upstream_connection { default upgrade; "" ""; }',
    "log_format statuses '$request_method $http_upgrade [$upstream_status] $status';",
    ...["server {", `listen 127.0.0.1:${port};`, "access_log access.log statuses;"],
    ...["location / {", "proxy_pass http://$host_of_session;", "proxy_http_version 1.1;", "proxy_buffering off;"],
    ...["proxy_set_header Upgrade $http_upgrade;", "proxy_set_header Connection $upstream_connection;"],
    ...["proxy_next_upstream error timeout http_503;", "}", "}"],
  ].join("\n");
}

/** Begins sessions one after another, in several loops, and keeps account. */
class Handshakes {
  readonly failures: string[] = [];
  /** How many each host has had. */
  readonly countByHost = new Map<string, number>();
  readonly #port: number;
  readonly #loops: Promise<void>[];
  #isStopped = false;
  #wake: () => void = () => {};

  constructor(port: number) {
    this.#port = port;
    const kinds = [async () => await this.#beginPolling(), async () => await this.#beginWebSocket()];
    this.#loops = kinds.flatMap((begin) =>
      Array.from({ length: loopsOfEachKind }, async () => await this.#repeat(begin)),
    );
  }

  get total(): number {
    return [...this.countByHost.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Resolves once it holds. */
  async until(holds: () => boolean): Promise<void> {
    while (!holds()) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#loops);
  }

  async #repeat(begin: () => Promise<string>): Promise<void> {
    while (!this.#isStopped) {
      try {
        const key = (await begin()).slice(0, 4);
        this.countByHost.set(key, (this.countByHost.get(key) ?? 0) + 1);
      } catch (thrown) {
        this.failures.push(String(thrown));
      }
      this.#wake();
    }
  }

  /** A polling client comes once and never again. */
  async #beginPolling(): Promise<string> {
    const { status, body } = await fetchText(`http://127.0.0.1:${this.#port}${enginePath()}`);
    if (status !== 200) throw new Error(`polling: ${status} ${body}`);
    return readSid(body);
  }

  async #beginWebSocket(): Promise<string> {
    const webSocket = new WebSocket(`ws://127.0.0.1:${this.#port}${enginePath({ transport: "websocket" })}`);
    const [data] = (await once(webSocket, "message")) as [Buffer];
    webSocket.on("error", () => {});
    webSocket.close();
    return readSid(data.toString());
  }
}

function readSid(openPacket: string): string {
  return (JSON.parse(openPacket.slice(1)) as { sid: string }).sid;
}

test("no handshake fails while one of two hosts drains and ends", { timeout: 60_000 }, async (t) => {
  if (nginxPath === undefined) return skipOrFail(t, missingNginx);
  const start = async (key: string, workers: number): Promise<TestHost> =>
    await startHost({ app, workers, env: { SIGNALBOX_HOST_KEY: key } });
  const [leaving, staying] = await Promise.all([start("hstA", 2), start("hstB", 1)]);
  await using _leaving = leaving;
  await using _staying = staying;
  const { nginx, port } = await startNginx((free) => renderConf(free, { hstA: leaving, hstB: staying }));
  await using _nginx = nginx;

  const handshakes = new Handshakes(port);
  await handshakes.until(() => (handshakes.countByHost.get("hstA") ?? 0) >= calmHandshakes);
  const [before, startedMs] = [handshakes.total, performance.now()];
  const { code } = await leaving.stop();
  const [during, tookMs] = [handshakes.total - before, performance.now() - startedMs];
  const ended = handshakes.total;
  await handshakes.until(() => handshakes.total >= ended + calmHandshakes);
  await handshakes.stop();

  t.diagnostic(`${during} handshakes in the ${Math.round(tookMs)} ms of the drain, ${handshakes.total} in all`);
  assert.deepEqual(handshakes.failures, []);
  assert.equal(code, 0);
  assert.ok(during >= 50, `${during} handshakes during the drain`);
  // The host itself was asked, and nginx had to go on to the other: else nothing was tried.
  const log = nginx.readLog();
  assert.match(log, /^GET - \[503, 200\] 200$/m);
  assert.match(log, /^GET websocket \[503, 101\] 101$/m);
  assert.match(log, /^GET - \[502, 200\] 200$/m);
});
