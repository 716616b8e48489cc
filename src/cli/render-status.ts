/** A host's status as text for a terminal. Pure. */

import { renderColumns } from "../config/render-columns.js";
import type { BusStatus, HostStatus, LinksStatus, ReloadStatus, RouterStatus } from "../protocol/host-status.js";

/** The host, its workers and its counters; ends with a newline. */
export function renderStatus(status: HostStatus): string {
  const { listen } = status;
  const publicAddress = listen.kind === "unix" ? listen.path : `${bracket(listen.host)}:${listen.port}`;
  const host = renderColumns([
    ["host key", status.hostKey],
    ["region", status.region],
    ["version", status.version],
    ["state", status.state],
    ...(status.reload === null ? [] : [["reload", renderReload(status.reload)]]),
    ["uptime", renderDuration(status.uptimeSeconds)],
    ["pid", String(status.pid)],
    ["listening on", publicAddress],
    ["admin", `127.0.0.1:${status.adminPort}`],
    ["fabric", status.fabric],
    ...renderRouter(status.router),
    ...renderBus(status.bus),
    ...renderLinks(status.links),
    ["app", status.app],
  ]);
  const workers = status.workers.map((worker) => [
    String(worker.slot),
    worker.pid === null ? "-" : String(worker.pid),
    worker.state,
    String(worker.sessions),
    String(worker.handedOff),
    String(worker.restarts),
    worker.pid === null ? "-" : renderDuration(worker.uptimeSeconds),
  ]);
  const head = ["slot", "pid", "state", "sessions", "handed off", "restarts", "uptime"];
  const sections = [host, `workers\n${renderColumns([head, ...workers], "  ")}`];

  const counters = Object.entries(status.counters).map(([name, value]) => [name, String(value)]);
  if (counters.length > 0) sections.push(`counters\n${renderColumns(counters, "  ")}`);
  return `${sections.join("\n\n")}\n`;
}

/** How far a reload is, or how it ended. */
export function renderReload(reload: ReloadStatus): string {
  const { state, workersDone, workers, sessionsMoved, seconds, secondsLeft, reason } = reload;
  const progress = `${workersDone} of ${workers} workers replaced, ${sessionsMoved} sessions moved`;
  switch (state) {
    case "rolling":
      return `${progress}, at most ${renderDuration(secondsLeft)} left`;
    case "done":
      return `done in ${seconds} s: ${progress}`;
    case "failed":
      return `failed after ${seconds} s: ${progress}; ${reason}`;
  }
}

/** One line on the process, one on what it holds. */
function renderRouter(router: RouterStatus | null): string[][] {
  if (router === null) return [];
  const since = renderDuration(router.stateSeconds);
  const lines = [
    `${router.state} for ${since}, ${router.pid === null ? "no process" : `pid ${router.pid}`}, restarts ${router.restarts}`,
    `announced rooms ${router.announcedRooms}, lost messages ${router.lostFrames}, waiting bytes ${renderQueues(router)}`,
  ];
  if (router.stalledWorkers.length > 0) lines.push(`does not answer: worker ${router.stalledWorkers.join(", ")}`);
  return lines.map((line, index) => [index === 0 ? "router" : "", line]);
}

/** One line on the links, one on each other region. */
function renderLinks(links: LinksStatus | null): string[][] {
  if (links === null) return [];
  const { regions, accepted, lostFrames, missedFrames } = links;
  const lines = [`${accepted} taken, lost messages ${lostFrames}, missed ${missedFrames}`];
  for (const { region, absence, hostKey, isFlooded, rooms, queuedBytes, roundTripMs } of regions) {
    const state =
      absence === null ? `linked to ${hostKey}` : `no link for ${renderDuration(absence.seconds)} (${absence.reason})`;
    const delay = roundTripMs === null ? "" : `, round trip ${roundTripMs.toFixed(1)} ms`;
    lines.push(
      `region ${region}: ${state}, ${isFlooded ? "gets everything" : `${rooms} rooms`}, ${queuedBytes} bytes wait${delay}`,
    );
  }
  return lines.map((line, index) => [index === 0 ? "links" : "", line]);
}

/** One line on the bus, one on each other host. */
function renderBus(bus: BusStatus | null): string[][] {
  if (bus === null) return [];
  const reason = bus.reason === null ? "" : ` (${bus.reason})`;
  const lines = [
    `${bus.state} for ${renderDuration(bus.stateSeconds)}${reason}, lost messages ${bus.lostFrames}, missed ${bus.missedFrames}`,
  ];
  for (const { hostKey, name, isReachable, isFlooded, rooms, queuedBytes } of bus.hosts) {
    const wants = isFlooded ? "gets every message" : `rooms ${rooms}`;
    lines.push(`${hostKey} (${name}): ${isReachable ? "" : "unreachable, "}${wants}, waiting bytes ${queuedBytes}`);
  }
  return lines.map((line, index) => [index === 0 ? "bus" : "", line]);
}

function renderQueues({ queuedBytes }: RouterStatus): string {
  const waiting = Object.entries(queuedBytes).filter(([, bytes]) => bytes > 0);
  const total = waiting.reduce((sum, [, bytes]) => sum + bytes, 0);
  return total === 0 ? "0" : `${total} (${waiting.map(([slot, bytes]) => `worker ${slot}: ${bytes}`).join(", ")})`;
}

/** The two largest units: `3 d 4 h`, `5 min 0 s`, `12 s`. */
export function renderDuration(seconds: number): string {
  const whole = Math.floor(seconds);
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), "d"],
    [Math.floor(whole / 3600) % 24, "h"],
    [Math.floor(whole / 60) % 60, "min"],
    [whole % 60, "s"],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  const shown = first === -1 ? parts.slice(-1) : parts.slice(first, first + 2);
  return shown.map(([amount, unit]) => `${amount} ${unit}`).join(" ");
}

function bracket(host: string): string {
  return host.includes(":") ? `[${host}]` : host;
}
