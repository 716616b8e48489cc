/** Hosts of several regions on this machine, each region with a Redis of its own if it has more than one host, linked over Unix sockets. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CuttableProxy } from "./cuttable-proxy.js";
import { fixturePath, startHost, type TestHost } from "./host.js";
import { LocalRedis } from "./redis/local-redis.js";

export const linkSecret = "a-secret-of-the-tests-that-is-long-enough";

export interface RegionFleetOptions {
  /** Number of hosts by name of the region. */
  readonly regions: Readonly<Record<string, number>>;
  readonly workers?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Absolute path of the application. */
  readonly app?: string;
  /** Arguments of `signalbox start`. */
  readonly args?: readonly string[];
  /** What each way over a link takes. */
  readonly delayMs?: number;
}

export interface RegionHost {
  readonly region: string;
  readonly index: number;
  readonly host: TestHost;
}

export class RegionFleet implements AsyncDisposable {
  readonly hosts: readonly RegionHost[];
  /** In front of each region's first host, or whichever `target` says. */
  readonly proxies: ReadonlyMap<string, CuttableProxy>;
  readonly #directory: string;
  readonly #redis: ReadonlyMap<string, LocalRedis>;

  private constructor(
    hosts: readonly RegionHost[],
    proxies: ReadonlyMap<string, CuttableProxy>,
    redis: ReadonlyMap<string, LocalRedis>,
    directory: string,
  ) {
    this.hosts = hosts;
    this.proxies = proxies;
    this.#redis = redis;
    this.#directory = directory;
  }

  /** Resolves when every host has a link to every other region, which answers, and knows its rooms. */
  static async start({
    regions,
    workers = 1,
    env = {},
    app,
    args = [],
    delayMs = 0,
  }: RegionFleetOptions): Promise<RegionFleet> {
    const directory = mkdtempSync(join(tmpdir(), "sbx-regions-"));
    const names = Object.keys(regions);
    const redis = new Map<string, LocalRedis>();
    const proxies = new Map<string, CuttableProxy>();
    const starting: Promise<RegionHost>[] = [];
    for (const region of names)
      proxies.set(region, await CuttableProxy.start(nameLinkSocket(directory, region, 0), delayMs));
    for (const [region, count] of Object.entries(regions)) {
      const server = count > 1 ? new LocalRedis() : undefined;
      await server?.start();
      if (server !== undefined) redis.set(region, server);
      for (let index = 0; index < count; index++) {
        const links = names
          .filter((name) => name !== region)
          .map((name) => `${name}=ws+unix:${proxies.get(name)?.socketPath}:/signalbox/link`);
        const own = {
          SIGNALBOX_HOST_KEY: nameRegionHost(region, index),
          SIGNALBOX_REGION: region,
          SIGNALBOX_LINKS: links.join(","),
          SIGNALBOX_LINK_LISTEN: nameLinkSocket(directory, region, index),
          SIGNALBOX_LINK_SECRETS: linkSecret,
          SIGNALBOX_SLOW_START_MS: "0",
          SIGNALBOX_RESTART_BACKOFF_MIN_MS: "1",
          ...(server !== undefined && { SIGNALBOX_REDIS_URL: server.url }),
        };
        starting.push(
          startHost({ app: app ?? fixturePath("hosts/hosts-app.mjs"), workers, args, env: { ...own, ...env } }).then(
            (host) => ({
              region,
              index,
              host,
            }),
          ),
        );
      }
    }
    const settled = await Promise.allSettled(starting);
    const hosts = settled.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    const fleet = new RegionFleet(hosts, proxies, redis, directory);
    const failed = settled.find((each) => each.status === "rejected");
    try {
      if (failed !== undefined) throw failed.reason;
      await fleet.untilLinked();
    } catch (thrown) {
      await fleet[Symbol.asyncDispose]();
      throw thrown;
    }
    return fleet;
  }

  host(region: string, index = 0): TestHost {
    const found = this.hosts.find((each) => each.region === region && each.index === index);
    if (found === undefined) throw new Error(`there is no host ${index} in ${region}`);
    return found.host;
  }

  redisSocket(region: string): string {
    return this.#redis.get(region)?.socketPath ?? "";
  }

  linkSocket(region: string, index: number): string {
    return nameLinkSocket(this.#directory, region, index);
  }

  proxy(region: string): CuttableProxy {
    const proxy = this.proxies.get(region);
    if (proxy === undefined) throw new Error(`there is no region ${region}`);
    return proxy;
  }

  /** From now on links to the region go to another of its hosts, as a load balancer would have it. */
  moveLinks(region: string, index: number): void {
    this.proxy(region).retarget(nameLinkSocket(this.#directory, region, index));
  }

  async untilLinked(): Promise<void> {
    await Promise.all(
      this.hosts.map(async ({ host }) => {
        await host.waitForStatus(
          ({ links, bus }) =>
            links?.regions.every(({ isLinked, answers, isFlooded }) => isLinked && answers && !isFlooded) === true &&
            (bus === null || bus.hosts.every(({ isFlooded }) => !isFlooded)),
          "the links",
        );
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = await Promise.allSettled(this.hosts.map(async ({ host }) => await host[Symbol.asyncDispose]()));
    for (const proxy of this.proxies.values()) await proxy[Symbol.asyncDispose]();
    for (const redis of this.#redis.values()) await redis[Symbol.asyncDispose]();
    rmSync(this.#directory, { recursive: true, force: true });
    const failed = ended.find((each) => each.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }
}

function nameLinkSocket(directory: string, region: string, index: number): string {
  return join(directory, `${region}-${index}.sock`);
}

/** Four characters that tell the host. */
export function nameRegionHost(region: string, index: number): string {
  return `${region.slice(0, 2)}-${index}`;
}
