// One measurement on one side: a window in the closed loop, or latencies at a fixed rate.
import { setTimeout as sleep } from "node:timers/promises";
import { ask } from "../shared/ask.mjs";
import { readCoreBusySeconds } from "../shared/cpu.mjs";
import { ROLES, readRoleCpu } from "../shared/roles.mjs";

export const SERVER_CORE = 0;
export const LOAD_CORE = 1;

async function readAll(load, fleet) {
  return {
    counters: await ask(load, { type: "read", side: fleet.name }, "counters"),
    cpu: readRoleCpu(fleet.pidsByRole),
    coreBusySeconds: readCoreBusySeconds(SERVER_CORE),
    meter: await fleet.readMeter?.(),
  };
}

/** What happened between two readings: shares are of a core. */
function compare(before, after, side) {
  const seconds = (after.counters.atMs - before.counters.atMs) / 1_000;
  const completed = after.counters.completed - before.counters.completed;
  const cpuSeconds = Object.fromEntries(ROLES.map((role) => [role, after.cpu[role] - before.cpu[role]]));
  const fleetCpuSeconds = ROLES.reduce((sum, role) => sum + cpuSeconds[role], 0);
  if (Number.isNaN(fleetCpuSeconds)) {
    throw new Error(`a process of side ${side} ended during a window`);
  }
  const usPerMessage = Object.fromEntries(ROLES.map((role) => [role, (cpuSeconds[role] / completed) * 1e6]));
  return {
    side,
    seconds,
    completed,
    perSecond: completed / seconds,
    perSecondAndCore: completed / fleetCpuSeconds,
    usPerMessage: { ...usPerMessage, total: (fleetCpuSeconds / completed) * 1e6 },
    saturation: fleetCpuSeconds / seconds,
    othersOnServerCore: Math.max(0, (after.coreBusySeconds - before.coreBusySeconds - fleetCpuSeconds) / seconds),
    loadBusy: 1 - (after.counters.idleMs - before.counters.idleMs) / 1_000 / seconds,
    // The load never sleeps: what it did not get of its core, others had.
    othersOnLoadCore: Math.max(0, 1 - (after.counters.cpuUs - before.counters.cpuUs) / 1e6 / seconds),
    ...(after.meter !== undefined && { meterPerMessage: divide(before.meter, after.meter, completed) }),
  };
}

/** Of what else a fleet has a meter for: the part of each message. */
function divide(before, after, count) {
  return Object.fromEntries(Object.keys(after).map((name) => [name, (after[name] - before[name]) / count]));
}

/** A window of the closed loop, after `leadS` of the same load. */
export async function measureWindow({ load, fleet, leadS, windowS }) {
  await ask(load, { type: "start", side: fleet.name }, "started");
  await sleep(leadS * 1_000);
  const before = await readAll(load, fleet);
  await sleep(windowS * 1_000);
  const after = await readAll(load, fleet);
  await ask(load, { type: "stop", side: fleet.name }, "stopped");
  return compare(before, after, fleet.name);
}

/** Latencies of messages sent at equal distances, after `leadS` at the same rate. */
export async function measureLatency({ load, fleet, ratePerSecond, leadS, windowS }) {
  await ask(load, { type: "start", side: fleet.name, ratePerSecond }, "started");
  await sleep(leadS * 1_000);
  const before = await readAll(load, fleet);
  await ask(load, { type: "startRecording", side: fleet.name }, "recording");
  await sleep(windowS * 1_000);
  await ask(load, { type: "endRecording", side: fleet.name }, "recorded");
  const after = await readAll(load, fleet);
  await ask(load, { type: "stop", side: fleet.name }, "stopped");
  const { p50Ms, p99Ms, count } = await ask(load, { type: "readLatencies", side: fleet.name }, "latencies");
  const { perSecond, saturation } = compare(before, after, fleet.name);
  return { ratePerSecond, achievedPerSecond: perSecond, saturation, p50Ms, p99Ms, count };
}
