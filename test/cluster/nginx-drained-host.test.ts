/** One of two hosts behind nginx is drained and ends, and nobody who begins a session meanwhile notices. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import WebSocket from "ws";
import { enginePath } from "../support/engine-polling.js";
import { fetchText, fixturePath, startHost, type TestHost } from "../support/host.js";
import { isNginxMissing } from "../support/nginx.js";
import { startSite } from "../support/nginx-site.js";

const app = fixturePath("echo-app.mjs");
const loopsOfEachKind = 3;
/** Handshakes that must succeed before the drain, and after the host has ended. */
const calmHandshakes = 50;
/** The drain goes on until there have been so many. */
const drainHandshakes = 200;
const logFormat = "log_format signalbox '$request_method $http_upgrade [$upstream_status] $status';";

/** The generated site; what each host has answered is in its log. */
function changeSite(site: string): string {
  const changes: readonly [string, string][] = [
    [/log_format signalbox '.*';/.exec(site)?.[0] ?? "log_format", logFormat],
    // No host is ever left out for its failures: the one that ends is asked until the end, and after it.
    ["max_fails=5", "max_fails=0"],
  ];
  let changed = site;
  for (const [from, to] of changes) {
    assert.ok(site.includes(from), `the site has "${from}"`);
    changed = changed.replaceAll(from, to);
  }
  return changed;
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
  if (isNginxMissing(t)) return;
  const directory = mkdtempSync(join(tmpdir(), "sbx-gate-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const gate = join(directory, "gate");
  const start = async (key: string, workers: number): Promise<TestHost> =>
    await startHost({ app, workers, env: { SIGNALBOX_HOST_KEY: key, APP_DRAIN_GATE: gate } });
  const [leaving, staying] = await Promise.all([start("hstA", 2), start("hstB", 1)]);
  await using _leaving = leaving;
  await using _staying = staying;
  const addresses = { hstA: `127.0.0.1:${leaving.port}`, hstB: `127.0.0.1:${staying.port}` };
  await using nginx = await startSite(addresses, {}, changeSite);

  const handshakes = new Handshakes(nginx.port);
  await handshakes.until(() => (handshakes.countByHost.get("hstA") ?? 0) >= calmHandshakes);
  const before = handshakes.total;
  const stopping = leaving.stop();
  await handshakes.until(() => handshakes.total >= before + drainHandshakes);
  writeFileSync(gate, "");
  const { code } = await stopping;
  const ended = handshakes.total;
  await handshakes.until(() => handshakes.total >= ended + calmHandshakes);
  await handshakes.stop();

  t.diagnostic(`${ended - before} handshakes during the drain, ${handshakes.total} in all`);
  assert.deepEqual(handshakes.failures, []);
  assert.equal(code, 0);
  // The host itself was asked, and nginx had to go on to the other: else nothing was tried.
  const log = nginx.readLog();
  assert.match(log, /^GET - \[503, 200\] 200$/m);
  assert.match(log, /^GET websocket \[503, 101\] 101$/m);
  assert.match(log, /^GET - \[502, 200\] 200$/m);
});
