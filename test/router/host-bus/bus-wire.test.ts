/** Names of the bus's channels, and the rules that its user is told to need. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RedisTarget } from "../../../src/redis/redis-url.js";
import { chooseWirePrefix, explainRefusal, listAclRules } from "../../../src/router/host-bus/bus-wire.js";

const common = { isTls: false, credentials: undefined };
const endpoint = { host: "a", port: 1 };
const targets: Readonly<Record<RedisTarget["kind"], RedisTarget>> = {
  server: { kind: "server", ...endpoint, ...common },
  unix: { kind: "unix", path: "/a", credentials: undefined },
  sentinel: { kind: "sentinel", sentinels: [endpoint], masterName: "m", ...common },
  cluster: { kind: "cluster", nodes: [endpoint], ...common },
};

describe("the bus's channels", () => {
  for (const [kind, prefix, rules] of [
    ["server", "sbx:", "resetchannels &sbx:* +ping +publish +subscribe"],
    ["unix", "sbx:", "resetchannels &sbx:* +ping +publish +subscribe"],
    ["sentinel", "sbx:", "resetchannels &sbx:* +ping +publish +subscribe +info"],
    ["cluster", "{sbx:}", "resetchannels &{sbx:}* +ping +spublish +ssubscribe +cluster|slots +cluster|keyslot"],
  ] as const) {
    test(`${kind}: they begin with ${prefix}, and the rules are "${rules}"`, () => {
      assert.equal(chooseWirePrefix(targets[kind], "sbx:"), prefix);
      assert.equal(listAclRules(targets[kind], "sbx:"), rules);
    });
  }

  test("a refusal is explained by what to do, then by what Redis said", () => {
    assert.match(explainRefusal("permission", "NOPERM x", "+ping"), /give it the ACL rules "\+ping" \(NOPERM x\)$/);
    assert.match(explainRefusal("credentials", "WRONGPASS x", "+ping"), /correct them in redisUrl.*\(WRONGPASS x\)$/);
  });
});
