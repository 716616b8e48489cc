/** A host on the routed fabric whose workers the test drives: each does what it is told over a connection of its own. */

import { parseAddress } from "../../src/address/address.js";
import type { RouterStatus } from "../../src/protocol/host-status.js";
import { type ControlledWorker, ControlServer } from "../contract/fabric/support/control-server.js";
import { fixturePath, pause, startHost, type TestHost } from "./host.js";
import { waitUntilReplaced } from "./kill-worker.js";
import { LightSocket } from "./light-socket.js";

export interface FabricHostOptions {
  /** In test/fixtures/fabric. */
  readonly app?: string;
  readonly workers?: number;
  readonly env?: Readonly<Record<string, string>>;
  /** Those of other hosts count as well; the default is the workers of this one. */
  readonly servers?: number;
}

/** Nothing here takes this long; what does has failed. */
const patienceMs = 20_000;
const maxConnections = 200;

export class FabricHost implements AsyncDisposable {
  readonly host: TestHost;
  readonly workerCount: number;
  readonly #control: ControlServer;
  #lastMark = 0;

  private constructor(host: TestHost, control: ControlServer, workerCount: number) {
    this.host = host;
    this.#control = control;
    this.workerCount = workerCount;
  }

  /** Resolves when each worker knows of all the others. */
  static async start(options: FabricHostOptions = {}): Promise<FabricHost> {
    const { app = "fabric-app.mjs", workers = 4, servers = workers } = options;
    const control = new ControlServer();
    await control.open();
    const started = startHost({
      app: fixturePath(`fabric/${app}`),
      workers,
      env: {
        SIGNALBOX_FABRIC: "routed",
        SIGNALBOX_SLOW_START_MS: "0",
        SIGNALBOX_RESTART_BACKOFF_MIN_MS: "20",
        // A worker that a test has stopped does not drain.
        SIGNALBOX_DRAIN_TIMEOUT_MS: "2000",
        FABRIC_CONTROL_PATH: control.path,
        ...options.env,
      },
    });
    // What keeps this process running must not, when there is nothing to drive.
    const host = await started.catch((error: unknown) => {
      control.close();
      throw error;
    });
    const fabricHost = new FabricHost(host, control, workers);
    await fabricHost.waitForServers(servers);
    return fabricHost;
  }

  get slots(): number[] {
    return Array.from({ length: this.workerCount }, (_, slot) => slot);
  }

  /** The process that has the slot now. */
  worker(slot: number): ControlledWorker {
    return this.#control.worker(slot);
  }

  async ask<Result>(
    slot: number,
    command: string,
    rest: Readonly<Record<string, unknown>> = {},
    limitMs?: number,
  ): Promise<Result> {
    return await this.worker(slot).ask<Result>(command, rest, limitMs);
  }

  /** Resolves when the adapters of these workers count so many servers. */
  async waitForServers(count: number, slots: readonly number[] = this.slots, nsp = "/"): Promise<void> {
    const deadlineMs = performance.now() + patienceMs;
    for (;;) {
      const counts = await Promise.all(slots.map(async (slot) => await this.ask<number>(slot, "serverCount", { nsp })));
      if (counts.every((each) => each === count)) return;
      if (performance.now() > deadlineMs) throw new Error(`workers count ${counts.join(", ")} servers, not ${count}`);
      await pause(5);
    }
  }

  /** One client for each of these slots, in this order, on the worker of that slot. */
  async openOn(slots: readonly number[]): Promise<LightSocket[]> {
    const spare: LightSocket[] = [];
    const opened: LightSocket[] = [];
    for (let made = 0; opened.length < slots.length; ) {
      const slot = slots[opened.length] as number;
      const at = spare.findIndex((socket) => slotOf(socket) === slot);
      if (at >= 0) {
        opened.push(...spare.splice(at, 1));
        continue;
      }
      if (++made > slots.length + maxConnections) throw new Error(`no client came to worker ${slot}`);
      spare.push(await LightSocket.open(this.host));
    }
    for (const socket of spare) socket.close();
    return opened;
  }

  /** Resolves when all that a worker has sent before has passed the router: another worker has what it sent last. */
  async awaitPassage(from: number, to: number): Promise<void> {
    this.#lastMark++;
    const name = `mark-${this.#lastMark}`;
    await this.ask(from, "mark", { name });
    await this.worker(to).waitForNote((note) => note.kind === "mark" && note["name"] === name, name);
  }

  async readRouter(): Promise<RouterStatus> {
    const { router } = await this.host.readStatus();
    if (router === null) throw new Error("the host has no router");
    return router;
  }

  /** Resolves when every client that was closed is known to have gone. */
  async waitForNoSessions(): Promise<void> {
    await this.host.waitForStatus(({ workers }) => workers.every(({ sessions }) => sessions === 0), "no sessions");
  }

  /** Kills (SIGKILL) the router, and answers its pid. */
  async killRouter(): Promise<number> {
    const { pid } = await this.readRouter();
    if (pid === null) throw new Error("there is no router to kill");
    process.kill(pid, "SIGKILL");
    return pid;
  }

  /** Sends a signal to a worker in this very moment. */
  signal(slot: number, signal: NodeJS.Signals): { pid: number; atMs: number } {
    const { pid } = this.worker(slot);
    process.kill(pid, signal);
    return { pid, atMs: performance.now() };
  }

  async waitUntilReplaced(slot: number, killed: { pid: number }): Promise<void> {
    await waitUntilReplaced(this.host, slot, killed);
    // Its hello to the test has been sent by then, but not always been read.
    while (this.worker(slot).pid === killed.pid) await pause(1);
    await this.waitForServers(this.workerCount);
  }

  /** A stopped process cannot end by itself. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const worker of (await this.host.readStatus().catch(() => undefined))?.workers ?? []) {
      if (worker.pid !== null) process.kill(worker.pid, "SIGCONT");
    }
    await this.host[Symbol.asyncDispose]();
    this.#control.close();
  }
}

/** Slot of the worker that a client is on. */
export function slotOf(socket: { readonly sid: string }): number {
  const address = parseAddress(socket.sid);
  if (address === undefined) throw new Error(`${socket.sid} is no address`);
  return address.workerSlot;
}

/** What a median hides, and a mean, too: sorts a copy. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
