/** Three hosts behind a generated configuration under load: every session on its host, an even spread, and the loss of a host. */

import assert from "node:assert/strict";
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { describe, test } from "node:test";
import { io as connect } from "socket.io-client";
import { findFreePorts } from "../support/cli-process.js";
import { joinRedis } from "../support/fabric-fleet.js";
import { percentile } from "../support/fabric-host.js";
import {
  cleanEnvironment,
  fixturePath,
  killIfThere,
  listDescendants,
  pause,
  startHost,
  type TestHost,
} from "../support/host.js";
import { isNginxMissing } from "../support/nginx.js";
import { startSite } from "../support/nginx-site.js";
import { skipOrFail } from "../support/prerequisite.js";
import { LocalRedis, missingRedis, redisPath } from "../support/redis/local-redis.js";
import { timed } from "../support/stopwatch.js";

const isFull = process.env["TEST_SIZE"] === "full";
const clientsOfEachKind = isFull ? 300 : 20;
const trafficMs = isFull ? 60_000 : 1_500;
const echoIntervalMs = isFull ? 2_000 : 300;
const workers = 2;
const killedKey = "h001";
const hostKeys = [killedKey, "h002", "h003"];
const limitMs = isFull ? 120_000 : 30_000;
/** Of an even share. */
const spreadTolerance = 0.2;

interface ClientReport {
  readonly kind: "polling" | "polling+websocket" | "websocket";
  readonly hostKey: string;
  readonly transport: string;
  readonly echoes: number;
  readonly faults: readonly string[];
  readonly returns: readonly { readonly from: string; readonly to: string; readonly atMs: number }[];
}

interface LoadReport {
  readonly heard: number;
  readonly clients: readonly ClientReport[];
}

/** The clients, in a process of their own. */
class Load implements AsyncDisposable {
  readonly #process: ChildProcess;

  constructor(url: string) {
    this.#process = fork(fixturePath("nginx/load-clients.mjs"), [url, clientsOfEachKind, echoIntervalMs].map(String), {
      env: cleanEnvironment(),
      execArgv: [],
    });
  }

  async waitFor(type: "connected" | "all-heard" | "all-back" | "report"): Promise<unknown> {
    for (;;) {
      const [message] = (await once(this.#process, "message")) as [{ type: string }];
      if (message.type === type) return message;
    }
  }

  async report(): Promise<LoadReport> {
    const reported = this.waitFor("report");
    this.#process.send({ type: "report" });
    return (await timed(reported, limitMs, "a report")).value as LoadReport;
  }

  say(): void {
    this.#process.send({ type: "say" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#process, "exit");
    if (this.#process.exitCode === null && this.#process.kill("SIGKILL")) await ended;
  }
}

function countByHost(clients: readonly ClientReport[]): Record<string, number> {
  return Object.fromEntries(hostKeys.map((key) => [key, clients.filter(({ hostKey }) => hostKey === key).length]));
}

function assertEven(clients: readonly ClientReport[]): void {
  const share = clients.length / hostKeys.length;
  for (const [key, count] of Object.entries(countByHost(clients))) {
    assert.ok(Math.abs(count - share) <= share * spreadTolerance, `${key} has ${count} of ${clients.length}`);
  }
}

/** The hosts on fixed ports, which nginx has been told, with a Redis of their own. */
class Hosts implements AsyncDisposable {
  readonly #redis = new LocalRedis();
  readonly #started: TestHost[] = [];
  #firstPort = 0;

  get addresses(): Record<string, string> {
    return Object.fromEntries(hostKeys.map((key, index) => [key, `127.0.0.1:${this.#firstPort + index}`]));
  }

  async start(): Promise<void> {
    await this.#redis.start();
    this.#firstPort = await findFreePorts(hostKeys.length);
    const starting = await Promise.allSettled(hostKeys.map(async (_, index) => await this.startHost(index)));
    for (const each of starting) if (each.status === "rejected") throw each.reason;
  }

  async startHost(index: number): Promise<TestHost> {
    const host = await startHost({
      app: fixturePath("echo-app.mjs"),
      workers,
      env: {
        ...joinRedis(this.#redis.url, hostKeys[index] ?? ""),
        SIGNALBOX_PORT: String(this.#firstPort + index),
        SIGNALBOX_SLOW_START_MS: "0",
      },
    });
    this.#started.push(host);
    return host;
  }

  /** As when its machine loses power; answers when. */
  kill(hostKey: string): number {
    const port = this.#firstPort + hostKeys.indexOf(hostKey);
    const host = this.#started.find((each) => each.port === port);
    assert.ok(host !== undefined);
    const atMs = Date.now();
    for (const pid of [host.pid, ...listDescendants(host.pid)]) killIfThere(pid);
    return atMs;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#started.map(async (host) => await host[Symbol.asyncDispose]()));
    await this.#redis[Symbol.asyncDispose]();
  }
}

/** Resolves with the milliseconds until a new session is on that host. */
async function waitForNewSession(url: string, hostKey: string): Promise<number> {
  const startedMs = performance.now();
  for (;;) {
    const client = connect(url, { transports: ["websocket"], forceNew: true, reconnection: false });
    const id = await new Promise<string>((resolve, reject) => {
      client.once("connect", () => resolve(client.id ?? ""));
      client.once("connect_error", reject);
    });
    client.disconnect();
    if (id.startsWith(hostKey)) return Math.round(performance.now() - startedMs);
    assert.ok(performance.now() - startedMs < limitMs, `no new session came to ${hostKey}`);
    await pause(50);
  }
}

/** At full size a host that has failed is left alone for as long as it is shipped; else the test need not wait for that. */
const shorten = (site: string): string => (isFull ? site : site.replaceAll("fail_timeout=5s", "fail_timeout=1s"));

const variants: [name: string, change: (site: string) => string][] = [
  ["with connections kept", shorten],
  // Before 1.29.7 that is off, from then on it is `keepalive 0`.
  ["without connections kept", (site) => shorten(site).replaceAll(/^ *keepalive \d+;\n/gm, "")],
];

describe("three hosts behind nginx", { timeout: 6 * limitMs }, () => {
  for (const [name, change] of isFull ? variants : variants.slice(0, 1)) {
    test(`${3 * clientsOfEachKind} clients, ${name}: each on its host, spread evenly; a host is lost and comes back`, async (t) => {
      if (isNginxMissing(t)) return;
      if (redisPath === undefined) return skipOrFail(t, missingRedis);
      await using hosts = new Hosts();
      await hosts.start();
      await using nginx = await startSite(hosts.addresses, {}, change);
      await using load = new Load(nginx.url);

      const connecting = await timed(load.waitFor("connected"), limitMs, "the connection of all");
      await pause(trafficMs);
      const before = await load.report();
      const { clients } = before;
      assert.deepEqual(
        clients.flatMap(({ faults }) => faults),
        [],
      );
      for (const { kind, transport, echoes } of clients) {
        assert.equal(transport, kind === "polling" ? "polling" : "websocket");
        assert.ok(echoes > 0, "every client was answered");
      }
      assertEven(clients);
      for (const kind of ["polling", "polling+websocket", "websocket"]) {
        assertEven(clients.filter((client) => client.kind === kind));
      }
      const heard = load.waitFor("all-heard");
      load.say();
      const hearing = await timed(heard, limitMs, "the receipt of a broadcast by all");
      const echoes = clients.reduce((sum, client) => sum + client.echoes, 0);
      t.diagnostic(
        `connected in ${connecting.ms} ms, ${Object.values(countByHost(clients)).join("/")}; ` +
          `${echoes} echoes in ${trafficMs} ms; a broadcast reached all in ${hearing.ms} ms`,
      );
      assert.deepEqual(nginx.complaints, []);
      assert.doesNotMatch(nginx.readLog(), /\/socket\.io\/" [45]/);

      const back = load.waitFor("all-back");
      const killedAtMs = hosts.kill(killedKey);
      await timed(back, limitMs, "the return of all clients");
      const after = await load.report();
      const [lost, others] = split(after.clients, killedKey);
      assert.equal(lost.length, countByHost(clients)[killedKey]);
      assert.deepEqual(
        others.flatMap(({ faults }) => faults),
        [],
        "clients of the other hosts notice nothing",
      );
      assert.ok(lost.every(({ hostKey }) => hostKey !== killedKey));
      const times = lost.map(({ returns }) => (returns.at(-1)?.atMs ?? Number.NaN) - killedAtMs);
      t.diagnostic(
        `${lost.length} clients of the killed host were back after ${percentile(times, 0.5)} ms (median), ` +
          `${percentile(times, 0.99)} ms (p99)`,
      );
      assert.doesNotMatch(
        nginx.readLog(),
        /\/socket\.io\/" 400/,
        "nobody was sent to a host that does not know the session",
      );

      await hosts.startHost(0);
      t.diagnostic(`a new session reached it ${await waitForNewSession(nginx.url, killedKey)} ms after it was ready`);
      const last = await load.report();
      assert.equal(last.heard, clients.length, "the broadcast reached every client once");
      assert.deepEqual(
        split(last.clients, killedKey)[1].flatMap(({ faults }) => faults),
        [],
      );
    });
  }
});

/** Those that had to leave that host, and all others. */
function split(clients: readonly ClientReport[], hostKey: string): [lost: ClientReport[], others: ClientReport[]] {
  const isLost = ({ returns }: ClientReport): boolean => returns.some(({ from }) => from === hostKey);
  return [clients.filter(isLost), clients.filter((client) => !isLost(client))];
}
