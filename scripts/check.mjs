/** Format, lint and types, one after another; all of them run, and all that they find is shown. */

import { spawn } from "node:child_process";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** `fix` is the command that repairs what a tool can repair by itself. */
const steps = [
  {
    name: "format",
    tool: "@biomejs/biome/bin/biome",
    args: ["format", "--max-diagnostics=none"],
    fix: "npx biome check --write",
  },
  {
    name: "lint: Biome",
    tool: "@biomejs/biome/bin/biome",
    args: [
      "check",
      "--formatter-enabled=false",
      "--error-on-warnings",
      "--diagnostic-level=warn",
      "--max-diagnostics=none",
    ],
    fix: "npx biome check --write",
  },
  { name: "lint: ESLint", tool: "eslint/bin/eslint.js", args: ["--max-warnings=0", "src", "test"] },
  { name: "types: src", tool: "typescript/bin/tsc", args: ["--noEmit", "-p", "tsconfig.json"] },
  { name: "types: src and test", tool: "typescript/bin/tsc", args: ["--noEmit", "-p", "tsconfig.test.json"] },
];

let hasFailed = false;
for (const step of steps) {
  const startedMs = performance.now();
  const { code, output } = await runTool(step);
  const seconds = ((performance.now() - startedMs) / 1000).toFixed(1);
  process.stdout.write(`${code === 0 ? "ok    " : "FAILED"} ${seconds.padStart(5)} s  ${step.name}\n`);
  if (code === 0) continue;
  hasFailed = true;
  process.stdout.write(`${output}\n${step.fix === undefined ? "" : `Most of it is repaired by: ${step.fix}\n`}`);
}
process.exitCode = hasFailed ? 1 : 0;

function runTool({ tool, args }) {
  return new Promise((resolve, reject) => {
    const file = path.join(root, "node_modules", tool);
    const child = spawn(process.execPath, [file, ...args], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding("utf8");
      stream.on("data", (text) => {
        output += text;
      });
    }
    child.once("error", reject);
    child.once("close", (code) => resolve({ code: code ?? 1, output }));
  });
}
