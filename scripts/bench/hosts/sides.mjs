// Starts and ends the hosts of one side: `signalbox start` for each, or a program with @socket.io/redis-adapter for each.
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startFleet as startLocalFleet } from "../messages/fleet.mjs";
import { startPinned, stop } from "../shared/processes.mjs";
import { findRoles, joinRoles } from "../shared/roles.mjs";

const READY_TIMEOUT_MS = 90_000;
const POLL_MS = 50;
const here = (path) => fileURLToPath(new URL(path, import.meta.url));
export const CLI_FILE = here("../../../dist/cli/main.js");

const ADAPTERS = {
  classic: new URL("../fleets/redis-classic.mjs", import.meta.url).href,
  sharded: new URL("../fleets/redis-sharded.mjs", import.meta.url).href,
};

/** In the order in which they are measured. */
export const SIDES = ["routed", "classic", "sharded", "in-memory"];

/**
 * Answers what a fleet of the message scenarios is, with all its hosts: `ports` of the first worker of each host first, so
 * that clients that take them in turn are everywhere. `name` tells fleets of the same side apart.
 */
export async function startSide({ side, name = side, hosts, workers, core, redis }) {
  if (side === "in-memory") {
    const { process, ports, pidsByRole } = await startLocalFleet({ name }, { core, workers: 1 });
    return { name, processes: [process], ports, pidsByRole, redisUser: undefined, dispose() {} };
  }
  const redisUser = name.replaceAll(/[^\w-]/g, "-");
  const redisUrl = await redis.addUser(redisUser);
  const place = { name, hosts, workers, core, redisUrl, redisUser };
  const fleet = await (side === "routed" ? startRouted(place) : startStock({ ...place, adapter: ADAPTERS[side] }));
  fleet.pidsByRole.redis.push(redis.pid);
  return { ...fleet, name, redisUser, readMeter: redis.readMeter };
}

export async function stopSide({ processes, dispose }) {
  await Promise.all(processes.map(stop));
  dispose();
}

/** Workers of all hosts in turn. */
function listPorts(workersByHost) {
  const most = Math.max(...workersByHost.map((workers) => workers.length));
  return Array.from({ length: most }, (_, i) => workersByHost.flatMap((workers) => workers[i]?.port ?? [])).flat();
}

async function startStock({ name, hosts, workers, core, redisUrl, adapter }) {
  const env = { BENCH_REDIS_URL: redisUrl };
  const fleets = await Promise.all(
    Array.from({ length: hosts }, (_, i) =>
      startLocalFleet({ name: `${name}-${i + 1}`, adapter }, { core, workers, env }),
    ),
  );
  return {
    processes: fleets.map((fleet) => fleet.process),
    ports: listPorts(fleets.map(({ ports }) => ports.map((port) => ({ port })))),
    pidsByRole: joinRoles(fleets.map(({ pidsByRole }) => pidsByRole)),
    dispose() {},
  };
}

async function startRouted({ name, hosts, workers, core, redisUrl, redisUser }) {
  const directory = mkdtempSync(join(tmpdir(), "bench-hosts-"));
  const dispose = () => rmSync(directory, { recursive: true, force: true });
  const started = Array.from({ length: hosts }, (_, i) => {
    const portsDir = join(directory, `ports-${i}`);
    mkdirSync(portsDir);
    const runtimeDir = join(directory, `run-${i}`);
    const env = {
      SIGNALBOX_HOST_KEY: `h${String(i + 1).padStart(3, "0")}`, // on one machine all would derive the same
      SIGNALBOX_HOST: "127.0.0.1",
      SIGNALBOX_PORT: "0",
      SIGNALBOX_ADMIN_PORT: "0",
      SIGNALBOX_WORKERS: String(workers),
      SIGNALBOX_FABRIC: "routed",
      SIGNALBOX_REDIS_URL: redisUrl,
      SIGNALBOX_REDIS_PREFIX: redisUser,
      // The stock adapters publish where emitters do: a fleet beside them would take all of it in.
      SIGNALBOX_EMITTER_KEY: redisUser,
      SIGNALBOX_RUNTIME_DIR: runtimeDir,
      SIGNALBOX_LOG_FORMAT: "json",
      BENCH_PORTS_DIR: portsDir,
    };
    const args = [CLI_FILE, "start", here("../apps/hosts-app.mjs")];
    return { process: startPinned({ name: `${name}-${i + 1}`, core, args, env }), portsDir, runtimeDir };
  });
  try {
    const workersByHost = await Promise.all(started.map((host) => waitUntilJoined(host, hosts, workers)));
    return {
      processes: started.map(({ process }) => process),
      ports: listPorts(workersByHost),
      pidsByRole: joinRoles(
        started.map(({ process }, i) =>
          findRoles({ primaryPid: process.pid, workerPids: workersByHost[i].map(({ pid }) => pid) }),
        ),
      ),
      dispose,
    };
  } catch (error) {
    await Promise.all(started.map(({ process }) => stop(process)));
    dispose();
    throw error;
  }
}

/** Resolves with the workers when all are ready, and this host knows what the others have. */
async function waitUntilJoined({ process: host, portsDir, runtimeDir }, hosts, workers) {
  const deadlineMs = performance.now() + READY_TIMEOUT_MS;
  while (performance.now() < deadlineMs) {
    if (host.hasEnded) {
      throw new Error(`${host.name} ended before it was ready`);
    }
    const status = await readStatus(runtimeDir);
    if (status !== undefined && isJoined(status, hosts, workers)) {
      return readdirSync(portsDir)
        .map((file) => JSON.parse(readFileSync(join(portsDir, file), "utf8")))
        .sort((a, b) => a.slot - b.slot);
    }
    await sleep(POLL_MS);
  }
  throw new Error(`${host.name} does not get ready`);
}

function isJoined({ workers, bus }, hostCount, workerCount) {
  return (
    workers.filter(({ state }) => state === "ready").length === workerCount &&
    bus?.hasJoined === true &&
    bus.hosts.length === hostCount - 1 &&
    bus.hosts.every(({ isReachable, isFlooded }) => isReachable && !isFlooded)
  );
}

/** `/status` of the host whose runtime directory this is; undefined while there is none. */
async function readStatus(runtimeDir) {
  const [instance] = existsSync(runtimeDir) ? readdirSync(runtimeDir) : [];
  if (instance === undefined) {
    return undefined;
  }
  return await new Promise((resolve) => {
    const socketPath = join(runtimeDir, instance, "control.sock");
    request({ socketPath, path: "/status" }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk) => {
        text += chunk;
      });
      response.on("end", () => resolve(response.statusCode === 200 ? JSON.parse(text) : undefined));
    })
      .on("error", () => resolve(undefined))
      .end();
  });
}
