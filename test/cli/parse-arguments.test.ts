import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type CommandLine, parseArguments } from "../../src/cli/parse-arguments.js";

function parseCommand(...argv: string[]): CommandLine {
  const parsed = parseArguments(argv);
  assert.ok(parsed.kind === "command");
  const { kind: _, ...line } = parsed;
  return line;
}

const nothing: CommandLine = {
  command: "start",
  flags: {},
  configPath: undefined,
  envPath: undefined,
  json: false,
  withVariables: false,
  faults: [],
};

describe("command lines that are understood", () => {
  const cases: [argv: string, expected: Partial<CommandLine>][] = [
    ["start", {}],
    ["start app.js", { flags: { "--app": "app.js" } }],
    ["start --app app.js", { flags: { "--app": "app.js" } }],
    ["--port 80 start app.js", { flags: { "--port": "80", "--app": "app.js" } }],
    ["start --port=80", { flags: { "--port": "80" } }],
    ["start --port 80 --port 81", { flags: { "--port": "81" } }],
    ["start --watch app.js", { flags: { "--watch": "true", "--app": "app.js" } }],
    ["start --watch=false", { flags: { "--watch": "false" } }],
    ["start --region=-eu", { flags: { "--region": "-eu" } }],
    ["reload --with-variables", { command: "reload", withVariables: true }],
    ["start --config a.json", { configPath: "a.json" }],
    ["start --env-file a.env", { envPath: "a.env" }],
    ["reload --port 80", { command: "reload", flags: { "--port": "80" } }],
    ["start -- --app.js", { flags: { "--app": "--app.js" } }],
    ["check app.js --host ::1", { command: "check", flags: { "--app": "app.js", "--host": "::1" } }],
    ["status", { command: "status" }],
    ["status --json --listen /run/s.sock", { command: "status", json: true, flags: { "--listen": "/run/s.sock" } }],
  ];
  for (const [argv, expected] of cases) {
    test(`signalbox ${argv}`, () => {
      assert.deepEqual(parseCommand(...argv.split(" ")), { ...nothing, ...expected });
    });
  }
});

describe("signalbox systemd", () => {
  function parseSystemd(argv: string) {
    const parsed = parseArguments(argv.split(" "));
    assert.ok(parsed.kind === "systemd-command");
    return parsed;
  }

  test("its own flags are kept apart from the settings", () => {
    const { options, flags, configPath, faults } = parseSystemd(
      "systemd app.js --name chat --port 80 --check --config a.json",
    );
    assert.deepEqual(options, { "--name": "chat", "--check": "true" });
    assert.deepEqual(flags, { "--app": "app.js", "--port": "80" });
    assert.deepEqual([configPath, faults], ["a.json", []]);
  });

  test("a flag without its value is a fault", () => {
    assert.deepEqual(parseSystemd("systemd --name --out=").faults, [
      "the flag --name needs a value",
      "the flag --out needs a value",
    ]);
  });
});

describe("help and version", () => {
  test("--help after a command asks for that command's help, and wins over every fault", () => {
    assert.deepEqual(parseArguments(["start", "--nonsense", "--port", "--help"]), { kind: "help", command: "start" });
    assert.deepEqual(parseArguments(["status", "-h"]), { kind: "help", command: "status" });
  });

  test("--help without a known command asks for the program's help", () => {
    assert.deepEqual(parseArguments(["--help"]), { kind: "help", command: undefined });
    assert.deepEqual(parseArguments(["nonsense", "--help"]), { kind: "help", command: undefined });
  });

  test("--version is recognised everywhere", () => {
    assert.deepEqual(parseArguments(["--version"]), { kind: "version" });
    assert.deepEqual(parseArguments(["start", "-v"]), { kind: "version" });
  });
});

describe("faults", () => {
  test("no command at all is not an unknown command", () => {
    assert.deepEqual(parseArguments([]), { kind: "no-command", fault: undefined });
    assert.deepEqual(parseArguments(["--port", "80"]), { kind: "no-command", fault: undefined });
  });

  test("an unknown command suggests the nearest and lists all", () => {
    const parsed = parseArguments(["statsu"]);
    assert.ok(parsed.kind === "no-command");
    assert.match(
      parsed.fault ?? "",
      /^"statsu" is not a command; did you mean status\?\nCommands: start, check, status, reload, nginx, systemd\./,
    );
  });

  test("a flag without its value is a fault and does not swallow the next flag", () => {
    const line = parseCommand("start", "--port", "--host", "::1", "--config");
    assert.deepEqual(line.flags, { "--host": "::1" });
    assert.deepEqual(line.faults, ["the flag --port needs a value", "the flag --config needs a value"]);
  });

  test("an empty --config is a flag without its value", () => {
    assert.deepEqual(parseCommand("start", "--config=").faults, ["the flag --config needs a value"]);
  });

  test("the application can be given once", () => {
    const { faults } = parseCommand("start", "a.js", "--app", "b.js", "c.js");
    assert.deepEqual(faults, [
      "the application is given twice, as a.js and as --app b.js; keep one of them",
      'the argument "c.js" is one too many for start',
    ]);
  });

  test("status takes no application", () => {
    assert.deepEqual(parseCommand("status", "app.js").faults, ['the argument "app.js" is one too many for status']);
  });

  test("unknown flags are passed on, to be told together with the faults of the settings", () => {
    assert.deepEqual(parseCommand("start", "--nonsense", "-x", "--json").flags, {
      "--nonsense": "true",
      "-x": "true",
      "--json": "true",
    });
  });

  test("the value of a mistyped flag is not taken for the application", () => {
    const line = parseCommand("start", "--prot", "80", "app.js");
    assert.deepEqual(line.flags, { "--prot": "80", "--app": "app.js" });
    assert.deepEqual(line.faults, []);
  });
});
