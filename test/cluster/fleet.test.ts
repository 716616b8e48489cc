/** `npm run fleet`: Redis and several hosts that are one server, and nothing is left of them afterwards. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { io as connect } from "socket.io-client";
import { runProgram } from "../support/cli-process.js";
import { cleanEnvironment, fixturePath, killIfThere, listDescendants, pause, waitUntilGone } from "../support/host.js";
import { isNginxMissing } from "../support/nginx.js";
import { skipOrFail } from "../support/prerequisite.js";
import { missingRedis, redisPath } from "../support/redis/local-redis.js";

const script = fileURLToPath(new URL("../../scripts/fleet.mjs", import.meta.url));
const patienceMs = 30_000;

/** The script, with a temporary directory of its own. */
class Fleet implements AsyncDisposable {
  readonly process: ChildProcess;
  readonly tmpDir = mkdtempSync(join(tmpdir(), "sbx-"));
  readonly exited: Promise<unknown[]>;
  stdout = "";
  stderr = "";
  #pids: readonly number[] = [];

  constructor(args: readonly string[]) {
    this.process = spawn(process.execPath, [script, ...args], {
      env: cleanEnvironment({ TMPDIR: this.tmpDir }),
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.exited = once(this.process, "exit");
    this.process.stdout?.setEncoding("utf8").on("data", (text: string) => {
      this.stdout += text;
    });
    this.process.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.stderr += text;
    });
  }

  /** Addresses of the hosts, once all are ready. */
  async addresses(count: number): Promise<string[]> {
    const deadlineMs = performance.now() + patienceMs;
    for (;;) {
      const found = [...this.stdout.matchAll(/^ {2}host \d+ {2}(\S+)(?: {2}in \w+)?$/gm)].map(([, address]) =>
        String(address),
      );
      this.#pids = listDescendants(this.process.pid ?? 0);
      if (found.length === count) return found;
      assert.ok(performance.now() < deadlineMs && this.process.exitCode === null, `${this.stdout}\n${this.stderr}`);
      await pause(20);
    }
  }

  /** The first group of the pattern, once it is said. */
  async find(pattern: RegExp): Promise<string> {
    const deadlineMs = performance.now() + patienceMs;
    for (;;) {
      const [, found] = pattern.exec(this.stdout) ?? [];
      this.#pids = listDescendants(this.process.pid ?? 0);
      if (found !== undefined) return found;
      assert.ok(performance.now() < deadlineMs && this.process.exitCode === null, `${this.stdout}\n${this.stderr}`);
      await pause(20);
    }
  }

  /** Ends as it wants to, and answers its exit code; nothing may be left. */
  async waitForEnd(): Promise<unknown> {
    const [code] = await this.exited;
    assert.deepEqual(await waitUntilGone([...this.#pids], 2_000), [], "processes were left");
    assert.deepEqual(
      readdirSync(this.tmpDir).filter((name) => name.startsWith("sbx-fleet")),
      [],
    );
    return code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) this.process.kill("SIGTERM");
    await this.exited;
    for (const pid of this.#pids) killIfThere(pid);
    rmSync(this.tmpDir, { recursive: true, force: true });
  }
}

/** Resolves with what a client of one host hears when one of another speaks, again and again until it is heard. */
async function talk(from: string, to: string): Promise<string> {
  const speaker = connect(from, { transports: ["websocket"] });
  const listener = connect(to, { transports: ["websocket"] });
  try {
    await Promise.all(
      [speaker, listener].map(async (socket) => await new Promise<void>((resolve) => socket.once("connect", resolve))),
    );
    const heard = new Promise<string>((resolve) =>
      listener.once("said", (_text: string, hostKey: string) => resolve(hostKey)),
    );
    const speaking = setInterval(() => speaker.emit("say", "hello"), 50);
    const hostKey = await heard;
    clearInterval(speaking);
    return hostKey;
  } finally {
    speaker.close();
    listener.close();
  }
}

describe("npm run fleet", { timeout: 120_000 }, () => {
  test("starts hosts that reach each other, and ends them on Ctrl-C", async (t) => {
    if (redisPath === undefined) return skipOrFail(t, missingRedis);
    await using fleet = new Fleet(["--hosts", "2", "--workers", "1", "--app", fixturePath("fleet/fleet-app.mjs")]);
    const [first = "", second = ""] = await fleet.addresses(2);
    assert.equal(await talk(first, second), "h001");
    assert.equal(await talk(second, first), "h002");
    assert.match(fleet.stdout, /^host 2 \| .*Ready at/m);
    fleet.process.kill("SIGINT");
    assert.equal(await fleet.waitForEnd(), 0);
  });

  test("starts regions that reach each other over ways that take their time", async (t) => {
    if (redisPath === undefined) return skipOrFail(t, missingRedis);
    const app = fixturePath("fleet/fleet-app.mjs");
    const args = ["--regions", "eu,us", "--hosts", "1", "--workers", "1", "--latency", "20ms", "--app", app];
    await using fleet = new Fleet(args);
    const [eu, us] = (await fleet.addresses(2)) as [string, string];
    assert.match(fleet.stdout, /host 1 {2}\S+ {2}in eu\n {2}host 2 {2}\S+ {2}in us\n/);
    assert.equal(await talk(eu, us), "h001");
    assert.equal(await talk(us, eu), "h002");
    fleet.process.kill("SIGINT");
    assert.equal(await fleet.waitForEnd(), 0);
  });

  test("puts nginx in front, follows its log, and ends it too", async (t) => {
    if (redisPath === undefined) return skipOrFail(t, missingRedis);
    if (isNginxMissing(t)) return;
    const app = fixturePath("fleet/fleet-app.mjs");
    await using fleet = new Fleet(["--nginx", "--hosts", "2", "--workers", "1", "--app", app]);
    await fleet.addresses(2);
    const url = await fleet.find(/^ {2}nginx {3}(http\S+)$/m);
    const [one, other] = [await talk(url, url), await talk(url, url)];
    // The speakers of both are the first of two new sessions, and the hosts get those in turn.
    assert.deepEqual([one, other].sort(), ["h001", "h001"]);
    await fleet.find(/^(nginx {2}\| 127\.0\.0\.1 .*"GET \/socket\.io\/" 101 .*)$/m);
    fleet.process.kill("SIGINT");
    assert.equal(await fleet.waitForEnd(), 0);
    assert.equal(fleet.stderr, "");
  });

  test("ends all of them with 1, and says why, when one ends by itself", async (t) => {
    if (redisPath === undefined) return skipOrFail(t, missingRedis);
    await using fleet = new Fleet(["--hosts", "2", "--workers", "1", "--app", fixturePath("no-such-app.mjs")]);
    const [code] = await fleet.exited;
    assert.equal(code, 2);
    assert.match(fleet.stderr, /^--app: there is no file .*no-such-app\.mjs$/m);

    await using broken = new Fleet(["--hosts", "2", "--workers", "1", "--app", fixturePath("fleet/ends-app.mjs")]);
    assert.equal(await broken.waitForEnd(), 1);
    assert.match(broken.stderr, /^host \d has ended \(exit code \d\): the others are told to end as well$/m);
  });

  const mistakes: [readonly string[], RegExp][] = [
    [["--hosts", "0"], /^--hosts is to be a whole number from 1 to 64, and not "0"$/m],
    [["--workers", "two"], /^--workers is to be a whole number/m],
    [["--nonsense"], /Unknown option '--nonsense'[\s\S]*npm run fleet/],
  ];
  for (const [args, expected] of mistakes) {
    test(`${args.join(" ")} is a mistake that it names`, async () => {
      const { code, stderr, stdout } = await runProgram(process.execPath, [script, ...args]);
      assert.deepEqual([code, stdout], [2, ""]);
      assert.match(stderr, expected);
      assert.doesNotMatch(stderr, /^\s+at /m);
    });
  }

  test("--help says what it does", async () => {
    const { code, stdout } = await runProgram(process.execPath, [script, "--help"]);
    assert.equal(code, 0);
    assert.match(stdout, /--hosts COUNT/);
  });
});
