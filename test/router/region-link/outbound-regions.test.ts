/** What is known of the regions that a host links to, and what is kept for them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { commands } from "../../../src/protocol/exchange-frames.js";
import { encodeWorkerToRouter } from "../../../src/protocol/worker-port-frames.js";
import { encodeBroadcast, encodeCommand } from "../../support/fabric-frames.js";
import { LinkHarness, type TestLink } from "../../support/link-harness.js";

const outboxAgeMs = 60_000;

function up(uid: string): Buffer {
  return encodeWorkerToRouter({ type: "namespace-up", uid, parserId: 0, namespace: "/" });
}

function down(uid: string): Buffer {
  return encodeWorkerToRouter({ type: "namespace-down", uid });
}

/** The snapshot of a region that has nothing. */
function complete(harness: LinkHarness, link: TestLink): void {
  harness.answerSnapshot(link, []);
}

test("for a region that is gone no rooms of joins are kept", () => {
  const harness = new LinkHarness();
  const worker = harness.router.join("hostAA");
  worker.read();
  harness.router.tick(outboxAgeMs);
  const [region] = harness.links.regions;
  assert.equal(region?.isGone, true);
  for (let user = 0; user < 100; user++) worker.send(encodeCommand(commands.socketsJoin, [`user ${user}`]));
  assert.equal(region?.expectedRooms.size, 0);
});

test("what does not go to a region that is gone is not counted as if it did", () => {
  const harness = new LinkHarness();
  const worker = harness.router.join("hostAA");
  worker.read();
  worker.send(encodeBroadcast({}));
  harness.router.tick(outboxAgeMs);
  worker.send(encodeBroadcast({}));
  const { framesOut, givenUpFrames } = harness.links.counters;
  assert.deepEqual({ framesOut, givenUpFrames }, { framesOut: 1, givenUpFrames: 2 });
});

test("what is said of joins ahead of all announcements is not gathered without end", () => {
  const harness = new LinkHarness();
  const link = harness.dial("us", "us-0");
  for (let number = 1; number <= 10_000; number++) harness.tell(link, { type: "joins-done", number, head: 9_999_999 });
  const [region] = harness.links.regions;
  assert.ok((region?.settled.length ?? 0) <= 1_000);
  assert.match(harness.closed[0]?.reason ?? "", /ahead of its announcements/);
});

test("a host that moves to another region is looked for there, whichever says so first", () => {
  const harness = new LinkHarness(["us", "ap"]);
  const worker = harness.router.join("hostAA");
  worker.read();
  const [us, ap] = [harness.dial("us", "us-0"), harness.dial("ap", "ap-0")];
  for (const link of [us, ap]) complete(harness, link);
  const uids = [0, 1].map((index) => `movAA${index}${"u".repeat(14)}`);
  harness.announce(us, 1, uids.map(up));
  harness.announce(ap, 1, uids.map(up));
  harness.announce(us, 2, uids.map(down));
  for (const link of [us, ap]) harness.readSent(link);
  worker.send(encodeBroadcast({ rooms: [`movAA0${"s".repeat(14)}`] }));
  const frames = (link: TestLink): number => harness.readDatagrams(link).flatMap((each) => each.frames).length;
  assert.deepEqual([frames(us), frames(ap)], [0, 1]);
});

test("a host that has taken the link over does not know what workers still have to read: joins are expected for a while", () => {
  const harness = new LinkHarness();
  const worker = harness.router.join("hostAA");
  worker.read();
  const [region] = harness.links.regions;
  const finish = (link: TestLink): void => {
    complete(harness, link);
    harness.tell(link, { type: "joins-done", number: region?.joinsSent ?? 0, head: 0 });
  };
  const first = harness.dial("us", "us-0");
  worker.send(encodeCommand(commands.socketsJoin, ["a room"]));
  harness.close(first);
  // The same router knows what it has passed on.
  finish(harness.dial("us", "us-0"));
  assert.equal(region?.expectedRooms.size, 0);
  const second = harness.dial("us", "us-0");
  worker.send(encodeCommand(commands.socketsJoin, ["a room"]));
  harness.close(second);
  finish(harness.dial("us", "us-1"));
  assert.equal(region?.expectedRooms.size, 1);
  harness.router.tick(4_000);
  assert.equal(region?.expectedRooms.size, 1);
  harness.router.tick(6_000);
  assert.equal(region?.expectedRooms.size, 0);
});
