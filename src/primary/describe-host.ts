/** Puts the host into words and into the shape of `/status`. */

import { readFileSync } from "node:fs";
import type { HostStatus, WorkerStatus } from "../protocol/host-status.js";
import type { WorkerRecord } from "./worker-record.js";

/** A slot without a process waits for its next start. */
export function describeSlot(
  slot: { readonly number: number; readonly record: WorkerRecord | undefined; readonly restarts: number },
  nowMs: number,
): WorkerStatus {
  const { number, record, restarts } = slot;
  return {
    slot: number,
    pid: record?.pid ?? null,
    state: record === undefined || record.state === "ended" ? "backoff" : record.state,
    sessions: record?.sessions ?? 0,
    handedOff: record?.handedOff ?? 0,
    restarts,
    uptimeSeconds: record === undefined ? 0 : roundSeconds(nowMs - record.startedMs),
  };
}

/** @param app as in the settings; undefined: the demo */
export function describeStart(app: string | undefined, workers: number): string {
  const what = app ?? "the demo (run your own with: signalbox start ./app.js)";
  return `Signalbox ${readVersion()} starts ${what} on ${count(workers, "worker")}`;
}

/** As a person would open it: a URL, or the path of the Unix socket. */
export function renderAddress(address: HostStatus["listen"]): string {
  if (address.kind === "unix") return address.path;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return `http://${host}:${address.port}`;
}

/** "1 worker", "4 workers". */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

/** Milliseconds to seconds with one decimal. */
export function roundSeconds(milliseconds: number): number {
  return Math.round(milliseconds / 100) / 10;
}

let version: string | undefined;

/** The package's version, from the package.json beside `dist/` or `src/`. */
export function readVersion(): string {
  if (version === undefined) {
    const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
    version = String((JSON.parse(text) as { version: unknown }).version);
  }
  return version;
}
