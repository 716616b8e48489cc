/** Three regions, each linked to both others, with a delay on each link: no loops, no doubles; and what does not fit the outbox is counted alike. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { pause } from "../support/host.js";
import { LightSocket } from "../support/light-socket.js";
import { NumberedLoad } from "../support/numbered-load.js";
import { RegionFleet } from "../support/region-fleet.js";

const isFull = process.env["TEST_SIZE"] === "full";
const perSecond = isFull ? 2_000 : 900;
const lastsMs = isFull ? 10_000 : 1_500;
/** By all clients together. */
const leastHeard = isFull ? 50_000 : 3_000;
const delayMs = 80;

describe("regions without Redis", { timeout: 120_000 }, () => {
  test(`three of them, ${delayMs} ms from each other: each message once, in order`, async () => {
    await using fleet = await RegionFleet.start({ regions: { eu: 1, us: 1, ap: 1 }, delayMs });
    const hosts = fleet.hosts.map(({ host }) => host);
    const load = await NumberedLoad.open(hosts, hosts);
    for (const host of hosts) {
      await host.waitForStatus(({ links }) => links?.regions.every(({ rooms }) => rooms >= 4) === true, "the rooms");
    }
    const heard = await load.run(perSecond, lastsMs);
    assert.ok(heard >= leastHeard, `${heard} heard`);
    for (const host of hosts) {
      // Of a link that was made anew, it is known with its first heartbeat.
      const { links } = await host.waitForStatus(
        (status) => status.links?.regions.every(({ roundTripMs }) => roundTripMs !== null) === true,
        "round trips",
      );
      for (const { roundTripMs } of links?.regions ?? [])
        assert.ok((roundTripMs ?? 0) >= 2 * delayMs, `${roundTripMs} ms`);
    }
    load.close();
  });

  test("what is missing after a cut that is too long equals what both sides count", async () => {
    const env = { SIGNALBOX_MAX_HOST_OUTBOX_BYTES: "200000" };
    await using fleet = await RegionFleet.start({ regions: { eu: 1, us: 1 }, env });
    const [eu, us] = [fleet.host("eu"), fleet.host("us")];
    const [sender, hearer] = await Promise.all([LightSocket.open(eu), LightSocket.open(us)]);
    await sender.call("tell servers", "before", 20);
    while ((await hearer.call<number>("heard", "before")) < 20) await pause(20);
    fleet.proxy("us").cut();
    const sent = 1_000;
    await sender.call("tell servers", "outage", sent);
    fleet.proxy("us").heal();
    await hearer.closed;
    assert.equal(sender.isClosed, false);
    await sender.call("tell servers", "after", 10);
    const again = await LightSocket.open(us);
    while ((await again.call<number>("heard", "after")) < 10) await pause(20);
    const missing = sent - (await again.call<number>("heard", "outage"));
    assert.ok(missing > sent / 2, `only ${missing} are missing`);
    await us.waitForStatus(({ links }) => links?.missedFrames === missing, `${missing} missed`);
    await eu.waitForStatus(({ links }) => links?.lostFrames === missing, `${missing} lost`);
    assert.equal(await again.call("heard", "before"), 20);
    again.close();
    sender.close();
  });
});
