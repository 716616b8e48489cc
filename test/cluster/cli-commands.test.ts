import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { refuseUnsupportedPlatform } from "../../src/cli/start-command.js";
import { resolveConfig } from "../../src/config/resolve-config.js";
import { SignalboxError } from "../../src/errors.js";
import { computeRuntimePaths } from "../../src/primary/runtime-paths.js";
import { exampleStatus } from "../cli/example-status.js";

const main = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "signalbox-cli-"));
after(() => rmSync(directory, { recursive: true }));

interface Outcome {
  readonly code: number | string | null | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the program from source in a process without variables of Signalbox, until it ends. */
function run(argv: readonly string[], variables: Record<string, string> = {}): Promise<Outcome> {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("SIGNALBOX_"));
  const env = { ...Object.fromEntries(own), ...variables };
  return new Promise((resolve) => {
    execFile(process.execPath, ["--import", "tsx", main, ...argv], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : error.code, stdout, stderr });
    });
  });
}

describe("the program", () => {
  test("prints its help on standard output and ends with 0 when asked for it", async () => {
    const { code, stdout, stderr } = await run(["--help"]);
    assert.equal(code, 0);
    assert.match(stdout, /^Usage: signalbox <command>/);
    assert.equal(stderr, "");
  });

  test("prints its help on standard error and ends with 2 without a command", async () => {
    const { code, stdout, stderr } = await run([]);
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.match(stderr, /^Usage: signalbox <command>/);
  });

  test("prints its version", async () => {
    const { code, stdout } = await run(["--version"]);
    assert.equal(code, 0);
    assert.match(stdout, /^\d+\.\d+\.\d+\S*\n$/);
  });

  test("ends with 2 on an unknown command and suggests the nearest", async () => {
    const { code, stderr } = await run(["strat"]);
    assert.equal(code, 2);
    assert.match(stderr, /^signalbox: "strat" is not a command; did you mean start\?/);
  });

  test("tells every fault of command line, variables and file at once, without a stack, and ends with 2", async () => {
    const configPath = join(directory, "faulty.json");
    writeFileSync(configPath, '{ "prot": 1 }');
    const argv = ["start", "a.js", "b.js", "--config", configPath, "--workers", "many", "--port"];
    const { code, stdout, stderr } = await run(argv, { SIGNALBOX_DRAIN_TIMEOUT_MS: "abc" });
    assert.equal(code, 2);
    assert.equal(stdout, "");
    assert.equal(
      stderr,
      [
        "signalbox: The configuration has 5 faults:",
        "  - the flag --port needs a value",
        '  - the argument "b.js" is one too many for start',
        `  - "prot" is not a setting (from ${configPath}); did you mean port?`,
        '  - drainTimeoutMs: "abc" is not a whole number from 0 to 600000 (from SIGNALBOX_DRAIN_TIMEOUT_MS)',
        '  - workers: "many" is not "auto" or a whole number from 1 to 256 (from --workers)\n',
      ].join("\n"),
    );
  });
});

describe("start", () => {
  test("is refused on Windows with the reason, and allowed elsewhere", () => {
    assert.throws(
      () => refuseUnsupportedPlatform("win32"),
      (error) => error instanceof SignalboxError && error.code === "SIGNALBOX_PLATFORM_UNSUPPORTED",
    );
    refuseUnsupportedPlatform("linux");
    refuseUnsupportedPlatform("darwin");
  });
});

describe("check", () => {
  test("prints the configuration and ends with 0 when the application is there", async () => {
    const app = join(directory, "app.js");
    writeFileSync(app, "export default () => {};");
    const { code, stdout, stderr } = await run(["check", app], { SIGNALBOX_PORT: "8080" });
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /^setting +value +from\n/);
    assert.match(stdout, /^port +8080 +variable SIGNALBOX_PORT$/m);
    assert.ok(stdout.includes(app));
  });

  test("says that the demo would run when no application is set", async () => {
    const { code, stdout } = await run(["check"]);
    assert.equal(code, 0);
    assert.match(stdout, /start would run the built-in demo/);
  });

  test("ends with 3 and the absolute path when the application is missing", async () => {
    const { code, stdout, stderr } = await run(["check", "missing.js"]);
    assert.equal(code, 3);
    assert.match(stdout, /^app +\S*\/missing\.js +flag --app$/m);
    assert.match(stderr, /^signalbox: The application \/\S*\/missing\.js \(from --app\) is not a file/);
  });
});

describe("status", () => {
  test("ends with 6 and names the socket when no host runs", async () => {
    const { code, stdout, stderr } = await run(["status", "--runtime-dir", directory, "--port", "4321"]);
    assert.equal(code, 6);
    assert.equal(stdout, "");
    assert.ok(stderr.startsWith(`signalbox: No host answers on ${directory}`), stderr);
  });

  test("prints text, or JSON with --json, for a host with the same settings", async () => {
    const { config } = resolveConfig({ flags: { "--runtime-dir": directory }, environment: {} });
    const environment = { runtimeDirectory: undefined, xdgRuntimeDir: undefined };
    const paths = computeRuntimePaths({ config, environment, uid: process.getuid?.() ?? 0, tmpDir: tmpdir() });
    mkdirSync(paths.instanceDir);
    const server = createServer((_, response) => response.end(JSON.stringify(exampleStatus)));
    await new Promise<void>((resolve) => server.listen(paths.controlSocketPath, resolve));
    try {
      const text = await run(["status", "--runtime-dir", directory]);
      assert.deepEqual([text.code, text.stderr], [0, ""]);
      assert.match(text.stdout, /^host key +ab12$/m);

      const json = await run(["status", "--json"], { SIGNALBOX_RUNTIME_DIR: directory });
      assert.deepEqual(JSON.parse(json.stdout), exampleStatus);

      const other = await run(["status", "--runtime-dir", directory, "--port", "4321"]);
      assert.match(other.stderr, /this is the only one running/);
      assert.match(other.stdout, /^host key +ab12$/m);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });
});
