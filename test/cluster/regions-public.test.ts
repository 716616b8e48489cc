/** A link that comes to the public address, as a proxy passes it on: the primary gives the connection to the router. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { fixturePath, startHost } from "../support/host.js";
import { LightSocket } from "../support/light-socket.js";
import { linkSecret } from "../support/region-fleet.js";

test("a region links to the public address of another, and messages come", { timeout: 60_000 }, async () => {
  const app = fixturePath("hosts/hosts-app.mjs");
  const shared = { SIGNALBOX_LINK_SECRETS: linkSecret, SIGNALBOX_LOG_LEVEL: "debug" };
  await using us = await startHost({
    app,
    workers: 1,
    env: { ...shared, SIGNALBOX_HOST_KEY: "us-0", SIGNALBOX_REGION: "us", SIGNALBOX_LINK_LISTEN: "public" },
  });
  const url = `ws://127.0.0.1:${us.port}/signalbox/link`;
  await using eu = await startHost({
    app,
    workers: 1,
    env: { ...shared, SIGNALBOX_HOST_KEY: "eu-0", SIGNALBOX_REGION: "eu", SIGNALBOX_LINKS: `us=${url}` },
  });
  await eu.waitForStatus(({ links }) => links?.regions[0]?.isLinked === true, "the link");
  const [from, to] = await Promise.all([LightSocket.open(eu), LightSocket.open(us)]);
  const said = once(to, "said");
  from.emitTo("emit", [], "from eu");
  assert.deepEqual(await said, ["from eu"]);
  // There is no link back: nobody waits for answers of us.
  assert.equal((await eu.readStatus()).links?.regions[0]?.answers, false);
  assert.equal((await from.call<string[]>("fetch", [])).length, 1);
  from.close();
  to.close();
});
