import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { SignalboxConfig } from "../../src/config/config.js";
import { resolveConfig } from "../../src/config/resolve-config.js";
import { RuntimeDirError } from "../../src/errors.js";
import {
  computeRuntimePaths,
  maxSocketPathBytes,
  nameListenAddress,
  type RuntimePaths,
  type RuntimeSurroundings,
} from "../../src/primary/runtime-paths.js";

const { config: defaults } = resolveConfig({ flags: {}, environment: {} });

function compute(config: Partial<SignalboxConfig>, surroundings: Partial<RuntimeSurroundings> = {}): RuntimePaths {
  return computeRuntimePaths({
    config: { ...defaults, ...config },
    environment: { runtimeDirectory: undefined, xdgRuntimeDir: undefined },
    uid: 1000,
    tmpDir: "/tmp",
    pid: 4711,
    ...surroundings,
  });
}

describe("the base directory is", () => {
  const systemd = "/run/signalbox";
  const xdg = "/run/user/1000";
  const cases: [string, string | undefined, string | undefined, string | undefined, string][] = [
    ["the setting before all others", "/srv/sb", systemd, xdg, "/srv/sb"],
    ["systemd's before the user's", undefined, systemd, xdg, "/run/signalbox"],
    ["the first that systemd lists", undefined, "/run/signalbox:/run/other", xdg, "/run/signalbox"],
    ["one in the user's", undefined, undefined, xdg, "/run/user/1000/signalbox"],
    [
      "one per user in the temporary directory, without any of them",
      undefined,
      undefined,
      undefined,
      "/tmp/signalbox-1000",
    ],
  ];
  for (const [what, runtimeDir, runtimeDirectory, xdgRuntimeDir, baseDir] of cases) {
    test(what, () => {
      const paths = compute({ runtimeDir }, { environment: { runtimeDirectory, xdgRuntimeDir } });
      assert.deepEqual(paths, {
        baseDir,
        instanceDir: `${baseDir}/127.0.0.1-3000`,
        controlSocketPath: `${baseDir}/127.0.0.1-3000/control.sock`,
        routerSocketPath: `${baseDir}/127.0.0.1-3000/router.sock`,
      });
    });
  }
});

describe("the directory of a host is named by", () => {
  const cases: [string, Partial<SignalboxConfig>, string][] = [
    ["its address and port", { host: "0.0.0.0", port: 8080 }, "0.0.0.0-8080"],
    ["an IPv6 address without its colons", { host: "::1", port: 3000 }, "--1-3000"],
    ["its Unix socket and a digest", { listen: "/run/app/public.sock" }, "public.sock-RrNTMWX-"],
    ["its Unix socket, whatever the port", { listen: "/run/a.sock", port: 0 }, "a.sock-k9PwOska"],
    ["the primary's pid, when the system picks the port", { port: 0 }, "auto-4711"],
  ];
  for (const [what, config, name] of cases) {
    test(what, () => assert.equal(compute(config).instanceDir, `/tmp/signalbox-1000/${name}`));
  }

  test("Unix sockets whose paths differ in a separator only have their own directories", () => {
    const names = ["/a/b.sock", "/a-b.sock", "/a/-b.sock"].map((listen) => nameListenAddress({ ...defaults, listen }));
    assert.equal(new Set(names).size, 3);
  });

  test("no name leads out of the base directory", () => {
    for (const listen of ["/../../etc/a.sock", "../a.sock", "/a b/ü.sock"]) {
      assert.match(nameListenAddress({ ...defaults, listen }), /^[A-Za-z0-9._-]+$/);
      assert.doesNotMatch(nameListenAddress({ ...defaults, listen }), /\//);
    }
  });
});

describe("a socket path above the system's limit", () => {
  const longestName = "/127.0.0.1-3000/w255-4194304-2.sock";
  const fitting = `/${"d".repeat(maxSocketPathBytes - longestName.length - 1)}`;

  test("of 107 bytes is the last that passes", () => {
    assert.equal(maxSocketPathBytes, 107);
    assert.equal(compute({ runtimeDir: fitting }).baseDir, fitting);
  });

  test("is refused with the directory, the limit and what to do", () => {
    assert.throws(
      () => compute({ runtimeDir: `${fitting}d` }),
      (error) => {
        assert.ok(error instanceof RuntimeDirError);
        assert.equal(error.code, "SIGNALBOX_SOCKET_PATH_TOO_LONG");
        assert.match(error.message, /108 bytes.*107.*SIGNALBOX_RUNTIME_DIR/s);
        assert.ok(error.message.includes(`${fitting}d`));
        return true;
      },
    );
  });

  test("is measured in bytes, not in letters", () => {
    const letters = `/${"ü".repeat((fitting.length - 1) / 2 + 1)}`;
    assert.ok(letters.length < fitting.length);
    assert.throws(() => compute({ runtimeDir: letters }), RuntimeDirError);
  });
});
