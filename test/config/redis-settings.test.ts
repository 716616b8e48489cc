/** The settings for Redis: what is wrong with them is told without the password. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { renderConfigTable } from "../../src/config/render-config.js";
import { type ResolvedConfig, resolveConfig } from "../../src/config/resolve-config.js";
import { ConfigError } from "../../src/errors.js";

function resolve(flags: Readonly<Record<string, string>>): ResolvedConfig {
  return resolveConfig({ flags, environment: {} });
}

function findFaults(flags: Readonly<Record<string, string>>): readonly string[] {
  try {
    resolve(flags);
    return [];
  } catch (thrown) {
    assert.ok(thrown instanceof ConfigError);
    return thrown.faults;
  }
}

const stock = { "--fabric": "stock" };

test("by default this host is alone, and its channels would be those of everybody's defaults", () => {
  const { redisUrl, redisPrefix, redisCa, stockAdapter, stockKey } = resolve({}).config;
  assert.deepEqual(
    { redisUrl, redisPrefix, redisCa, stockAdapter, stockKey },
    {
      redisUrl: undefined,
      redisPrefix: "signalbox",
      redisCa: undefined,
      stockAdapter: "classic",
      stockKey: "socket.io",
    },
  );
});

test("the table of check does not show the URL", () => {
  const table = renderConfigTable(resolve({ ...stock, "--redis-url": "redis://user:secret@host" }));
  assert.match(table, /^redisUrl +\(hidden\) +flag --redis-url$/m);
  assert.doesNotMatch(table, /secret/);
});

test("a URL that cannot be read is a fault that does not repeat it", () => {
  for (const url of [
    "secret",
    "redis://u:secret@host:99999",
    "redis://u:sec#ret@host",
    "http://u:secret@host",
    "redis://u:secret@",
  ]) {
    const faults = findFaults({ ...stock, "--redis-url": url });
    assert.equal(faults.length, 1, url);
    assert.match(faults[0] ?? "", /^redisUrl \(from --redis-url\) (is|has|begins) /);
    assert.doesNotMatch(faults[0] ?? "", /secret|sec#ret/);
  }
});

test("redisCa with a URL that asks for no TLS is a fault", () => {
  const ca = { ...stock, "--redis-ca": "/etc/ca.pem" };
  for (const url of ["redis://host", "unix:///run/redis.sock", "redis+cluster://host"]) {
    assert.deepEqual(findFaults({ ...ca, "--redis-url": url }), [
      "redisCa (from --redis-ca) is for a Redis behind TLS, and redisUrl (from --redis-url) asks for none; " +
        "write rediss: in place of redis:",
    ]);
  }
  assert.deepEqual(findFaults({ ...ca, "--redis-url": "rediss://host" }), []);
});

test("a prefix that would be a pattern is a fault", () => {
  assert.match(findFaults({ "--stock-key": "shop*" })[0] ?? "", /^stockKey: "shop\*" is not 1 to 64 characters/);
  assert.equal(resolve({ "--stock-key": "{shop}:live" }).config.stockKey, "{shop}:live");
});

test("redisUrl goes with either fabric", () => {
  assert.deepEqual(findFaults({ "--redis-url": "redis://host" }), []);
  assert.deepEqual(findFaults({ ...stock, "--redis-url": "redis://host" }), []);
});
