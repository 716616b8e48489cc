import assert from "node:assert/strict";
import { test } from "node:test";
import { resolveConfig } from "../../src/config/resolve-config.js";
import { computeRuntimePaths } from "../../src/primary/runtime-paths.js";
import { collectSupervisorSettings } from "../../src/primary/supervisor-settings.js";

function readTrusted(flags: Record<string, string>): unknown {
  const { config } = resolveConfig({ environment: {}, flags });
  const environment = { runtimeDirectory: undefined, xdgRuntimeDir: undefined };
  const paths = computeRuntimePaths({ config, environment, uid: 1, tmpDir: "/tmp", pid: 1 });
  const log = { format: "json", isColored: false } as const;
  const host = { config, hasUnixPeers: false, hostKey: "host", appPath: "/app.js", paths, log, fileVariables: {} };
  return collectSupervisorSettings({ ...host, workingDirectory: undefined }).init.trustProxy;
}

test("a proxy that names the client by the PROXY protocol is one of those that a number counts", () => {
  assert.equal(readTrusted({ "--trust-proxy": "2" }), 2);
  assert.equal(readTrusted({ "--trust-proxy": "2", "--proxy-protocol": "true" }), 1);
  assert.equal(readTrusted({ "--trust-proxy": "1", "--proxy-protocol": "true" }), 0);
  assert.deepEqual(readTrusted({ "--trust-proxy": "10.0.0.0/8", "--proxy-protocol": "true" }), ["10.0.0.0/8"]);
});
