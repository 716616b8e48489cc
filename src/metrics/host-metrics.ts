/** Every metric of the primary, declared once. */

import { Counter, Gauge, Registry } from "prom-client";
import type { WorkerCounts } from "../protocol/worker-messages.js";

/** Why a connection was closed by the primary instead of being handed to a worker. */
export type RefusalReason =
  | "tls"
  | "http2"
  | "garbage"
  | "proxy-header-missing"
  | "proxy-header-malformed"
  | "head-too-large"
  | "head-timeout"
  | "too-many-pending"
  | "unknown-session"
  | "no-worker"
  | "draining";

export class HostMetrics {
  readonly registry = new Registry();

  readonly connectionsAccepted = this.counter("signalbox_connections_accepted_total", "TCP connections accepted.");
  readonly acceptErrors = this.counter(
    "signalbox_accept_errors_total",
    "Times that the system could not give an accepted connection, for want of file descriptors for one.",
  );
  readonly connectionsHandedOff = this.counter(
    "signalbox_connections_handed_off_total",
    "Connections handed to a worker.",
  );
  readonly connectionsRefused = new Counter<"reason">({
    name: "signalbox_connections_refused_total",
    help: "Connections that the primary answered or closed itself, by reason.",
    labelNames: ["reason"],
    registers: [this.registry],
  });
  readonly handOffsRerouted = new Counter<"reason">({
    name: "signalbox_hand_offs_rerouted_total",
    help: "Connections taken back from a worker that ended or stalled, and given to another.",
    labelNames: ["reason"],
    registers: [this.registry],
  });
  readonly workerRestarts = this.counter("signalbox_worker_restarts_total", "Workers started again after they ended.");
  readonly workersRetired = new Counter<"reason">({
    name: "signalbox_workers_retired_total",
    help: "Workers replaced because they had grown too large (memory) or too old (age).",
    labelNames: ["reason"],
    registers: [this.registry],
  });
  readonly unknownSessions = this.counter(
    "signalbox_unknown_sessions_total",
    "Requests whose session id no worker knows: of a dead worker, of another host, or garbage.",
  );
  readonly forwardedRequests = this.counter(
    "signalbox_forwarded_requests_total",
    "Requests that a worker sent on to the sibling that their session id names.",
  );
  readonly forwardedHandshakes = this.counter(
    "signalbox_forwarded_handshakes_total",
    "Handshakes on kept-alive connections sent on to a less loaded sibling.",
  );
  readonly forwardFailures = this.counter(
    "signalbox_forward_failures_total",
    "Requests that could not be sent on because the sibling was gone.",
  );
  readonly workersReady = new Gauge({
    name: "signalbox_workers_ready",
    help: "Workers that take new sessions.",
    registers: [this.registry],
  });
  readonly sessions = new Gauge<"worker">({
    name: "signalbox_sessions",
    help: "Open Engine.IO sessions, by worker slot.",
    labelNames: ["worker"],
    registers: [this.registry],
  });

  /** Adds what a worker has counted since its last report. */
  addWorkerCounts(before: WorkerCounts | undefined, after: WorkerCounts): void {
    this.unknownSessions.inc(Math.max(0, after.unknownSessions - (before?.unknownSessions ?? 0)));
    this.forwardedRequests.inc(Math.max(0, after.forwardedRequests - (before?.forwardedRequests ?? 0)));
    this.forwardedHandshakes.inc(Math.max(0, after.forwardedHandshakes - (before?.forwardedHandshakes ?? 0)));
    this.forwardFailures.inc(Math.max(0, after.forwardFailures - (before?.forwardFailures ?? 0)));
  }

  private counter(name: string, help: string): Counter {
    return new Counter({ name, help, registers: [this.registry] });
  }

  /** All counters as flat names, `name{label="value"}` where there is a label. */
  async readCounters(): Promise<Record<string, number>> {
    const counters: Record<string, number> = {};
    for (const metric of await this.registry.getMetricsAsJSON()) {
      if (!metric.name.endsWith("_total")) continue;
      for (const sample of metric.values) {
        const labels = Object.entries(sample.labels).map(([label, value]) => `${label}="${String(value)}"`);
        const key = labels.length === 0 ? metric.name : `${metric.name}{${labels.join(",")}}`;
        counters[key] = sample.value;
      }
    }
    return counters;
  }
}
