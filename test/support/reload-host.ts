/** A host for the reload tests: releases behind a symbolic link, a configuration file, an env file, and the command that reloads it. */

import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { HostStatus, ReloadStatus } from "../../src/protocol/host-status.js";
import { type Outcome, runCli } from "./cli-process.js";
import { fetchText, fixturePath, type HostOptions, startHost, type TestHost } from "./host.js";
import { RawConnection, renderRequest } from "./raw-http.js";

/** What a worker says about itself at `/facts`. */
export interface Facts {
  readonly release: string;
  readonly worker: number;
  readonly variable?: string;
  readonly rss: number;
  readonly handles: number;
}

/** What a release's module does besides serving. */
export interface ReleaseOptions {
  /** Put before everything else in the module. */
  readonly code?: string;
  /** File without which it does not become ready. */
  readonly gate?: string;
}

export class ReloadHost implements AsyncDisposable {
  readonly directory = mkdtempSync(join(tmpdir(), "sbx-roll-"));
  readonly configPath = join(this.directory, "config.json");
  readonly envPath = join(this.directory, "variables");
  #host: TestHost | undefined;

  get host(): TestHost {
    if (this.#host === undefined) throw new Error("the host has not been started");
    return this.#host;
  }

  static async start(
    settings: Readonly<Record<string, unknown>>,
    options: Pick<HostOptions, "env"> & { readonly variables?: string } = {},
  ): Promise<ReloadHost> {
    const reloadHost = new ReloadHost();
    reloadHost.release("1");
    reloadHost.configure(settings);
    writeFileSync(reloadHost.envPath, options.variables ?? "");
    const workers = settings["workers"] as number;
    reloadHost.#host = await startHost({
      app: join(reloadHost.directory, "current", "app.mjs"),
      workers,
      // The file's number counts.
      env: { ...options.env, SIGNALBOX_WORKERS: "" },
      args: ["--config", reloadHost.configPath, "--env-file", reloadHost.envPath],
    });
    return reloadHost;
  }

  configure(settings: Readonly<Record<string, unknown>>): void {
    writeFileSync(this.configPath, JSON.stringify(settings));
  }

  /** Puts a release in place as deploying does: a directory of its own, and the link exchanged. */
  release(name: string, options: ReleaseOptions = {}): void {
    const directory = join(this.directory, "releases", name);
    mkdirSync(directory, { recursive: true });
    const source = pathToFileURL(fixturePath("reload/release.mjs")).href;
    writeFileSync(
      join(directory, "app.mjs"),
      `${options.code ?? ""}\nimport { createApp } from ${JSON.stringify(source)};\n` +
        `export default createApp(${JSON.stringify(name)}, ${JSON.stringify(options.gate)});\n`,
    );
    const link = join(this.directory, "next");
    symlinkSync(directory, link);
    renameSync(link, join(this.directory, "current"));
  }

  /** `signalbox reload`, as a person would run it. */
  async reload(args: readonly string[] = [], variables: Readonly<Record<string, string>> = {}): Promise<Outcome> {
    return await runCli(["reload", ...args], { SIGNALBOX_RUNTIME_DIR: this.host.runtimeDir, ...variables });
  }

  /** Resolves with the status in which the last reload has ended. */
  async waitForReload(state: ReloadStatus["state"]): Promise<HostStatus> {
    return await this.host.waitForStatus(({ reload }) => reload?.state === state, `a reload that is ${state}`);
  }

  async readFacts(): Promise<Facts> {
    return JSON.parse((await fetchText(`${this.host.url}/facts`)).body) as Facts;
  }

  /** A connection that the worker of that slot has answered on, and keeps. */
  async openKept(worker: number): Promise<RawConnection> {
    for (;;) {
      const connection = await RawConnection.open(this.host);
      const { body } = await connection.exchange(renderRequest({ path: "/facts" }));
      if ((JSON.parse(body.toString()) as Facts).worker === worker) return connection;
      connection.destroy();
    }
  }

  /** A request that never ends, at the worker of that slot: it holds that worker's drain, until it is destroyed. */
  async holdDrain(worker: number): Promise<RawConnection> {
    const connection = await this.openKept(worker);
    connection.send("POST /facts HTTP/1.1\r\nHost: example.test\r\nContent-Length: 2\r\n\r\n1");
    return connection;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#host?.[Symbol.asyncDispose]();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export function pidsOf(status: HostStatus): (number | null)[] {
  return status.workers.map(({ pid }) => pid);
}
