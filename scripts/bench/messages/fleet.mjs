// Starts and ends the servers of one side and knows the role of each of their processes.
import { existsSync, mkdirSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startPinned, stop } from "../shared/processes.mjs";
import { findRoles } from "../shared/roles.mjs";

const READY_TIMEOUT_MS = 60_000;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));

export async function startFleet({ name, adapter }, { core, workers, profileDir, env = {} }) {
  if (profileDir !== undefined) {
    mkdirSync(profileDir, { recursive: true });
  }
  const isProcess = adapter === undefined;
  const fleet = startPinned({
    name,
    core,
    args: [
      ...(profileDir === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profileDir}`]), // inherited by forked children
      here(isProcess ? "../fleets/message-process.mjs" : "../fleets/message-fleet.mjs"),
    ],
    env: {
      BENCH_APP: here("../apps/message-app.mjs"),
      BENCH_WORKERS: String(workers),
      ...(isProcess ? {} : { BENCH_ADAPTER: adapter }),
      ...env,
    },
    ipc: true,
  });
  const { primaryPid, workers: ready } = await waitUntilReady(fleet);
  return {
    name,
    process: fleet,
    ports: ready.map(({ port }) => port),
    pidsByRole: findRoles({ primaryPid, workerPids: ready.map(({ pid }) => pid) }),
  };
}

function waitUntilReady({ name, child }) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${name} does not get ready`)), READY_TIMEOUT_MS);
    child.on("message", (message) => {
      if (message.type === "ready") {
        clearTimeout(timer);
        resolve(message);
      }
    });
    child.once("exit", () => {
      clearTimeout(timer);
      reject(new Error(`${name} ended before it was ready`));
    });
  });
}

export async function stopFleet(fleet, { profileDir, workload }) {
  await stop(fleet.process);
  if (profileDir !== undefined) {
    await nameProfiles(profileDir, workload, fleet);
  }
}

/** Node names profiles by process id (CPU.date.time.PID…); afterwards nobody would know which process did what. */
async function nameProfiles(profileDir, workload, { name, pidsByRole }) {
  await sleep(200); // a router ends after its primary
  for (const file of readdirSync(profileDir)) {
    const pid = Number(file.match(/^CPU\.\d+\.\d+\.(\d+)\./)?.[1]);
    const role = Object.keys(pidsByRole).find((key) => pidsByRole[key].includes(pid));
    const target = join(profileDir, `${workload}-${name}-${role}-${pid}.cpuprofile`);
    if (role !== undefined && !existsSync(target)) {
      renameSync(join(profileDir, file), target);
    }
  }
}
