import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { loadConfig, readRuntimeEnvironment } from "../../src/config/load-config.js";
import { ConfigError } from "../../src/errors.js";

const directory = mkdtempSync(join(tmpdir(), "signalbox-config-"));
after(() => rmSync(directory, { recursive: true }));

function writeConfig(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

function findFaults(options: Partial<Parameters<typeof loadConfig>[0]>): readonly string[] {
  try {
    loadConfig({ flags: {}, configPath: undefined, environment: {}, ...options });
  } catch (error) {
    assert.ok(error instanceof ConfigError);
    return error.faults;
  }
  return [];
}

describe("the config file", () => {
  test("--config is read, and wins over SIGNALBOX_CONFIG", () => {
    const configPath = writeConfig("a.json", '{ "port": 81 }');
    const environment = { SIGNALBOX_CONFIG: writeConfig("b.json", '{ "port": 82 }') };
    assert.equal(loadConfig({ flags: {}, configPath, environment }).config.port, 81);
    assert.equal(loadConfig({ flags: {}, configPath: undefined, environment }).config.port, 82);
  });

  test("a relative path of the file is relative to the working directory", () => {
    writeConfig("c.json", '{ "port": 83 }');
    const { config, origins } = loadConfig({ flags: {}, configPath: "c.json", environment: {}, cwd: directory });
    assert.equal(config.port, 83);
    assert.deepEqual(origins.port, { source: "file", name: join(directory, "c.json") });
  });

  test("an empty SIGNALBOX_CONFIG counts as not set", () => {
    const { config } = loadConfig({ flags: {}, configPath: undefined, environment: { SIGNALBOX_CONFIG: "" } });
    assert.equal(config.port, 3000);
  });

  test("a byte order mark is skipped", () => {
    const configPath = writeConfig("bom.json", '\uFEFF{ "port": 84 }');
    assert.equal(loadConfig({ flags: {}, configPath, environment: {} }).config.port, 84);
  });

  test("a missing file is a fault that names the path and who asked for it", () => {
    const missing = join(directory, "missing.json");
    assert.deepEqual(findFaults({ environment: { SIGNALBOX_CONFIG: missing } }), [
      `the config file ${missing} (from SIGNALBOX_CONFIG) does not exist`,
    ]);
  });

  test("a directory in place of the file is a fault that names the path", () => {
    const [fault] = findFaults({ configPath: directory });
    assert.ok(fault?.startsWith(`the config file ${directory} (from --config) cannot be read: `), fault);
  });

  test("text that is not JSON is a fault with line and column", () => {
    const configPath = writeConfig("comma.json", '{\n  "port": 3000,\n}\n');
    const [fault] = findFaults({ configPath });
    assert.ok(
      fault?.startsWith(`the config file ${configPath} (from --config) is not JSON at line 3, column 1;`),
      fault,
    );
  });

  for (const text of ["[]", "null", '"port"', "3000"]) {
    test(`${text} is refused because it is not an object`, () => {
      const [fault] = findFaults({ configPath: writeConfig("not-object.json", text) });
      assert.match(fault ?? "", /has to hold a JSON object such as/);
    });
  }

  test("faults of the file, of the command line, of flags and of variables are told together", () => {
    const faults = findFaults({
      configPath: writeConfig("broken.json", "{"),
      argumentFaults: ["the flag --host needs a value"],
      flags: { "--port": "x" },
      environment: { SIGNALBOX_WORKERS: "x" },
    });
    assert.equal(faults.length, 4);
  });
});

describe("the env file", () => {
  test("variables of the process win over those of the file, and an empty setting is none", () => {
    const envPath = writeConfig(
      "variables",
      "SIGNALBOX_PORT=81\nSIGNALBOX_REGION=eu\nSIGNALBOX_WORKERS=3\nOWN=file\nEMPTY=file\nNEW=file\n",
    );
    const environment = { SIGNALBOX_PORT: "82", SIGNALBOX_REGION: "", OWN: "process", EMPTY: "" };
    const { config, fileVariables } = loadConfig({ flags: {}, configPath: undefined, envPath, environment });
    assert.deepEqual([config.port, config.region, config.workers], [82, "eu", 3]);
    // To the application an empty variable is one.
    assert.deepEqual(fileVariables, { SIGNALBOX_REGION: "eu", SIGNALBOX_WORKERS: "3", NEW: "file" });
  });
});

describe("relative paths", () => {
  test("those in the file are relative to the file, those of flags and variables to the working directory", () => {
    const configPath = writeConfig("paths.json", '{ "app": "app.js", "listen": "./public.sock", "runtimeDir": "run" }');
    const fromFile = loadConfig({ flags: {}, configPath, environment: {}, cwd: "/srv" }).config;
    assert.equal(fromFile.app, join(directory, "app.js"));
    assert.equal(fromFile.listen, join(directory, "public.sock"));
    assert.equal(fromFile.runtimeDir, join(directory, "run"));

    const linked = writeConfig(
      "links.json",
      '{ "linkCa": "ca.pem", "linkCertificate": "own.pem", "linkKey": "own.key" }',
    );
    const { linkCa, linkCertificate, linkKey } = loadConfig({ flags: {}, configPath: linked, environment: {} }).config;
    assert.deepEqual(
      [linkCa, linkCertificate, linkKey],
      ["ca.pem", "own.pem", "own.key"].map((name) => join(directory, name)),
    );

    const environment = { SIGNALBOX_RUNTIME_DIR: "run", SIGNALBOX_LISTEN: "/run/public.sock" };
    const overridden = loadConfig({ flags: { "--app": "../app.js" }, configPath, environment, cwd: "/srv/x" }).config;
    assert.equal(overridden.app, "/srv/app.js");
    assert.equal(overridden.listen, "/run/public.sock");
    assert.equal(overridden.runtimeDir, "/srv/x/run");
  });
});

describe("the variables of others", () => {
  test("the first directory of systemd, the directory of the login session and NO_COLOR are read", () => {
    const environment = {
      RUNTIME_DIRECTORY: "/run/a:/run/b",
      XDG_RUNTIME_DIR: "/run/user/1",
      NO_COLOR: "1",
      JOURNAL_STREAM: "8:9",
    };
    assert.deepEqual(readRuntimeEnvironment(environment), {
      runtimeDirectory: "/run/a",
      xdgRuntimeDir: "/run/user/1",
      noColor: true,
      journalStream: "8:9",
    });
  });

  test("what is empty or missing is not set", () => {
    const nothing = { runtimeDirectory: undefined, xdgRuntimeDir: undefined, noColor: false, journalStream: undefined };
    assert.deepEqual(readRuntimeEnvironment({ RUNTIME_DIRECTORY: "", XDG_RUNTIME_DIR: "", NO_COLOR: "" }), nothing);
    assert.deepEqual(readRuntimeEnvironment({}), nothing);
  });
});
