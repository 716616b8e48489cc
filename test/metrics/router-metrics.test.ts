import assert from "node:assert/strict";
import { test } from "node:test";
import { FabricMetrics } from "../../src/metrics/fabric-metrics.js";
import { HostMetrics } from "../../src/metrics/host-metrics.js";
import { RouterMetrics } from "../../src/metrics/router-metrics.js";
import type { RouterCounts } from "../../src/protocol/router-messages.js";
import { noFabricCounts } from "../../src/protocol/worker-messages.js";
import { emptyCounters } from "../../src/router/router-effects.js";

const countsOf = (framesIn: number, lostFrames = 0): RouterCounts => ({ ...emptyCounters(), framesIn, lostFrames });
const slotOf = (place: string): number => Number(place.slice(4));
const port = { place: "host3", queuedBytes: 40, rooms: 1, isStalled: false, isConnected: true };

test("counters go on when a router takes the place of another, and never back", async () => {
  const host = new HostMetrics();
  const metrics = new RouterMetrics(host.registry);
  metrics.addCounts(undefined, countsOf(5, 1));
  metrics.addCounts(countsOf(5, 1), countsOf(8, 1));
  metrics.addCounts(undefined, countsOf(2));
  metrics.addCounts(countsOf(2), countsOf(1));
  const counters = await host.readCounters();
  assert.equal(counters.signalbox_router_frames_in_total, 10);
  assert.equal(counters.signalbox_router_lost_frames_total, 1);
  assert.equal(counters.signalbox_router_bytes_out_total, 0);
});

test("every count of the router is a counter of the host", async () => {
  const host = new HostMetrics();
  const metrics = new RouterMetrics(host.registry);
  const names = Object.keys(emptyCounters());
  metrics.addCounts(undefined, Object.fromEntries(names.map((name) => [name, 1])) as unknown as RouterCounts);
  const counted = Object.entries(await host.readCounters()).filter(([, value]) => value === 1);
  assert.equal(counted.length, names.length);
  for (const [name] of counted) assert.match(name, /^signalbox_router_/);
});

test("gauges show the workers that there are now, and forget the others", async () => {
  const { registry } = new HostMetrics();
  const metrics = new RouterMetrics(registry);
  metrics.setPorts(
    [port, { ...port, place: "host4", isStalled: true }, { ...port, place: "host5", isConnected: false }],
    slotOf,
  );
  const before = await registry.metrics();
  assert.match(before, /^signalbox_router_queued_bytes\{worker="3"\} 40$/m);
  assert.match(before, /^signalbox_router_stalled_workers 1$/m);
  assert.match(before, /^signalbox_router_connected_workers 2$/m);
  metrics.setPorts([{ ...port, place: "host4", queuedBytes: 0 }], slotOf);
  const after = await registry.metrics();
  assert.doesNotMatch(after, /queued_bytes\{worker="[35]"\}/);
  assert.match(after, /^signalbox_router_queued_bytes\{worker="4"\} 0$/m);
});

test("what workers count of the fabric is added up over them, and over their replacements", async () => {
  const host = new HostMetrics();
  const metrics = new FabricMetrics(host.registry, "routed");
  metrics.addCounts(undefined, { ...noFabricCounts, broadcastsReceived: 5 });
  metrics.addCounts({ ...noFabricCounts, broadcastsReceived: 5 }, { ...noFabricCounts, broadcastsReceived: 7 });
  metrics.addCounts(undefined, { ...noFabricCounts, broadcastsReceived: 1, lateJoins: 2 });
  const counters = await host.readCounters();
  assert.equal(counters.signalbox_fabric_broadcasts_received_total, 8);
  assert.equal(counters.signalbox_fabric_late_joins_total, 2);
});

test("every metric has a name by the house rules and a help text that is a sentence", async () => {
  const { registry } = new HostMetrics();
  new RouterMetrics(registry);
  new FabricMetrics(registry, "routed");
  new FabricMetrics(registry, "stock");
  const ofRouter = (await registry.getMetricsAsJSON()).filter(({ name }) => /^signalbox_(router|fabric)_/.test(name));
  assert.ok(ofRouter.length > 20);
  for (const { name, help, type } of ofRouter) {
    assert.match(name, /^signalbox_[a-z_]+$/);
    assert.match(help, /^[A-Z0-9].*\.$/);
    assert.equal(name.endsWith("_total"), String(type) === "counter", name);
  }
});
