/** What the documents name is there: scripts, commands, flags, settings, files, sections. */

import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";
import { nginxFlags } from "../../src/cli/nginx-flags.js";
import { commandNames } from "../../src/cli/parse-arguments.js";
import { systemdFlags } from "../../src/cli/systemd-flags.js";
import { configSettings } from "../../src/config/schema.js";
import { runProgram } from "../support/cli-process.js";
import { projectDir } from "../support/host.js";

const documents = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "nginx/README.md", "systemd/README.md"].map(
  (name) => ({
    name,
    text: readFileSync(join(projectDir, name), "utf8"),
  }),
);

/** Flags that are no settings, and those of other programs that the documents name. */
const otherFlags = [
  "--config",
  "--env-file",
  "--json",
  "--with-variables",
  "--help",
  "--version",
  "--now",
  "--hosts",
  "--stock",
  "--rooms",
  "--nginx",
  "--start",
  "--purge",
  ...systemdFlags.map((flag) => flag.name),
  "--regions",
  "--latency",
];
/** Variables that are no settings: one names the config file, one is read before there is a build. */
const otherVariables = ["SIGNALBOX_CONFIG", "SIGNALBOX_BOOTSTRAP"];

/** Commands of npm itself that the documents name. */
const npmCommands = ["install"];

/** All matches of the pattern's first group, each once. */
function findAll(text: string, pattern: RegExp): string[] {
  return [...new Set([...text.matchAll(pattern)].map((match) => match[1] ?? ""))];
}

function assertKnown(found: readonly string[], known: readonly string[]): void {
  assert.deepEqual(
    found.filter((name) => !known.includes(name)),
    [],
  );
}

describe("the documents", () => {
  for (const { name, text } of documents) {
    it(`${name} names npm scripts that exist`, () => {
      const { scripts } = JSON.parse(readFileSync(join(projectDir, "package.json"), "utf8")) as { scripts: object };
      assertKnown(findAll(text, /npm (?:run )?([a-z][\w:-]*)/g), [...Object.keys(scripts), ...npmCommands]);
    });

    it(`${name} names commands that exist`, () => {
      assertKnown(findAll(text, /(?:npx |`)signalbox ([a-z]+)/g), commandNames);
    });

    it(`${name} names flags and variables that exist`, () => {
      const flags = configSettings.map((setting) => setting.flagName);
      assertKnown(findAll(text, /(?<![\w-])(--[a-z][a-z-]*)/g), [
        ...flags,
        ...nginxFlags.map((flag) => flag.name),
        ...otherFlags,
      ]);
      const variables = configSettings.map((setting) => setting.environmentName);
      // `SIGNALBOX_*` stands for all of them.
      assertKnown(findAll(text, /(SIGNALBOX_[A-Z_]*[A-Z])/g), [...variables, ...otherVariables]);
    });

    it(`${name} names settings that exist`, () => {
      const keys = configSettings.map((setting) => setting.key);
      assertKnown(findAll(text, /`([a-z]+[A-Za-z]*(?:Ms|Bytes|Port|Dir|Restarts|Key|Connections))`/g), keys);
    });

    it(`${name} links to sections and files that are there`, () => {
      for (const target of findAll(text, /\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(target)) continue;
        const [file = "", anchor] = target.split("#");
        const path = file === "" ? join(projectDir, name) : join(projectDir, dirname(name), file);
        const isThere = existsSync(path) && (anchor === undefined || findAnchors(path).includes(anchor));
        assert.ok(isThere, `${name} links to ${target}`);
      }
    });
  }

  it("README.md has its generated parts as the code has them now", async () => {
    const script = join(projectDir, "scripts/generate-readme.mjs");
    const { code, stderr } = await runProgram(process.execPath, [script, "--check"]);
    assert.equal(code, 0, stderr);
  });

  it("README.md describes every member of an application's context, and no other", () => {
    const contract = readFileSync(join(projectDir, "src/worker/app-contract.ts"), "utf8");
    const [, body = ""] = /interface SignalboxContext \{\n([\s\S]*?)\n\}/.exec(contract) ?? [];
    const [, table = ""] = /\| `context` \| \|\n\|---\|---\|\n((?:\|.*\n)+)/.exec(documents[0]?.text ?? "") ?? [];
    const members = findAll(body, /^ {2}(?:readonly )?(\w+)[:(]/gm);
    assert.ok(members.length > 0);
    assert.deepEqual(findAll(table, /^\| `(\w+)/gm).sort(), members.sort());
  });
});

function findAnchors(path: string): string[] {
  return findAll(readFileSync(path, "utf8"), /^#+ (.+)$/gm).map((heading) => slug(heading));
}

/** As GitHub makes the anchor of a heading. */
function slug(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, "")
    .replaceAll(" ", "-");
}

describe("the folder table of ARCHITECTURE.md", () => {
  const text = documents.find(({ name }) => name === "ARCHITECTURE.md")?.text ?? "";
  const rows = [...text.matchAll(/^\| `([\w/]+)`(?: \(p\))? \| (.+) \|$/gm)].map(([, folder = "", holds = ""]) => ({
    folder,
    holds,
  }));

  it("lists every folder of src/, and only folders that are there", () => {
    const folders = readdirSync(join(projectDir, "src"), { withFileTypes: true }).filter((entry) =>
      entry.isDirectory(),
    );
    const listed = rows.map(({ folder }) => folder);
    assert.deepEqual(
      listed.filter((folder) => /^src\/\w+$/.test(folder)).sort(),
      folders.map(({ name }) => `src/${name}`).sort(),
    );
    for (const folder of listed) assert.ok(existsSync(join(projectDir, folder)), folder);
  });

  for (const { folder, holds } of rows) {
    it(`names files and folders that are in ${folder}`, () => {
      // A word like `restart-policy`, not `process.env` or `npm start`.
      for (const name of findAll(holds, /`([a-z][a-z-]*)`/g)) {
        const isThere = [name, `${name}.ts`, `${name}.mjs`].some(
          (file) => existsSync(join(projectDir, folder, file)) || existsSync(join(projectDir, file)),
        );
        assert.ok(isThere, `${folder} holds ${name}`);
      }
    });
  }
});
