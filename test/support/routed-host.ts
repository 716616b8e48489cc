/** A host with the fabric `routed`, and what its tests want to know of the router. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Socket } from "socket.io-client";
import type { RouterStatus } from "../../src/protocol/host-status.js";
import { fixturePath, type HostOptions, type LogRecord, listDescendants, startHost, type TestHost } from "./host.js";
import { connectOver } from "./use-sockets.js";

/** Runs the echo application unless told otherwise; a router that crashed is back as fast as it can. */
export async function startRoutedHost(options: HostOptions = {}): Promise<TestHost> {
  return await startHost({
    app: fixturePath("echo-app.mjs"),
    ...options,
    env: { SIGNALBOX_FABRIC: "routed", SIGNALBOX_RESTART_BACKOFF_MIN_MS: "1", ...options.env },
  });
}

/** Where the router of a host with a port from the system listens. */
export function findRouterSocket(host: TestHost): string {
  return join(host.runtimeDir, `auto-${host.pid}`, "router.sock");
}

export async function readRouter(host: TestHost): Promise<RouterStatus> {
  const { router } = await host.readStatus();
  if (router === null) throw new Error("this host has no router");
  return router;
}

/** Resolves with the pid of the router that comes next: the primary has heard that workers can connect to it. */
export async function waitForNextRouter(host: TestHost, restart: () => void): Promise<number> {
  const readPid = ({ msg }: LogRecord): string | undefined =>
    /^the router is ready after .*\(pid (\d+)\)$/.exec(msg)?.[1];
  const former = new Set(host.log.map(readPid));
  restart();
  const line = await host.waitForLog((record) => !former.has(readPid(record)), "the next router");
  return Number(readPid(line));
}

/** Resolves when all workers of the host have connected to this router. */
export async function waitForWorkersAt(host: TestHost, routerPid: number, workers: number): Promise<void> {
  for (let slot = 0; slot < workers; slot++) {
    await host.waitForLog(
      ({ pid, msg }) => pid === routerPid && msg === `worker ${slot} has connected to the router`,
      `worker ${slot} at the next router`,
    );
  }
}

/** Pids of the routers below a process. */
export function listRouters(pid: number): number[] {
  return listDescendants(pid).filter((child) => readCommandLine(child).includes("router-main"));
}

function readCommandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

/** One client for each worker of the echo application, by slot. */
export async function connectToEachWorker(host: TestHost, workers: number): Promise<Socket[]> {
  const clients: Socket[] = [];
  while (clients.filter(Boolean).length < workers) {
    const client = await connectOver(host.url, ["websocket"]);
    const { worker } = (await client.emitWithAck("who")) as { worker: number };
    clients[worker]?.disconnect();
    clients[worker] = client;
  }
  return clients;
}

/** A message from a client of one worker reaches a client of another, through the room. */
export async function sendAcross(from: Socket, to: Socket, room: string, value: string): Promise<void> {
  await to.emitWithAck("join", room);
  const said = new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`${JSON.stringify(value)} did not arrive`)), 10_000);
    to.on("said", function take(got: unknown) {
      if (got !== value) return;
      clearTimeout(timer);
      to.off("said", take);
      resolve(got);
    });
  });
  await Promise.all([said, from.emitWithAck("say", room, value)]);
}
