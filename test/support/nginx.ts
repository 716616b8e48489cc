/** An nginx of the test's own, without privileges: everything of it in a temporary directory, on a port that was free. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { renderMain } from "../../src/nginx/render-main.js";
import { findFreePorts, runProgram } from "./cli-process.js";
import { findProgram, skipOrFail } from "./prerequisite.js";

const nginxPath = findProgram("nginx");
const missingNginx = "nginx is not installed; apt-get install nginx-light installs it";

const patienceMs = 15_000;
const maxAttempts = 5;

/** Whether nginx is missing; the test is then skipped. */
export function isNginxMissing(t: TestContext): boolean {
  if (nginxPath === undefined) skipOrFail(t, missingNginx);
  return nginxPath === undefined;
}

export class Nginx implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), "sbx-nginx-"));
  readonly port: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #stderr = "";

  private constructor(port: number, site: string) {
    this.port = port;
    const path = join(this.directory, "nginx.conf");
    writeFileSync(path, renderMain(site));
    const args = ["-p", this.directory, "-e", "stderr", "-c", path];
    this.#child = spawn(nginxPath ?? "nginx", args, { stdio: ["ignore", "ignore", "pipe"] });
    this.#exited = once(this.#child, "close");
    this.#child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
    });
  }

  /** Starts it with what belongs inside `http { }`; nginx cannot have the system pick a port, so another is tried when it is taken. */
  static async start(makeSite: (port: number) => string): Promise<Nginx> {
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const port = await findFreePorts(1);
      const nginx = new Nginx(port, makeSite(port));
      if (await nginx.#isListening()) return nginx;
      await nginx[Symbol.asyncDispose]();
      if (!nginx.#isPortTaken) throw new Error(`nginx did not start:\n${nginx.#stderr}`);
    }
    throw new Error(`nginx found its port taken ${maxAttempts} times`);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
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

  get #isPortTaken(): boolean {
    return this.#stderr.includes("Address already in use");
  }

  /** Resolves with false when it ends, or could not have its port, which it would try again for some seconds. */
  async #isListening(): Promise<boolean> {
    return await new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), patienceMs);
      const settle = (isListening: boolean): void => {
        clearTimeout(timer);
        resolve(isListening);
      };
      void this.#exited.then(() => settle(false));
      this.#child.stderr?.on("data", () => {
        if (this.#isPortTaken) settle(false);
        // It says so when it has its sockets.
        else if (/using the "\w+" event method/.test(this.#stderr)) settle(true);
      });
    });
  }
}

/** Makes a certificate for localhost in the directory. */
export async function makeCertificate(directory: string): Promise<{ certificatePath: string; keyPath: string }> {
  const keyPath = join(directory, "key.pem");
  const certificatePath = join(directory, "certificate.pem");
  const args = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost".split(
    " ",
  );
  const made = await runProgram("openssl", [...args, "-keyout", keyPath, "-out", certificatePath]);
  if (made.code !== 0) throw new Error(`openssl made no certificate:\n${made.stderr}`);
  return { certificatePath, keyPath };
}
