/** A Redis of the test's own, on a Unix socket in a temporary directory: it can be killed and started again in its place. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findProgram } from "../prerequisite.js";

export const redisPath = findProgram("redis-server");
export const missingRedis = "redis-server is not installed; apt-get install redis-server installs it";

const patienceMs = 15_000;

export class LocalRedis implements AsyncDisposable {
  readonly socketPath: string;
  readonly #directory = mkdtempSync(join(tmpdir(), "sbx-redis-"));
  readonly #password: string | undefined;
  #child: ChildProcess | undefined;

  /** Not started yet. */
  constructor(options: { readonly password?: string } = {}) {
    this.#password = options.password;
    this.socketPath = join(this.#directory, "redis.sock");
  }

  get url(): string {
    return `unix://${this.socketPath}`;
  }

  /** Resolves when it accepts connections. */
  async start(): Promise<void> {
    const args = ["--port", "0", "--unixsocket", this.socketPath, "--save", "", "--appendonly", "no"];
    if (this.#password !== undefined) args.push("--requirepass", this.#password);
    const child = spawn(redisPath ?? "redis-server", args, {
      cwd: this.#directory,
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child = child;
    await new Promise<void>((resolve, reject) => {
      let said = "";
      const timer = setTimeout(
        () => reject(new Error(`Redis did not start in ${patienceMs} ms:\n${said}`)),
        patienceMs,
      );
      child.once("exit", (code) => reject(new Error(`Redis ended with code ${code}:\n${said}`)));
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        said += text;
        if (!said.includes("ready to accept connections at")) return;
        clearTimeout(timer);
        resolve();
      });
    });
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#child?.kill(signal);
  }

  /** As when its machine loses power. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
