/** Proves that the lint rules fire: breaks each of them once in a small project under the real configuration. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../..", import.meta.url));
const configurationFiles = ["biome.json", "eslint.config.mjs", "tsconfig.json", "tsconfig.test.json", "package.json"];

interface Fixture {
  readonly title: string;
  /** Where the file would live: rules differ by folder. */
  readonly file: string;
  readonly text: string;
  /** Rules that must report this file, and no other; empty for what must stay allowed. */
  readonly rules: readonly string[];
}

function importing(file: string, target: string, rules: readonly string[] = ["noRestrictedImports"]): Fixture {
  const verb = rules.length === 0 ? "may import" : "must not import";
  return { title: `${file} ${verb} ${target}`, file, text: `export * from "${target}";\n`, rules };
}

const directions: readonly Fixture[] = [
  importing("src/address/protocol-import.ts", "../protocol/good.js"),
  importing("src/address/logging-import.ts", "../logging.js"),
  importing("src/address/errors-import.ts", "../errors.js", []),
  importing("src/protocol/address-import.ts", "../address/good.js"),
  importing("src/protocol/config-import.ts", "../config/good.js"),
  importing("src/protocol/config-types-import.ts", "../config/config.js", []),
  importing("src/routing/link-import.ts", "../link/good.js"),
  importing("src/routing/protocol-import.ts", "../protocol/good.js", []),
  importing("src/redis/errors-import.ts", "../errors.js", []),
  importing("src/redis/protocol-import.ts", "../protocol/good.js"),
  importing("src/redis/router-import.ts", "../router/good.js"),
  importing("src/router/redis-import.ts", "../redis/good.js", []),
  importing("src/worker/redis-import.ts", "../redis/good.js", []),
  importing("src/config/redis-import.ts", "../redis/good.js"),
  importing("src/config/redis-url-import.ts", "../redis/redis-url.js", []),
  importing("src/link/redis-import.ts", "../redis/good.js"),
  importing("src/primary/redis-import.ts", "../redis/good.js"),
  importing("src/cli/redis-import.ts", "../redis/good.js"),
  importing("src/link/metrics-import.ts", "../metrics/good.js"),
  importing("src/link/routing-import.ts", "../routing/good.js", []),
  importing("src/nginx/config-import.ts", "../config/good.js"),
  importing("src/nginx/address-import.ts", "../address/good.js", []),
  importing("src/primary/nginx-import.ts", "../nginx/good.js"),
  importing("src/cli/nginx-import.ts", "../nginx/good.js", []),
  importing("src/systemd/nginx-import.ts", "../nginx/good.js"),
  importing("src/systemd/config-types-import.ts", "../config/config.js", []),
  importing("src/primary/systemd-import.ts", "../systemd/good.js"),
  importing("src/cli/systemd-import.ts", "../systemd/good.js", []),
  importing("src/config/primary-import.ts", "../primary/good.js"),
  importing("src/config/address-import.ts", "../address/good.js", []),
  importing("src/metrics/worker-import.ts", "../worker/good.js"),
  importing("src/metrics/protocol-import.ts", "../protocol/good.js", []),
  importing("src/worker/primary-import.ts", "../primary/good.js"),
  importing("src/worker/router-import.ts", "../router/good.js"),
  importing("src/worker/config-import.ts", "../config/good.js"),
  importing("src/worker/config-types-import.ts", "../config/config.js", []),
  importing("src/router/worker-import.ts", "../worker/good.js"),
  importing("src/router/host-bus/primary-import.ts", "../../primary/good.js"),
  importing("src/router/host-bus/link-import.ts", "../../link/good.js", []),
  importing("src/peers/router-import.ts", "../router/good.js"),
  importing("src/primary/worker-import.ts", "../worker/good.js"),
  importing("src/primary/router-import.ts", "../router/good.js"),
  importing("src/primary/cli-import.ts", "../cli/good.js"),
  importing("src/primary/config-import.ts", "../config/good.js", []),
  importing("src/cli/worker-import.ts", "../worker/good.js"),
  importing("src/cli/primary-import.ts", "../primary/good.js", []),
  importing("src/client/errors-import.ts", "../errors.js"),
  importing("src/client/worker-import.ts", "../worker/good.js"),
  importing("src/client/protocol-import.ts", "../protocol/good.js", []),
  importing("src/demo/worker-import.ts", "../worker/good.js"),
  importing("src/demo/logging-import.ts", "../logging.js"),
  importing("src/demo/public-import.ts", "../index.js", []),
  importing("src/worker/demo-import.ts", "../demo/good.js"),
  importing("src/index.ts", "./primary/good.js"),
  {
    title: "src/adapter.ts imports its two halves, and nothing else",
    file: "src/adapter.ts",
    text: [
      'export * from "./client/good.js";',
      'export * from "./errors.js";',
      'export * from "./primary/adapter-primary.js";',
      'export * from "./primary/good.js";',
      'export * from "./worker/fabric/create-adapter.js";',
      'export * from "./worker/good.js";',
      "",
    ].join("\n"),
    rules: ["noRestrictedImports", "noRestrictedImports", "noRestrictedImports", "noRestrictedImports"],
  },
];

const code: readonly Fixture[] = [
  {
    title: "an import cycle is reported in both files (one half)",
    file: "src/primary/cycle-a.ts",
    text: 'import { b } from "./cycle-b.js";\n\nexport const a = (): unknown => b;\n',
    rules: ["noImportCycles"],
  },
  {
    title: "an import cycle is reported in both files (other half)",
    file: "src/primary/cycle-b.ts",
    text: 'import { a } from "./cycle-a.js";\n\nexport const b = (): unknown => a;\n',
    rules: ["noImportCycles"],
  },
  {
    title: "a cycle of types is reported like any other",
    file: "src/primary/type-cycle.ts",
    text: 'import type { Other } from "./type-cycle-other.js";\n\nexport type Own = Other | 1;\n',
    rules: ["noImportCycles"],
  },
  {
    title: "a cycle of types is reported like any other (other half)",
    file: "src/primary/type-cycle-other.ts",
    text: 'import type { Own } from "./type-cycle.js";\n\nexport type Other = Own[];\n',
    rules: ["noImportCycles"],
  },
  {
    title: "a floating promise of an own function",
    file: "src/worker/floating.ts",
    text: "async function save(): Promise<void> {}\n\nexport function stop(): void {\n  save();\n}\n",
    rules: ["no-floating-promises"],
  },
  {
    title: "a floating promise that a module of Node returns",
    file: "src/worker/floating-node.ts",
    text: 'import { rm } from "node:fs/promises";\n\nexport function stop(): void {\n  rm("x");\n}\n',
    rules: ["no-floating-promises"],
  },
  {
    title: "a floating promise that a package returns",
    file: "src/worker/floating-package.ts",
    text: 'import type { Server } from "socket.io";\n\nexport function stop(io: Server): void {\n  io.close();\n}\n',
    rules: ["no-floating-promises"],
  },
  {
    title: "a promise where a condition is expected",
    file: "src/worker/misused.ts",
    text: "export function isDone(saved: Promise<boolean>): number {\n  return saved ? 1 : 2;\n}\n",
    rules: ["no-misused-promises"],
  },
  {
    title: "await of what is no promise",
    file: "src/worker/await-value.ts",
    text: "export async function wait(value: number): Promise<number> {\n  return (await value) + 1;\n}\n",
    rules: ["await-thenable"],
  },
  {
    title: "a promise that leaves its try block",
    file: "src/worker/return-in-try.ts",
    text: "export async function load(start: () => Promise<number>): Promise<number> {\n  try {\n    return start();\n  } catch {\n    return 0;\n  }\n}\n",
    rules: ["return-await"],
  },
  {
    title: "a switch that forgets a member of the union",
    file: "src/worker/switch.ts",
    text: 'export function count(kind: "a" | "b"): number {\n  switch (kind) {\n    case "a":\n      return 1;\n  }\n  return 0;\n}\n',
    rules: ["switch-exhaustiveness-check"],
  },
  {
    title: "any",
    file: "src/worker/any.ts",
    text: "export const value: any = 1;\n",
    rules: ["noExplicitAny"],
  },
  {
    title: "process.env outside config/load-config.ts",
    file: "src/primary/environment.ts",
    text: "export const home = process.env.HOME;\n",
    rules: ["noProcessEnv"],
  },
  {
    title: "process.env in config/load-config.ts is allowed",
    file: "src/config/load-config.ts",
    text: "export const home = process.env.HOME;\n",
    rules: [],
  },
  {
    title: "process.exit outside cli/ and worker/",
    file: "src/primary/exit.ts",
    text: "export const stop = (): never => process.exit(1);\n",
    rules: ["no-restricted-properties"],
  },
  {
    title: "process.exit in cli/ is allowed",
    file: "src/cli/exit.ts",
    text: "export const stop = (): never => process.exit(1);\n",
    rules: [],
  },
  {
    title: "process.exit in router/router-main.ts is allowed",
    file: "src/router/router-main.ts",
    text: "export const stop = (): never => process.exit(1);\n",
    rules: [],
  },
  {
    title: "the clock in the router's core",
    file: "src/router/core.ts",
    text: "export const nowMs = (): number => performance.now();\n",
    rules: ["no-restricted-globals"],
  },
  {
    title: "the clock in a pure file",
    file: "src/address/clock.ts",
    text: "export const nowMs = (): number => Date.now();\n",
    rules: ["no-restricted-properties"],
  },
  {
    title: "the clock through a Date in a pure file",
    file: "src/worker/drain-plan.ts",
    text: "export const now = (): Date => new Date();\n",
    rules: ["no-restricted-syntax"],
  },
  {
    title: "chance in a pure file",
    file: "src/primary/worker-choice.ts",
    text: "export const pick = (): number => Math.random();\n",
    rules: ["no-restricted-properties"],
  },
  {
    title: "a timer in a pure file",
    file: "src/primary/restart-policy.ts",
    text: "export const later = (fn: () => void): unknown => setTimeout(fn, 1);\n",
    rules: ["no-restricted-globals"],
  },
  {
    title: "the process in a pure file",
    file: "src/config/schema.ts",
    text: "export const pid = process.pid;\n",
    rules: ["no-restricted-globals"],
  },
  {
    title: "I/O in a pure file",
    file: "src/protocol/read.ts",
    text: 'export { readFileSync } from "node:fs";\n',
    rules: ["no-restricted-imports"],
  },
  {
    title: "types of a module with I/O in a pure file are allowed",
    file: "src/protocol/types.ts",
    text: 'export type { IncomingMessage } from "node:http";\n',
    rules: [],
  },
  {
    title: "a socket in a pure file",
    file: "src/address/dial.ts",
    text: 'export { connect } from "node:net";\n',
    rules: ["no-restricted-imports"],
  },
  {
    title: "reading an address in a pure file is allowed",
    file: "src/address/read.ts",
    text: 'export { BlockList, isIP } from "node:net";\n',
    rules: [],
  },
  {
    title: "the clock outside the pure files is allowed",
    file: "src/primary/clock.ts",
    text: "export const nowMs = (): number => Date.now();\n",
    rules: [],
  },
  {
    title: "formatting",
    file: "src/worker/format.ts",
    text: "export const text = 'single'\n",
    rules: ["format"],
  },
  {
    title: "imports out of order",
    file: "src/worker/import-order.ts",
    text: 'import path from "node:path";\nimport fs from "node:fs";\n\nexport const both = [fs, path];\n',
    rules: ["organizeImports"],
  },
];

/** What the fixtures import, so that types resolve: the promise rules work with types. */
const folders = new Set(directions.map(({ file }) => file.split("/")[1] ?? "").filter((name) => !name.endsWith(".ts")));
const supports = new Map([
  ...[...folders].map((folder) => [`src/${folder}/good.ts`, `export const ${folder} = 1;\n`] as const),
  ["src/config/config.ts", "export interface Config {\n  readonly a: 1;\n}\n"],
  ["src/errors.ts", "export const errors = 1;\n"],
  ["src/logging.ts", "export const logging = 1;\n"],
  ["src/redis/redis-url.ts", "export const parse = 1;\n"],
  ["src/primary/adapter-primary.ts", "export const setupPrimary = 1;\n"],
  ["src/worker/fabric/create-adapter.ts", "export const createAdapter = 1;\n"],
]);

describe("lint rules", () => {
  let directory = "";
  let rulesByFile: ReadonlyMap<string, readonly string[]> = new Map();

  before(async () => {
    directory = await mkdtemp(path.join(tmpdir(), "signalbox-lint-"));
    await writeProject(directory);
    const [biome, eslint] = await Promise.all([runBiome(directory), runEslint(directory)]);
    rulesByFile = collect([...biome, ...eslint]);
  });

  after(() => rm(directory, { recursive: true, force: true }));

  for (const fixture of [...directions, ...code]) {
    test(fixture.title, () => {
      assert.deepEqual(rulesByFile.get(fixture.file) ?? [], fixture.rules);
    });
  }

  test("the files that the fixtures import break no rule", () => {
    for (const file of supports.keys()) assert.deepEqual(rulesByFile.get(file) ?? [], [], file);
  });

  test("every folder of src has its import directions", async () => {
    const entries = await readdir(path.join(root, "src"), { withFileTypes: true });
    const present = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
    assert.deepEqual(
      present.filter((folder) => !folders.has(folder)),
      [],
    );
  });
});

interface Finding {
  readonly file: string;
  readonly rule: string;
}

async function writeProject(directory: string): Promise<void> {
  for (const name of configurationFiles) await cp(path.join(root, name), path.join(directory, name));
  await symlink(path.join(root, "node_modules"), path.join(directory, "node_modules"));
  await mkdir(path.join(directory, "test"));
  await mkdir(path.join(directory, "scripts"));
  const texts = new Map(supports);
  for (const { file, text } of [...directions, ...code]) {
    assert.ok(!texts.has(file), `${file} is there twice`);
    texts.set(file, text);
  }
  for (const [file, text] of texts) {
    await mkdir(path.dirname(path.join(directory, file)), { recursive: true });
    await writeFile(path.join(directory, file), text);
  }
}

async function runBiome(directory: string): Promise<Finding[]> {
  const output = await runTool(directory, "@biomejs/biome/bin/biome", [
    "check",
    "--reporter=json",
    "--diagnostic-level=warn",
    "--max-diagnostics=none",
  ]);
  const report = JSON.parse(output) as { diagnostics: { category: string; location: { path: string } }[] };
  return report.diagnostics.map(({ category, location }) => ({
    file: location.path,
    rule: category.slice(category.lastIndexOf("/") + 1),
  }));
}

async function runEslint(directory: string): Promise<Finding[]> {
  const output = await runTool(directory, "eslint/bin/eslint.js", ["--format=json", "src"]);
  const report = JSON.parse(output) as { filePath: string; messages: { ruleId: string | null; message: string }[] }[];
  return report.flatMap(({ filePath, messages }) =>
    messages.map(({ ruleId, message }) => ({
      file: path.relative(directory, filePath),
      rule: ruleId?.replace("@typescript-eslint/", "") ?? message,
    })),
  );
}

/** Both tools end with 1 when they find something, which is what they are here for. */
function runTool(cwd: string, tool: string, args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const file = path.join(root, "node_modules", tool);
    execFile(process.execPath, [file, ...args], { cwd, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      if (error === null || error.code === 1) resolve(stdout);
      else reject(new Error(`${tool} failed: ${stderr || stdout}`, { cause: error }));
    });
  });
}

function collect(findings: readonly Finding[]): Map<string, string[]> {
  const rules = new Map<string, string[]>();
  for (const { file, rule } of findings) rules.set(file, [...(rules.get(file) ?? []), rule].sort());
  return rules;
}
