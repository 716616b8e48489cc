/** The hosts of a stage, and what joins them: one alone, or several with a Redis of their own. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startHost, type TestHost } from "../../../support/host.js";
import { LocalRedis } from "../../../support/redis/local-redis.js";
import type { Layout } from "./fabrics.js";

const app = fileURLToPath(new URL("../fixtures/stage-app.mjs", import.meta.url));

export class StageHosts {
  readonly #layout: Layout;
  /** One for each region; none for a host that is alone. */
  readonly #redis: readonly LocalRedis[];
  readonly #directory: string | undefined;
  #hosts: readonly TestHost[] = [];

  constructor(layout: Layout) {
    this.#layout = layout;
    const { hosts, regions = 1 } = layout;
    this.#redis = hosts === 1 ? [] : Array.from({ length: regions }, () => new LocalRedis());
    if (regions > 1) this.#directory = mkdtempSync(join(tmpdir(), "sbx-stage-"));
  }

  /** Resolves when the workers of each host are ready; whether the hosts know each other is for the caller to see. */
  async open(contractSettings: Readonly<Record<string, unknown>>): Promise<void> {
    const { fabric, hosts, workersPerHost } = this.#layout;
    for (const redis of this.#redis) await redis.start();
    const starting = Array.from(
      { length: hosts },
      async (_, index) =>
        await startHost({
          app,
          workers: workersPerHost,
          env: {
            SIGNALBOX_FABRIC: fabric,
            SIGNALBOX_SLOW_START_MS: "0",
            SIGNALBOX_RESTART_BACKOFF_MIN_MS: "20",
            SIGNALBOX_RESTART_BACKOFF_MAX_MS: "50",
            CONTRACT_SETTINGS: JSON.stringify(contractSettings),
            // On one machine with ports from the system, all of them would derive the same.
            ...this.#join(index),
          },
        }),
    );
    const started = await Promise.allSettled(starting);
    this.#hosts = started.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
    const failed = started.find((each) => each.status === "rejected");
    if (failed === undefined) return;
    await this.close();
    throw failed.reason;
  }

  #join(index: number): Record<string, string> {
    const redis = this.#redis[index % this.#redis.length];
    if (redis === undefined) return {};
    const own = { SIGNALBOX_REDIS_URL: redis.url, SIGNALBOX_HOST_KEY: nameHost(index) };
    const { regions = 1 } = this.#layout;
    if (this.#directory === undefined) return own;
    const nameSocket = (host: number): string => join(this.#directory ?? "", `${host}.sock`);
    const others = Array.from({ length: regions }, (_, region) => region).filter(
      (region) => region !== index % regions,
    );
    return {
      ...own,
      SIGNALBOX_REGION: `region-${index % regions}`,
      SIGNALBOX_LINK_SECRETS: "a-secret-of-the-contract-that-is-long-enough",
      SIGNALBOX_LINK_LISTEN: nameSocket(index),
      SIGNALBOX_LINKS: others.map((region) => `region-${region}=ws+unix:${nameSocket(region)}:/`).join(","),
    };
  }

  /** The number of a worker among those of all hosts. */
  countThrough(place: { readonly hostKey: string; readonly slot: number }): number {
    const { hosts, workersPerHost } = this.#layout;
    if (hosts === 1) return place.slot;
    const index = Array.from({ length: hosts }, (_, each) => nameHost(each)).indexOf(place.hostKey);
    if (index === -1) throw new Error(`no host of this stage has the key ${place.hostKey}`);
    return index * workersPerHost + place.slot;
  }

  /** The host of a worker, and the worker's slot there. */
  find(worker: number): { readonly host: TestHost; readonly slot: number } {
    const { workersPerHost } = this.#layout;
    const host = this.#hosts[Math.floor(worker / workersPerHost)];
    if (host === undefined) throw new Error("the stage is not open");
    return { host, slot: worker % workersPerHost };
  }

  async close(): Promise<void> {
    const ended = await Promise.allSettled(this.#hosts.map(async (host) => await host[Symbol.asyncDispose]()));
    for (const redis of this.#redis) await redis[Symbol.asyncDispose]();
    if (this.#directory !== undefined) rmSync(this.#directory, { recursive: true, force: true });
    const failed = ended.find((each) => each.status === "rejected");
    if (failed !== undefined) throw failed.reason;
  }
}

function nameHost(index: number): string {
  return `h00${index}`;
}
