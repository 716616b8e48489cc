// Measures sides in windows, in turn: what has come, and what CPU time it took the side's processes.
import { setTimeout as sleep } from "node:timers/promises";
import { SERVER_CORE } from "../messages/measure.mjs";
import { ask } from "../shared/ask.mjs";
import { readCoreBusySeconds, readCpuSeconds } from "../shared/cpu.mjs";

const WARMUP_POLL_MS = 100;
/** Where others have a part of the core, the warm-up takes longer, but not for ever. */
const MAX_WARMUP_FACTOR = 3;

const readCpu = ({ processes }) => processes.map(({ pid }) => readCpuSeconds(pid) ?? Number.NaN);
const add = (values) => values.reduce((sum, value) => sum + value, 0);

/** Loads a side until its processes have used that many CPU seconds: it is their code that gets warm, not the clock. */
export async function warmUp(load, side, cpuSeconds, start = {}) {
  const goal = add(readCpu(side)) + cpuSeconds;
  const deadlineMs = performance.now() + cpuSeconds * MAX_WARMUP_FACTOR * 1_000;
  await ask(load, { type: "start", side: side.name, ...start }, "started");
  while (add(readCpu(side)) < goal && performance.now() < deadlineMs) {
    await sleep(WARMUP_POLL_MS);
  }
  await ask(load, { type: "stop", side: side.name }, "stopped");
}

async function readAll(load, side) {
  return {
    counters: await ask(load, { type: "read", side: side.name }, "counters"),
    cpu: readCpu(side),
    coreBusySeconds: readCoreBusySeconds(SERVER_CORE),
    wireBytes: side.wire === undefined ? 0 : (await ask(side.wire, { type: "count" }, "counted")).bytes,
  };
}

/** A window after `leadS` of the same load; `start`: what the load is told besides. Shares are of a core. */
export async function measureWindow({ load, side, leadS, windowS, start = {} }) {
  await ask(load, { type: "start", side: side.name, ...start }, "started");
  await sleep(leadS * 1_000);
  const before = await readAll(load, side);
  await sleep(windowS * 1_000);
  const after = await readAll(load, side);
  await ask(load, { type: "stop", side: side.name }, "stopped");
  const seconds = (after.counters.atMs - before.counters.atMs) / 1_000;
  const received = after.counters.received - before.counters.received;
  const cpuSeconds = after.cpu.map((each, i) => each - before.cpu[i]);
  const total = add(cpuSeconds);
  if (Number.isNaN(total)) {
    throw new Error(`a process of side ${side.name} ended during a window`);
  }
  if (received === 0) {
    throw new Error(`nothing came through side ${side.name} during a window`);
  }
  return {
    side: side.name,
    received,
    perSecond: received / seconds,
    perSecondAndCore: received / total,
    bytesPerSecondAndCore: (after.counters.receivedBytes - before.counters.receivedBytes) / total,
    usPerMessage: (total / received) * 1e6,
    wireBytesPerMessage: (after.wireBytes - before.wireBytes) / received,
    saturation: total / seconds,
    othersOnServerCore: Math.max(0, (after.coreBusySeconds - before.coreBusySeconds - total) / seconds),
    loadBusy: 1 - (after.counters.idleMs - before.counters.idleMs) / 1_000 / seconds,
  };
}
