/** The workers of one host or several on one fabric, each of which does what a test says, and clients placed on the workers. */

import { pause } from "../../../support/host.js";
import { type Client, readAddress, type Transport } from "./client.js";
import { ControlServer } from "./control-server.js";
import type { Heard } from "./ear.js";
import type { Layout } from "./fabrics.js";
import { ModernClient, type ModernTransport } from "./modern-client.js";
import { OldClient } from "./old-client.js";
import { StageHosts } from "./stage-hosts.js";
import { StageWorker } from "./stage-worker.js";

/** One of each client of a cast. */
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

const places = [0, 1, 2, 3] as const;
/** Nothing here takes this long; what does has failed. */
const patienceMs = 10_000;
const maxRounds = 32;

/** Four clients, one on each worker; where there are three workers, the last is beside the second. */
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

  /** The same of these alone. */
  async hearOf(heard: readonly number[], from: number): Promise<Heard[][]> {
    return await this.#stage.hear(
      from,
      this.clients.filter((_, place) => heard.includes(place)),
    );
  }

  /** Places of the clients that are not on that worker. */
  placesOff(slot: number): number[] {
    return places.filter((place) => this.#stage.slotOf(place) !== slot);
  }

  clientsOff(slot: number): Client[] {
    return this.clients.filter((_, place) => this.#stage.slotOf(place) !== slot);
  }
}

export class Stage {
  readonly layout: Layout;
  /** Of all hosts. */
  readonly workers: readonly StageWorker[];
  readonly #options: StageOptions;
  readonly #hosts: StageHosts;
  readonly #control: ControlServer;
  #clients: Client[] = [];
  #lastName = 0;
  #lastHost = 0;
  /** A worker has taken the place of another. */
  #isWorkerNew = false;

  constructor(layout: Layout, options: StageOptions = {}) {
    this.layout = layout;
    this.#options = options;
    this.#hosts = new StageHosts(layout);
    this.#control = new ControlServer((place) => this.#hosts.countThrough(place));
    const length = layout.hosts * layout.workersPerHost;
    this.workers = Array.from({ length }, (_, slot) => new StageWorker(this.#control, this.#hosts, slot));
  }

  async open(): Promise<void> {
    await this.#control.open();
    const { serverOptions, parser } = this.#options;
    await this.#hosts.open({ controlPath: this.#control.path, serverOptions, parser });
    for (const nsp of ["/", "/other"]) await this.waitForServers(nsp);
  }

  /** Resolves when the adapters of a namespace know of so many servers on each of these workers. */
  async waitForServers(nsp: string, count = this.workers.length, on = this.allBut()): Promise<void> {
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

  /** The worker of that place in a cast, and so every worker by its number. */
  at(place: number): StageWorker {
    const worker = this.workers[this.slotOf(place)];
    if (worker === undefined) throw new Error(`there is no worker ${place}`);
    return worker;
  }

  /** With fewer workers than places, the last are beside the second and those that follow it. */
  slotOf(place: number): number {
    return place < this.workers.length ? place : place - this.workers.length + 1;
  }

  /** Numbers of the workers, without these. */
  allBut(...left: readonly number[]): number[] {
    return this.workers.map(({ slot }) => slot).filter((slot) => !left.includes(slot));
  }

  /** The worker that a client is on. */
  of(client: Pick<Client, "id">): StageWorker {
    const { hostKey, workerSlot } = readAddress(client.id);
    return this.at(this.#hosts.countThrough({ hostKey, slot: workerSlot }));
  }

  /** A name that no other test of this stage has. */
  name(kind: string): string {
    this.#lastName++;
    return `${kind}-${this.#lastName}`;
  }

  /** One client for each place; `transports` by place. */
  async gather(options: ClientOptions & { transports?: Four<Transport> } = {}): Promise<Cast> {
    const { transports, ...rest } = options;
    const wishes = places.map((place) => {
      const transport = transports?.[place];
      return { slot: this.slotOf(place), options: { ...rest, ...(transport !== undefined && { transport }) } };
    });
    return new Cast(this, (await this.#place(wishes)) as unknown as Four<Client>);
  }

  /** One client on each worker in a namespace that nobody had before, once all workers know of all. */
  async gatherApart(kind: "dynamic" | "chosen" = "dynamic"): Promise<Cast & { nsp: string }> {
    const nsp = `/${this.name(kind)}`;
    const cast = await this.gather({ nsp });
    await this.waitForServers(nsp);
    return Object.assign(cast, { nsp });
  }

  /** A client on the worker of that place. */
  async connect(place: number, options: ClientOptions = {}): Promise<Client> {
    const [client] = await this.#place([{ slot: this.slotOf(place), options }]);
    return client as Client;
  }

  async connectModern(
    place: number,
    options: ClientOptions & { transport?: ModernTransport } = {},
  ): Promise<ModernClient> {
    return (await this.connect(place, options)) as ModernClient;
  }

  /** A client on whatever worker the primary chooses, of the hosts in turn. */
  async connectAnywhere(options: ClientOptions = {}): Promise<Client> {
    this.#lastHost = (this.#lastHost + 1) % this.layout.hosts;
    return await this.#connectTo(this.#lastHost * this.layout.workersPerHost, options);
  }

  /** A client on any worker of the host of that one. */
  async #connectTo(slot: number, options: ClientOptions): Promise<Client> {
    const { nsp = "/", transport = "websocket", auth, beside } = options;
    const { url } = this.at(slot).host;
    if (transport === "old websocket" || transport === "old polling") {
      const client = new OldClient({ url, nsp, transport });
      this.#clients.push(client);
      await client.ready();
      return client;
    }
    const client = new ModernClient({ url, nsp, transport, auth, beside, parser: this.#options.parser });
    this.#clients.push(client);
    await client.ready(transport);
    // It may be the first of its worker in a namespace.
    if (nsp !== "/" && nsp !== "/other") await this.#settle();
    else if (this.#isWorkerNew && (this.layout.regions ?? 1) > 1) await this.#untilKnown(client);
    return client;
  }

  /** Resolves when all workers find it: other regions learn of a new worker a moment later, and nobody waits for them. */
  async #untilKnown({ id, nsp }: Client): Promise<void> {
    const deadlineMs = performance.now() + patienceMs;
    await Promise.all(
      this.workers.map(async (worker) => {
        for (;;) {
          const found = await worker.of<unknown[]>(nsp, (namespace) => namespace.in(id).fetchSockets());
          if (found.length > 0) return;
          if (performance.now() > deadlineMs) throw new Error(`worker ${worker.slot} does not know of ${id}`);
          await pause(5);
        }
      }),
    );
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
        tried.map(async ({ slot, options }) => ({ client: await this.#connectTo(slot, options), options })),
      );
      for (const { client, options } of arrived) {
        const isLike = ({ slot, options: wished }: (typeof wishes)[number]): boolean =>
          slot === this.of(client).slot && wished.transport === options.transport;
        const wish = open.find((each) => !placed.has(each) && isLike(each));
        if (wish === undefined) strays.push(client);
        else placed.set(wish, client);
      }
    }
    await Promise.all(strays.map(async (stray) => await this.leave(stray)));
    return wishes.map((wish) => placed.get(wish) as Client);
  }

  /** Kills (SIGKILL) a worker, and resolves when another is ready in its place. */
  async kill(worker: number): Promise<void> {
    const { pid } = this.at(worker).process;
    process.kill(pid, "SIGKILL");
    await this.waitUntilReplaced(worker, pid);
  }

  async waitUntilReplaced(worker: number, pid: number): Promise<void> {
    const { host, slot } = this.#hosts.find(worker);
    await host.waitForStatus(
      ({ workers }) => workers[slot]?.state === "ready" && workers[slot].pid !== pid,
      `a worker in the place of worker ${worker}`,
    );
    // It has said hello before it was ready; that may be on its way still.
    while (this.at(worker).process.pid === pid) await pause(1);
    this.#isWorkerNew = true;
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
    const heard = await Promise.all(clients.map(async (client) => await client.ear.takeBefore(marker)));
    await this.#settle();
    return heard;
  }

  /**
   * Resolves when each host knows of the rooms and namespaces that the workers of the others have now. They learn of them a
   * moment later: only who waits for `join`, or sends after `socketsJoin` from the same worker, need not think of that.
   */
  async #settle(): Promise<void> {
    if (this.layout.hosts === 1) return;
    const mark = this.name("mark");
    await Promise.all(
      this.workers.map(async (worker) => {
        await worker.of("/", ({ adapter }) => adapter.addAll(mark, new Set([mark])));
        await worker.of("/", ({ adapter }) => adapter.delAll(mark));
      }),
    );
  }

  /** All clients leave, and resolves when no worker has a session any more. */
  async dismiss(): Promise<void> {
    this.#isWorkerNew = false;
    for (const client of this.#clients.splice(0)) client.close();
    await Promise.all(this.workers.map(async (worker) => await worker.process.ask("idle")));
  }

  async close(): Promise<void> {
    for (const client of this.#clients.splice(0)) client.close();
    await this.#hosts.close();
    this.#control.close();
  }
}
