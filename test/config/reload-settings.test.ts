import assert from "node:assert/strict";
import { test } from "node:test";
import { takeReloaded } from "../../src/config/reload-settings.js";
import { resolveConfig } from "../../src/config/resolve-config.js";

function read(values: Record<string, unknown>) {
  return resolveConfig({ flags: {}, environment: {}, file: { path: "/c.json", values } }).config;
}

test("what new workers heed is taken, and what needs a restart is named and left", () => {
  const running = read({ workers: 2, port: 3000, redisUrl: "redis://old" });
  const changed = read({ workers: 4, port: 4000, redisUrl: "redis://new", drainTimeoutMs: 1, trustProxy: 2 });
  const { config, restartNeeded } = takeReloaded(running, changed);
  assert.deepEqual(restartNeeded, ["port", "trustProxy", "redisUrl"]);
  assert.deepEqual(config, { ...running, workers: 4, drainTimeoutMs: 1 });
});

test("other secrets of links are taken, the first ones and their end are not", () => {
  const secret = (name: string): string => name.repeat(32);
  const withSecrets = (...linkSecrets: string[]) => read({ linkListen: "public", linkSecrets });
  const one = withSecrets(secret("a"));
  const two = withSecrets(secret("b"), secret("a"));
  assert.deepEqual(takeReloaded(one, two), { config: two, restartNeeded: [] });
  const none = read({});
  assert.deepEqual(takeReloaded(none, one), { config: none, restartNeeded: ["linkListen", "linkSecrets"] });
  assert.deepEqual(takeReloaded(one, none), { config: one, restartNeeded: ["linkListen", "linkSecrets"] });
});

test("the same configuration read again needs nothing", () => {
  const values = { trustProxy: ["10.0.0.0/8"], listen: "/run/a.sock", listenMode: "0600" };
  assert.deepEqual(takeReloaded(read(values), read(values)), { config: read(values), restartNeeded: [] });
});
