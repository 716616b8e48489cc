/** A host of four workers on one fabric, each of which does what a test says, and clients placed on the workers. */

import { fileURLToPath } from "node:url";
import { pause, startHost, type TestHost } from "../../../support/host.js";
import { type Client, readSlot, type Transport } from "./client.js";
import { ControlServer } from "./control-server.js";
import type { Heard } from "./ear.js";
import type { Fabric } from "./fabrics.js";
import { ModernClient, type ModernTransport } from "./modern-client.js";
import { OldClient } from "./old-client.js";
import { StageWorker } from "./stage-worker.js";

/** One of each worker, by slot. */
export type Four<Item> = readonly [Item, Item, Item, Item];

export interface StageOptions {
  /** Socket.IO's own, in every worker; JSON. */
  readonly serverOptions?: Readonly<Record<string, unknown>>;
  /** Another parser than Socket.IO's own, in every worker and client. */
  readonly parser?: "msgpack";
}

export interface ClientOptions {
  readonly nsp?: string;
  readonly transport?: Transport;
  readonly auth?: Readonly<Record<string, unknown>>;
  /** A modern client whose connection is shared. */
  readonly beside?: ModernClient;
}

export const workerCount = 4;
const slots = [0, 1, 2, 3] as const;
/** Nothing here takes this long; what does has failed. */
const patienceMs = 10_000;
const maxRounds = 32;

/** One client on each worker. */
export class Cast {
  readonly clients: Four<Client>;
  readonly #stage: Stage;

  constructor(stage: Stage, clients: Four<Client>) {
    this.#stage = stage;
    this.clients = clients;
  }

  /**
   * What each has heard since, in order: all that was sent before is there when a marker that the same worker sends
   * last is there, because the messages of one worker keep their order on their way to a client.
   */
  async hear(from: number): Promise<Heard[][]> {
    return await this.#stage.hear(from, this.clients);
  }

  /** The same of those of these workers. */
  async hearOf(heard: readonly number[], from: number): Promise<Heard[][]> {
    return await this.#stage.hear(
      from,
      this.clients.filter((_, slot) => heard.includes(slot)),
    );
  }
}

export class Stage {
  readonly fabric: Fabric;
  readonly workers: Four<StageWorker>;
  readonly #options: StageOptions;
  readonly #control = new ControlServer();
  #host: TestHost | undefined;
  #clients: Client[] = [];
  #lastName = 0;

  constructor(fabric: Fabric, options: StageOptions = {}) {
    this.fabric = fabric;
    this.#options = options;
    const worker = (slot: number): StageWorker => new StageWorker(this.#control, slot);
    this.workers = [worker(0), worker(1), worker(2), worker(3)];
  }

  get host(): TestHost {
    if (this.#host === undefined) throw new Error("the stage is not open");
    return this.#host;
  }

  async open(): Promise<void> {
    await this.#control.open();
    const { serverOptions, parser } = this.#options;
    this.#host = await startHost({
      app: fileURLToPath(new URL("../fixtures/stage-app.mjs", import.meta.url)),
      workers: workerCount,
      env: {
        SIGNALBOX_FABRIC: this.fabric,
        SIGNALBOX_SLOW_START_MS: "0",
        SIGNALBOX_RESTART_BACKOFF_MIN_MS: "20",
        SIGNALBOX_RESTART_BACKOFF_MAX_MS: "50",
        CONTRACT_SETTINGS: JSON.stringify({ controlPath: this.#control.path, serverOptions, parser }),
      },
    });
    for (const nsp of ["/", "/other"]) await this.waitForServers(nsp, workerCount);
  }

  /** Resolves when the adapters of a namespace know of so many servers on each of these workers. */
  async waitForServers(nsp: string, count: number, on: readonly number[] = slots): Promise<void> {
    const deadlineMs = performance.now() + patienceMs;
    for (;;) {
      const counts = await Promise.all(on.map(async (slot) => await this.countServers(slot, nsp)));
      if (counts.every((each) => each === count)) return;
      if (performance.now() > deadlineMs) throw new Error(`workers count ${counts.join(", ")} servers in ${nsp}`);
      await pause(5);
    }
  }

  async countServers(slot: number, nsp = "/"): Promise<number> {
    return await this.at(slot).of<number>(nsp, (namespace) => namespace.adapter.serverCount());
  }

  at(slot: number): StageWorker {
    const worker = this.workers[slot];
    if (worker === undefined) throw new Error(`there is no worker ${slot}`);
    return worker;
  }

  /** The worker that a client is on. */
  of(client: Client): StageWorker {
    return this.at(readSlot(client));
  }

  /** A name that no other test of this stage has. */
  name(kind: string): string {
    this.#lastName++;
    return `${kind}-${this.#lastName}`;
  }

  /** One client on each worker; `transports` by slot. */
  async gather(options: ClientOptions & { transports?: Four<Transport> } = {}): Promise<Cast> {
    const { transports, ...rest } = options;
    const wishes = slots.map((slot) => {
      const transport = transports?.[slot];
      return { slot, options: { ...rest, ...(transport !== undefined && { transport }) } };
    });
    return new Cast(this, (await this.#place(wishes)) as unknown as Four<Client>);
  }

  /** One client on each worker in a namespace that nobody had before, once all workers know of all. */
  async gatherApart(kind: "dynamic" | "chosen" = "dynamic"): Promise<Cast & { nsp: string }> {
    const nsp = `/${this.name(kind)}`;
    const cast = await this.gather({ nsp });
    await this.waitForServers(nsp, workerCount);
    return Object.assign(cast, { nsp });
  }

  /** A client on that worker. */
  async connect(slot: number, options: ClientOptions = {}): Promise<Client> {
    const [client] = await this.#place([{ slot, options }]);
    return client as Client;
  }

  async connectModern(
    slot: number,
    options: ClientOptions & { transport?: ModernTransport } = {},
  ): Promise<ModernClient> {
    return (await this.connect(slot, options)) as ModernClient;
  }

  /** A client on whatever worker the primary chooses. */
  async connectAnywhere(options: ClientOptions = {}): Promise<Client> {
    const { nsp = "/", transport = "websocket", auth, beside } = options;
    const { url } = this.host;
    if (transport === "old websocket" || transport === "old polling") {
      const client = new OldClient({ url, nsp, transport });
      this.#clients.push(client);
      await client.ready();
      return client;
    }
    const client = new ModernClient({ url, nsp, transport, auth, beside, parser: this.#options.parser });
    this.#clients.push(client);
    await client.ready(transport);
    return client;
  }

  /** The primary chooses the worker: who landed on the wrong one stays there while others try, and then leaves. */
  async #place(wishes: readonly { slot: number; options: ClientOptions }[]): Promise<Client[]> {
    const placed = new Map<(typeof wishes)[number], Client>();
    const strays: Client[] = [];
    for (let round = 0; placed.size < wishes.length; round++) {
      if (round === maxRounds) throw new Error(`clients did not come to their workers in ${maxRounds} rounds`);
      // The primary learns of the sessions that have ended a moment later: until then a worker may seem full.
      if (round > 4) await pause(10);
      const open = wishes.filter((wish) => !placed.has(wish));
      // Later one at a time: the workers take turns, and two at a time could miss theirs for ever.
      const tried = round === 0 ? open : open.slice(0, 1);
      const arrived = await Promise.all(
        tried.map(async ({ options }) => ({ client: await this.connectAnywhere(options), options })),
      );
      for (const { client, options } of arrived) {
        const isLike = ({ slot, options: wished }: (typeof wishes)[number]): boolean =>
          slot === readSlot(client) && wished.transport === options.transport;
        const wish = open.find((each) => !placed.has(each) && isLike(each));
        if (wish === undefined) strays.push(client);
        else placed.set(wish, client);
      }
    }
    await Promise.all(strays.map(async (stray) => await this.leave(stray)));
    return wishes.map((wish) => placed.get(wish) as Client);
  }

  /** Kills (SIGKILL) a worker, and resolves when another is ready in its place. */
  async kill(slot: number): Promise<void> {
    const { pid } = this.at(slot).process;
    process.kill(pid, "SIGKILL");
    await this.waitUntilReplaced(slot, pid);
  }

  async waitUntilReplaced(slot: number, pid: number): Promise<void> {
    await this.host.waitForStatus(
      ({ workers }) => workers[slot]?.state === "ready" && workers[slot].pid !== pid,
      `a worker in the place of worker ${slot}`,
    );
    // It has said hello before it was ready; that may be on its way still.
    while (this.at(slot).process.pid === pid) await pause(1);
  }

  /** A client leaves, and its worker has noticed. */
  async leave(client: Client): Promise<void> {
    const { id } = client;
    client.close();
    const isGone = ({ kind, id: gone }: { kind: string; id?: unknown }): boolean =>
      kind === "disconnect" && gone === id;
    await this.of(client).process.waitForNote(isGone, `${id} left`);
  }

  async hear(from: number, clients: readonly Client[]): Promise<Heard[][]> {
    const marker = this.name("marker");
    const nsp = clients[0]?.nsp ?? "/";
    await this.at(from).of(nsp, (namespace) => namespace.emit(marker));
    return await Promise.all(clients.map(async (client) => await client.ear.takeBefore(marker)));
  }

  /** All clients leave, and resolves when no worker has a session any more. */
  async dismiss(): Promise<void> {
    for (const client of this.#clients.splice(0)) client.close();
    await Promise.all(this.workers.map(async (worker) => await worker.process.ask("idle")));
  }

  async close(): Promise<void> {
    for (const client of this.#clients.splice(0)) client.close();
    await this.#host?.[Symbol.asyncDispose]();
    this.#control.close();
  }
}
