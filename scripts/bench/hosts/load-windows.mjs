// Measures fleets side by side under one load: they stay up for all of their windows and are loaded in turn.
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { LOAD_CORE, measureWindow, SERVER_CORE } from "../messages/measure.mjs";
import { WORKLOADS } from "../messages/workloads.mjs";
import { ask } from "../shared/ask.mjs";
import { startPinned, stop } from "../shared/processes.mjs";
import { readRoleCpu } from "../shared/roles.mjs";
import { describeDoubt } from "../shared/saturation.mjs";
import { startSide, stopSide } from "./sides.mjs";

/** One process has the core to itself, and its code is warm the sooner. */
const PROCESS_WARMUP_SHARE = 0.4;
const WORKERS_PER_WARMUP = 4;
/** Where others have a part of the core, the warm-up takes longer, but not for ever. */
const MAX_WARMUP_FACTOR = 3;
const WARMUP_POLL_MS = 100;
/** The stock adapters do not wait for the subscriptions of their rooms. */
const SUBSCRIBE_S = 0.5;

/**
 * `fleets`: `{ name, side, hosts, workers }` of each, in the order of their turns. Answers the windows, and by fleet its final
 * counters, its ports and its connections to Redis.
 */
export async function measureFleets({ fleets, workload, redis, settings, windows: windowCount, say }) {
  const started = [];
  const load = startPinned({
    name: "load",
    core: LOAD_CORE,
    args: [fileURLToPath(new URL("../messages/load.mjs", import.meta.url))],
    ipc: true,
  });
  try {
    for (const fleet of fleets) {
      const { ports, ...rest } = await startSide({ ...fleet, core: SERVER_CORE, redis });
      started.push({ ...fleet, ...rest, ports });
      const clientCount = settings.clients ?? WORKLOADS[workload].clients;
      const outstanding = settings.outstanding ?? WORKLOADS[workload].outstanding;
      await ask(load, { type: "connect", side: fleet.name, workload, ports, clientCount, outstanding }, "connected");
    }
    await sleep(SUBSCRIBE_S * 1_000);
    const windows = [];
    for (let turn = 0; turn < windowCount; turn++) {
      for (const fleet of started) {
        if (turn === 0) {
          await warmUp(load, fleet, settings.warmupS * countWarmUps(fleet));
        }
        const window = await measureWindow({ load, fleet, leadS: settings.settleS, windowS: settings.windowS });
        windows.push(window);
        say(`${fleet.name.padEnd(10)} ${turn + 1}/${windowCount}  ${describeWindow(window)}${describeDoubt(window)}`);
      }
    }
    const countersByFleet = {};
    const connectionsByFleet = {};
    for (const { name, redisUser } of started) {
      const { type, atMs, cpuUs, ...counters } = await ask(load, { type: "read", side: name }, "counters");
      countersByFleet[name] = counters;
      connectionsByFleet[name] = redisUser === undefined ? 0 : await redis.countConnections(redisUser);
    }
    const portsByFleet = Object.fromEntries(started.map(({ name, ports }) => [name, ports]));
    return { windows, countersByFleet, connectionsByFleet, portsByFleet };
  } finally {
    await stop(load);
    await Promise.all(started.map(stopSide));
  }
}

/** Each process has its own code to get warm. */
function countWarmUps({ side, hosts, workers }) {
  return side === "in-memory" ? PROCESS_WARMUP_SHARE : Math.max(1, (hosts * workers) / WORKERS_PER_WARMUP);
}

/** Loads a fleet until it has used that many CPU seconds: it is its code that gets warm, not the clock. */
async function warmUp(load, fleet, cpuSeconds) {
  const read = () => Object.values(readRoleCpu(fleet.pidsByRole)).reduce((sum, seconds) => sum + seconds, 0);
  const goal = read() + cpuSeconds;
  const deadlineMs = performance.now() + cpuSeconds * MAX_WARMUP_FACTOR * 1_000;
  await ask(load, { type: "start", side: fleet.name }, "started");
  while (read() < goal && performance.now() < deadlineMs) {
    await sleep(WARMUP_POLL_MS);
  }
  await ask(load, { type: "stop", side: fleet.name }, "stopped");
}

function describeWindow({ perSecond, perSecondAndCore, usPerMessage, meterPerMessage, saturation }) {
  const redis =
    meterPerMessage === undefined
      ? ""
      : `  Redis ${meterPerMessage.redisUs.toFixed(2)} us, ${meterPerMessage.publishes.toFixed(2)} publishes, ` +
        `${(meterPerMessage.bytesIn + meterPerMessage.bytesOut).toFixed(0)} bytes`;
  return (
    `${perSecond.toFixed(0).padStart(6)}/s  ${perSecondAndCore.toFixed(0).padStart(6)}/s and core  ` +
    `${usPerMessage.total.toFixed(1).padStart(6)} us CPU  servers ${(saturation * 100).toFixed(0)} %${redis}`
  );
}
