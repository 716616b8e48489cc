import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { resolveConfig } from "../../src/config/resolve-config.js";
import { type Installation, readPlan, type UnitOptions } from "../../src/systemd/read-plan.js";
import { renderFiles } from "../../src/systemd/unit-files.js";
import { deriveLimits } from "../../src/systemd/unit-plan.js";

const { config } = resolveConfig({ flags: { "--app": "/srv/app/app.js" }, environment: {} });
const options: UnitOptions = { name: undefined, isTemplate: false, user: undefined, socketGroup: undefined };
const installation: Installation = {
  nodePath: "/usr/bin/node",
  cliPath: "/opt/signalbox/dist/cli/main.js",
  appDirectory: "/srv/app",
  linkTarget: undefined,
  neededPaths: ["/usr/bin", "/opt/signalbox", "/srv/app"],
};

function plan(
  changes: {
    options?: Partial<UnitOptions>;
    config?: Partial<typeof config>;
    installation?: Partial<Installation>;
  } = {},
  variables: readonly [string, string][] = [],
) {
  return readPlan(
    { ...options, ...changes.options },
    { ...config, ...changes.config },
    { ...installation, ...changes.installation },
    new Map(variables),
  );
}

describe("a plan for units", () => {
  test("by default", () => {
    const { plan: made, faults } = plan({}, [["SIGNALBOX_WORKERS", "2"]]);
    assert.deepEqual(faults, []);
    assert.deepEqual(made.socket, { stream: "127.0.0.1:3000", file: undefined });
    assert.deepEqual(made.homePaths, []);
    assert.deepEqual(made.variables, [
      ["SIGNALBOX_APP", "/srv/app/app.js"],
      ["SIGNALBOX_HOST", "127.0.0.1"],
      ["SIGNALBOX_PORT", "3000"],
      ["SIGNALBOX_WORKERS", "2"],
    ]);
  });

  test("systemd waits longer for a stop than a drain takes, and for a start or a reload than these may take", () => {
    for (const timeoutMs of [0, 10_000, 600_000]) {
      const limits = { startTimeoutMs: 30_000, drainTimeoutMs: timeoutMs, reloadTimeoutMs: timeoutMs };
      const { startSeconds, stopSeconds } = deriveLimits(limits);
      assert.ok(stopSeconds * 1_000 > timeoutMs + 5_500);
      assert.ok(startSeconds * 1_000 > Math.max(30_000, timeoutMs));
    }
    assert.notDeepEqual(plan().plan.limits, plan({ config: { reloadTimeoutMs: 900_000 } }).plan.limits);
  });

  test("an IPv6 address is in brackets, a Unix socket has a mode and a group", () => {
    assert.equal(plan({ config: { host: "::1" } }).plan.socket.stream, "[::1]:3000");
    assert.equal(plan({ config: { host: "fe80::1%lan" } }).plan.socket.stream, "[fe80::1%%lan]:3000");
    const unix = plan({ config: { listen: "/run/chat%.sock" }, options: { socketGroup: "www-data" } }).plan;
    assert.deepEqual(unix.socket, { stream: "/run/chat%%.sock", file: { mode: 0o660, group: "www-data" } });
    assert.deepEqual(unix.variables, [
      ["SIGNALBOX_APP", "/srv/app/app.js"],
      ["SIGNALBOX_LISTEN", "/run/chat%.sock"],
    ]);
  });

  test("what is needed of home directories is there once, and nothing that is in it already", () => {
    const neededPaths = ["/home/ann/app", "/home/ann/app/node_modules", "/home/ann/app2", "/home/ann/app", "/srv/x"];
    assert.deepEqual(plan({ installation: { neededPaths } }).plan.homePaths, ["/home/ann/app", "/home/ann/app2"]);
  });

  test("a link to the release of the day is none where the service sees what it leads to", () => {
    assert.deepEqual(plan({ installation: { appDirectory: "/srv/now", linkTarget: "/srv/1" } }).faults, []);
  });

  test("a variable whose name systemd does not take is a fault", () => {
    const { faults } = plan({}, [
      ["DATABASE_URL", "x"],
      ["a.b", "x"],
      ["1A", ""],
    ]);
    assert.deepEqual(
      faults.map((fault) => fault.slice(0, 5)),
      ['"a.b"', '"1A":'],
    );
  });

  test("whatever a path is, it is a fault or leaves the lines of the units as they are", () => {
    const readLines = (path: string): string[] | undefined => {
      const { plan: made, faults } = plan({
        config: { listen: `/run${path}` },
        installation: { nodePath: path, cliPath: path, appDirectory: path, neededPaths: [`/home/ann${path}`] },
      });
      const { service, socket } = renderFiles(made);
      return faults.length > 0 ? undefined : `${service.text}${socket.text}`.split("\n");
    };
    const names = (lines: readonly string[]): string[] => lines.map((line) => line.replace(/=.*$/s, "="));
    const plain = readLines("/a") ?? [];
    const part = fc.constantFrom("a", " ", "\n", "\r", "\t", "\\", '"', "'", "%", "$", ":", ";", "#", "é", "\u2028");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 6 }), (parts) => {
        const path = `/${parts.join("")}`;
        const lines = readLines(path);
        if (lines === undefined) {
          assert.match(path, /[\n\r\t:]|[ \\\u2028]$/);
          return;
        }
        assert.deepEqual(names(lines), names(plain));
        assert.ok(lines.includes(`WorkingDirectory=${path.replaceAll("%", "%%")}`));
        assert.ok(lines.every((line) => !line.endsWith("\\")));
      }),
    );
  });

  const faulty: [what: string, changes: Parameters<typeof plan>[0], fault: RegExp][] = [
    ["no application", { config: { app: undefined } }, /--app is missing/],
    ["a name with a slash", { options: { name: "a/b" } }, /--name: "a\/b" is not a name/],
    ["a user with a blank", { options: { user: "a b" } }, /--user/],
    ["a port that the system picks", { config: { port: 0 } }, /--port/],
    ["a name for an address", { config: { host: "localhost" } }, /--host.*"localhost" is a name/],
    ["no address", { config: { host: "1.2.3.4.5" } }, /--host.*"1\.2\.3\.4\.5" is a name/],
    ["a backslash at the end", { installation: { appDirectory: "/srv/a\\" } }, /"\/srv\/a\\\\": a unit has no/],
    ["a blank at the end", { config: { listen: "/run/a " } }, /"\/run\/a ": a unit has no/],
    ["a line's end", { installation: { nodePath: "/opt/a\nUser=root" } }, /"\/opt\/a\\nUser=root": a unit has no/],
    ["a colon in a home", { installation: { neededPaths: ["/home/ann/a:b"] } }, /\/home\/ann\/a:b: a colon/],
    [
      "a link in a home",
      { installation: { appDirectory: "/home/ann/now", linkTarget: "/srv/1" } },
      /\/home\/ann\/now is a/,
    ],
    [
      "a link into a home",
      { installation: { linkTarget: "/home/ann/1" } },
      /\/srv\/app is a symbolic link to \/home\/ann\/1/,
    ],
    ["a group without a socket", { options: { socketGroup: "www-data" } }, /--socket-group is for a Unix socket/],
    ["a runtime directory", { config: { runtimeDir: "/x" } }, /--runtime-dir/],
    [
      "an application that only this session sees",
      { installation: { neededPaths: ["/tmp/app"] } },
      /\/tmp\/app: the service has/,
    ],
    ["a template with an application", { options: { isTemplate: true } }, /--template/],
  ];
  for (const [what, changes, fault] of faulty) {
    test(`${what} is a fault`, () => {
      const { faults } = plan(changes);
      assert.equal(faults.length, 1);
      assert.match(faults[0] ?? "", fault);
    });
  }
});
