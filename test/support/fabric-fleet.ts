/** Several hosts on the routed fabric with a Redis of their own, whose workers the test drives; each can be stopped or killed as a whole. */

import { FabricHost, type FabricHostOptions } from "./fabric-host.js";
import { fetchText, killIfThere } from "./host.js";
import type { LightSocket } from "./light-socket.js";
import { LocalRedis } from "./redis/local-redis.js";

export interface FabricFleetOptions extends Omit<FabricHostOptions, "servers"> {
  readonly hosts: number;
}

export class FabricFleet implements AsyncDisposable {
  readonly redis: LocalRedis;
  readonly hosts: readonly FabricHost[];
  readonly #stopped = new Set<number>();

  private constructor(redis: LocalRedis, hosts: readonly FabricHost[]) {
    this.redis = redis;
    this.hosts = hosts;
  }

  /** Resolves when each worker knows of all workers of all hosts. */
  static async start({ hosts, workers = 1, env, ...rest }: FabricFleetOptions): Promise<FabricFleet> {
    const redis = new LocalRedis();
    await redis.start();
    const servers = hosts * workers;
    const starting = Array.from({ length: hosts }, async (_, index) => {
      const own = joinRedis(redis.url, nameHost(index));
      return await FabricHost.start({ ...rest, workers, servers, env: { ...own, ...env } });
    });
    const settled = await Promise.allSettled(starting);
    const started = settled.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    const fleet = new FabricFleet(redis, started);
    const failed = settled.find((each) => each.status === "rejected");
    if (failed === undefined) return fleet;
    await fleet[Symbol.asyncDispose]();
    throw failed.reason;
  }

  host(index: number): FabricHost {
    const host = this.hosts[index];
    if (host === undefined) throw new Error(`there is no host ${index}`);
    return host;
  }

  /** One client on the first worker of each host. */
  async openEach(): Promise<LightSocket[]> {
    return (await Promise.all(this.hosts.map(async (host) => await host.openOn([0])))).flat();
  }

  /** Sends a signal to every process of a host in one moment. */
  async signalAll(index: number, signal: "SIGKILL" | "SIGSTOP"): Promise<{ readonly atMs: number; wake: () => void }> {
    const pids = await listPids(this.host(index));
    const atMs = performance.now();
    for (const pid of pids) process.kill(pid, signal);
    const wake = (): void => {
      for (const pid of pids) {
        this.#stopped.delete(pid);
        process.kill(pid, "SIGCONT");
      }
    };
    if (signal === "SIGSTOP") for (const pid of pids) this.#stopped.add(pid);
    return { atMs, wake };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Who stands still cannot end by itself, and has nothing more to say.
    for (const pid of this.#stopped) killIfThere(pid);
    const ended = await Promise.allSettled(this.hosts.map(async (host) => await host[Symbol.asyncDispose]()));
    await this.redis[Symbol.asyncDispose]();
    const failed = ended.find((each) => each.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }
}

/** Settings of a host on that Redis. On one machine with ports from the system, all would derive the same key. */
export function joinRedis(redisUrl: string, hostKey: string): Record<string, string> {
  return { SIGNALBOX_REDIS_URL: redisUrl, SIGNALBOX_HOST_KEY: hostKey };
}

export function nameHost(index: number): string {
  return `h00${index}`;
}

/** The primary first: it would start others in the place of those that end. */
async function listPids({ host }: FabricHost): Promise<number[]> {
  const { pid, router, workers } = await host.readStatus();
  return [pid, router?.pid ?? null, ...workers.map((worker) => worker.pid)].filter((each) => each !== null);
}

/** Status code and text of an address of the admin port. */
export async function askAdmin({ host }: FabricHost, path: string): Promise<{ status: number; body: string }> {
  return await fetchText(`http://127.0.0.1:${host.adminPort}${path}`);
}
