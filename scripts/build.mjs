/** Builds src/ into dist/: complete or not at all, so that a failed build leaves the previous one in place. */

import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { withProjectLock } from "./project-lock.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const sourceDirectory = path.join(root, "src");
const distDirectory = path.join(root, "dist");
const stampName = ".signalbox-build.json";
const executable = "cli/main.js";

/** A build that failed; the compiler's own words are on the terminal already. */
export class BuildError extends Error {}

/** Why dist/ must be built, or undefined when it matches the sources. */
export function findBuildReason() {
  if (!fs.existsSync(path.join(distDirectory, executable))) return "there is no build yet";
  try {
    const stamp = JSON.parse(fs.readFileSync(path.join(distDirectory, stampName), "utf8"));
    return stamp.sources === hashSources() ? undefined : "the sources are newer than the build";
  } catch {
    return "the build does not say what it was made from";
  }
}

/** Compiles, copies what is not TypeScript, swaps the result in. The caller holds the project lock. */
export async function build() {
  const sources = hashSources();
  removeLeftovers();
  // Beside dist/ and at its depth: the paths in the source maps stay right after the swap.
  const nextDirectory = path.join(root, `.dist-${process.pid}`);
  try {
    await compile(nextDirectory);
    copyAssets(nextDirectory);
    const executablePath = path.join(nextDirectory, executable);
    if (fs.existsSync(executablePath)) fs.chmodSync(executablePath, 0o755);
    fs.writeFileSync(path.join(nextDirectory, stampName), `${JSON.stringify({ sources })}\n`);
    swapIn(nextDirectory);
  } finally {
    fs.rmSync(nextDirectory, { recursive: true, force: true });
  }
}

/** Contents decide, not times: a checkout or a copy gives every file a new time. */
function hashSources() {
  const hash = createHash("sha256");
  const files = listFiles(sourceDirectory).map((file) => path.join("src", file));
  // The lock file stands for the compiler's version, this file for what is done besides compiling.
  for (const file of [...files, "tsconfig.json", "package-lock.json", "scripts/build.mjs"]) {
    hash
      .update(`${file}\0`)
      .update(fs.readFileSync(path.join(root, file)))
      .update("\0");
  }
  return hash.digest("hex");
}

function listFiles(directory, prefix = "") {
  const found = [];
  for (const entry of fs.readdirSync(path.join(directory, prefix), { withFileTypes: true })) {
    const name = path.join(prefix, entry.name);
    if (entry.isDirectory()) found.push(...listFiles(directory, name));
    else if (entry.isFile()) found.push(name);
  }
  return found.sort();
}

function compile(outDirectory) {
  const compiler = path.join(root, "node_modules/typescript/bin/tsc");
  if (!fs.existsSync(compiler)) throw new BuildError("The TypeScript compiler is not installed.");
  const args = [compiler, "-p", path.join(root, "tsconfig.json"), "--outDir", outDirectory, "--noEmitOnError"];
  return new Promise((resolve, reject) => {
    // npm pack --json reads stdout: everything said here goes to stderr.
    const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", 2, 2] });
    child.once("error", reject);
    child.once("close", (code, signal) => {
      if (code === 0) resolve();
      else reject(new BuildError(signal === null ? "The sources do not compile." : `The compiler ended by ${signal}.`));
    });
  });
}

function copyAssets(outDirectory) {
  for (const file of listFiles(sourceDirectory)) {
    if (file.endsWith(".ts")) continue;
    const target = path.join(outDirectory, file);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.copyFileSync(path.join(sourceDirectory, file), target);
  }
}

function swapIn(nextDirectory) {
  const previousDirectory = path.join(root, `.dist-${process.pid}-previous`);
  const hasPrevious = fs.existsSync(distDirectory);
  if (hasPrevious) fs.renameSync(distDirectory, previousDirectory);
  try {
    fs.renameSync(nextDirectory, distDirectory);
  } catch (error) {
    if (hasPrevious) fs.renameSync(previousDirectory, distDirectory);
    throw error;
  }
  fs.rmSync(previousDirectory, { recursive: true, force: true });
}

/** Directories of a build that was killed; the lock says that no other build is under way. */
function removeLeftovers() {
  for (const name of fs.readdirSync(root)) {
    if (name.startsWith(".dist-")) fs.rmSync(path.join(root, name), { recursive: true, force: true });
  }
}

async function main() {
  const startedMs = Date.now();
  try {
    await withProjectLock(build, (pid, seconds) =>
      process.stderr.write(`Waiting for process ${pid}, which is preparing this directory (${seconds} s) ...\n`),
    );
    process.stderr.write(`dist/ built in ${((Date.now() - startedMs) / 1000).toFixed(1)} s\n`);
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    const help = fs.existsSync(path.join(root, "node_modules/typescript"))
      ? "Correct the errors above, then: npm run build"
      : "Install the dependencies first: npm ci --include=dev";
    process.stderr.write(`${error.message} ${fs.existsSync(distDirectory) ? "dist/ is as it was. " : ""}${help}\n`);
    process.exitCode = 1;
  }
}

if (process.argv[1] !== undefined && fs.realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) await main();
