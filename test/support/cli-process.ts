/** Runs the built CLI, or any other program, to its end, and collects what it said. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { cleanEnvironment, cliPath } from "./host.js";

/** Nothing that these programs do takes this long. */
const patienceMs = 30_000;

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly durationMs: number;
}

/** Runs a program until it has ended and its output is complete; kills it when it does not end. */
export async function runProgram(
  file: string,
  args: readonly string[],
  options: { env?: Readonly<Record<string, string>>; cwd?: string } = {},
): Promise<Outcome> {
  const startedMs = performance.now();
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: cleanEnvironment(options.env),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const limit = setTimeout(() => child.kill("SIGKILL"), patienceMs);
  const [code] = (await once(child, "close")) as [number | null];
  clearTimeout(limit);
  return { code, stdout, stderr, durationMs: performance.now() - startedMs };
}

/** Runs `signalbox` with these arguments. */
export async function runCli(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  cwd?: string,
): Promise<Outcome> {
  return await runProgram(process.execPath, [cliPath, ...args], { env, ...(cwd !== undefined && { cwd }) });
}

/**
 * Ports that nobody listens on now, one after another. For settings that cannot be 0; below the range that the system
 * hands out, so that no connection of another test takes one in between.
 */
export async function findFreePorts(count: number): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const first = 10_000 + Math.floor(Math.random() * 20_000);
    const results = await Promise.all(Array.from({ length: count }, (_, index) => isFree(first + index)));
    if (results.every(Boolean)) return first;
  }
  throw new Error(`no ${count} free ports in a row`);
}

async function isFree(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ host: "127.0.0.1", port }, () => probe.close(() => resolve(true)));
  });
}
