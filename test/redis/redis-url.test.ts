/** Which URLs name a Redis, what they mean, and that no fault and no description repeats a password. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { describeRedis, hidePassword } from "../../src/redis/describe-redis.js";
import { parseRedisUrl, type RedisTarget } from "../../src/redis/redis-url.js";

const credentials = { user: "bus", password: "p@ss:w/rd" };
const encoded = "bus:p%40ss%3Aw%2Frd@";
const noCredentials = { credentials: undefined };

interface Row {
  readonly url: string;
  readonly target: RedisTarget;
  readonly description: string;
}

const good: readonly Row[] = [
  {
    url: "redis://localhost",
    target: { kind: "server", host: "localhost", port: 6379, isTls: false, ...noCredentials },
    description: "redis://localhost:6379",
  },
  {
    url: `redis://${encoded}10.0.0.1:7000/3`,
    target: { kind: "server", host: "10.0.0.1", port: 7000, isTls: false, credentials },
    description: "redis://bus@10.0.0.1:7000",
  },
  {
    url: "REDISS://:only%20password@[::1]:6380/",
    target: {
      kind: "server",
      host: "::1",
      port: 6380,
      isTls: true,
      credentials: { user: undefined, password: "only password" },
    },
    description: "rediss://[::1]:6380",
  },
  {
    url: "unix:///run/redis/redis.sock",
    target: { kind: "unix", path: "/run/redis/redis.sock", ...noCredentials },
    description: "unix:///run/redis/redis.sock",
  },
  {
    url: `unix://${encoded}/run/a%20b/redis@1.sock`,
    target: { kind: "unix", path: "/run/a b/redis@1.sock", credentials },
    description: "unix://bus@/run/a b/redis@1.sock",
  },
  {
    url: "redis+sentinel://s1,s2:26380,[fe80::1]/my%20master/0",
    target: {
      kind: "sentinel",
      sentinels: [
        { host: "s1", port: 26379 },
        { host: "s2", port: 26380 },
        { host: "fe80::1", port: 26379 },
      ],
      masterName: "my master",
      isTls: false,
      ...noCredentials,
    },
    description: "redis+sentinel://s1:26379,s2:26380,[fe80::1]:26379/my%20master",
  },
  {
    url: `rediss+sentinel://${encoded}s1/mymaster`,
    target: {
      kind: "sentinel",
      sentinels: [{ host: "s1", port: 26379 }],
      masterName: "mymaster",
      isTls: true,
      credentials,
    },
    description: "rediss+sentinel://bus@s1:26379/mymaster",
  },
  {
    url: "redis+cluster://n1,n2:6380/0",
    target: {
      kind: "cluster",
      nodes: [
        { host: "n1", port: 6379 },
        { host: "n2", port: 6380 },
      ],
      isTls: false,
      ...noCredentials,
    },
    description: "redis+cluster://n1:6379,n2:6380",
  },
  {
    url: `rediss+cluster://${encoded}n1`,
    target: { kind: "cluster", nodes: [{ host: "n1", port: 6379 }], isTls: true, credentials },
    description: "rediss+cluster://bus@n1:6379",
  },
];

const bad: readonly (readonly [url: string, fault: RegExp])[] = [
  ["", /is no URL of a Redis/],
  ["localhost:6379", /is no URL of a Redis/],
  ["http://localhost", /begins with "http:"/],
  ["redis+unix:///run/redis.sock", /begins with "redis\+unix:"/],
  ["redis://", /has no host/],
  ["redis://:secret@", /has no host/],
  ["redis://a,b", /names several hosts, which redis\+sentinel: and redis\+cluster: do/],
  ["redis://a:0", /port that is no number from 1 to 65535/],
  ["redis://a:65536", /port that is no number/],
  ["redis://a:", /port that is no number/],
  ["redis://::1", /IPv6 addresses are written \[::1\]/],
  ["redis://a/db", /a path that is no database number/],
  ["redis://a/0?tls=true", /has a "\?" or "#"/],
  ["redis://:se#cret@a", /has a "\?" or "#"/],
  ["redis://:se/cret@a", /has an "@" behind a "\/"/],
  ["redis://secret@a", /no ":" before the "@"/],
  ["redis://user:@a", /no password before the @/],
  ["redis://:se%zzcret@a", /a "%" in its password/],
  ["redis://:se cret@a", /white space/],
  ["redis://:secret@a\n", /white space|is no URL/],
  ["unix://", /has no path/],
  ["unix:///", /has no path/],
  ["unix://run/redis.sock", /names a host/],
  ["redis+sentinel://s1", /has no master name/],
  ["redis+sentinel://s1,/mymaster", /has no host/],
  ["redis+sentinel://s1/mymaster/secret", /no database number/],
  ["redis+cluster://n1,,n2", /has no host/],
  ["redis+cluster://n1/secret", /no database number/],
];

describe("a URL of a Redis", () => {
  for (const { url, target, description } of good) {
    test(`${url} is read, and told as ${description}`, () => {
      assert.deepEqual(parseRedisUrl(url), { target });
      assert.equal(describeRedis(target), description);
    });
  }

  for (const [url, pattern] of bad) {
    test(`${JSON.stringify(url)} is refused, without its secret`, () => {
      const result = parseRedisUrl(url);
      assert.ok("fault" in result);
      assert.match(result.fault, pattern);
      assert.doesNotMatch(result.fault, /se.{0,3}cret/);
    });
  }

  test("what a description tells is read as the same target without its password", () => {
    for (const { description, target } of good) {
      if (target.credentials === undefined && target.kind !== "unix") {
        assert.deepEqual(parseRedisUrl(description), { target });
      }
    }
  });

  test("a password in a text of others is hidden, as it is and as the URL has it", () => {
    const target: RedisTarget = { kind: "unix", path: "/run/redis.sock", credentials };
    assert.equal(hidePassword(target, "with p@ss:w/rd or p%40ss%3Aw%2Frd"), "with *** or ***");
    assert.equal(hidePassword({ ...target, credentials: undefined }, "nothing"), "nothing");
  });
});
