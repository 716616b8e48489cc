import assert from "node:assert/strict";
import { test } from "node:test";
import { HostMetrics } from "../../src/metrics/host-metrics.js";

test("counters without labels are there from the start, as zero", async () => {
  const counters = await new HostMetrics().readCounters();
  assert.equal(counters.signalbox_connections_accepted_total, 0);
  assert.equal(counters.signalbox_worker_restarts_total, 0);
});

test("a counter with a label is read under its name and label", async () => {
  const metrics = new HostMetrics();
  metrics.connectionsRefused.inc({ reason: "tls" });
  metrics.connectionsRefused.inc({ reason: "tls" });
  metrics.connectionsRefused.inc({ reason: "garbage" });
  const counters = await metrics.readCounters();
  assert.equal(counters['signalbox_connections_refused_total{reason="tls"}'], 2);
  assert.equal(counters['signalbox_connections_refused_total{reason="garbage"}'], 1);
});

test("gauges are not counters", async () => {
  const metrics = new HostMetrics();
  metrics.workersReady.set(4);
  metrics.sessions.set({ worker: "0" }, 12);
  assert.ok(Object.keys(await metrics.readCounters()).every((name) => /_total(\{|$)/.test(name)));
});

test("two hosts in one process keep their counts apart", async () => {
  const [one, other] = [new HostMetrics(), new HostMetrics()];
  one.connectionsAccepted.inc();
  assert.equal((await other.readCounters()).signalbox_connections_accepted_total, 0);
});

test("every metric has a name by the house rules and a help text that is a sentence", async () => {
  for (const { name, help, type } of await new HostMetrics().registry.getMetricsAsJSON()) {
    assert.match(name, /^signalbox_[a-z_]+$/);
    assert.match(help, /^[A-Z].*\.$/);
    assert.equal(name.endsWith("_total"), String(type) === "counter", name);
  }
});

test("the text for scrapers names worker and value", async () => {
  const metrics = new HostMetrics();
  metrics.sessions.set({ worker: "2" }, 5);
  assert.match(await metrics.registry.metrics(), /^signalbox_sessions\{worker="2"\} 5$/m);
});
