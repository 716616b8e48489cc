/** Runs a real nginx for a test, with a configuration of the test's own, and ends it by its process. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findFreePorts } from "./cli-process.js";
import { fetchText, pause } from "./host.js";
import { findProgram } from "./prerequisite.js";

export const nginxPath = findProgram("nginx");
export const missingNginx = "nginx is not installed; apt-get install nginx-light installs it";

const patienceMs = 15_000;

/** An nginx of the test's own: its files in a temporary directory, its log kept. */
export class Nginx implements AsyncDisposable {
  readonly directory: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #stderr = "";
  #hasEnded = false;

  constructor(conf: string) {
    this.directory = mkdtempSync(join(tmpdir(), "sbx-nginx-"));
    mkdirSync(join(this.directory, "temp"));
    const tempPaths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
      (name) => `${name}_temp_path temp/${name};`,
    );
    const main = [
      ...["daemon off;", "master_process off;", "pid nginx.pid;", "error_log stderr notice;"],
      ...["events { worker_connections 512; }", "http {", ...tempPaths, conf, "}"],
    ];
    writeFileSync(join(this.directory, "nginx.conf"), main.join("\n"));
    const args = ["-p", this.directory, "-e", "stderr", "-c", join(this.directory, "nginx.conf")];
    this.#child = spawn(nginxPath ?? "nginx", args, { stdio: ["ignore", "ignore", "pipe"] });
    this.#exited = once(this.#child, "close").then(() => {
      this.#hasEnded = true;
    });
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
    });
  }

  /** Whether it accepts connections; false when it could not have its port. */
  async isServing(port: number): Promise<boolean> {
    const deadlineMs = performance.now() + patienceMs;
    while (performance.now() < deadlineMs) {
      if (this.#hasEnded) {
        if (this.#stderr.includes("Address already in use")) return false;
        throw new Error(`nginx ended:\n${this.#stderr}`);
      }
      const isAnswered = await fetchText(`http://127.0.0.1:${port}/`).then(
        () => true,
        () => false,
      );
      if (isAnswered) return true;
      await pause(20);
    }
    throw new Error(`nginx did not serve in ${patienceMs} ms:\n${this.#stderr}`);
  }

  /** What it found worth at least a warning; that a large upload passes through a file is none. */
  get complaints(): string[] {
    const lines = this.#stderr.split("\n").filter((line) => /\[(warn|error|crit|alert|emerg)\]/.test(line));
    return lines.filter((line) => !/a client request body is buffered.*"POST \/upload/.test(line));
  }

  /** The access log so far. */
  readLog(): string {
    return readFileSync(join(this.directory, "access.log"), "utf8");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#exited;
    rmSync(this.directory, { recursive: true, force: true });
  }
}

/** Starts nginx on a port that is free; nginx cannot have the system pick one, so another is tried when it is taken. */
export async function startNginx(makeConf: (port: number) => string): Promise<{ nginx: Nginx; port: number }> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const port = await findFreePorts(1);
    const nginx = new Nginx(makeConf(port));
    try {
      if (await nginx.isServing(port)) return { nginx, port };
      await nginx[Symbol.asyncDispose]();
    } catch (thrown) {
      await nginx[Symbol.asyncDispose]();
      throw thrown;
    }
  }
  throw new Error("nginx found its port taken five times");
}
