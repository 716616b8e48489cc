/**
 * Two workers in one process, each a Socket.IO server with the routed fabric, joined through a real router's core. Nothing
 * passes between them until the test says so, and then all of it does.
 */

import type { Socket } from "socket.io";
import { encodePlace } from "../../src/address/address.js";
import { createIdGenerator, withAddressedSockets } from "../../src/worker/addressed-ids.js";
import { RoutedFabric } from "../../src/worker/fabric/routed-fabric.js";
import { createFactory, LocalServer, type Pair, turn } from "./local-server.js";
import { RouterHarness, type TestWorker } from "./router-harness.js";

const hostKey = "host";
/** Nobody listens there: what is written, the test carries to the router. */
const nowhere = "/nowhere/router.sock";

export class PairWorker {
  readonly fabric: RoutedFabric;
  readonly place: string;
  readonly warnings: string[] = [];
  /** Its servers; the first is there from the beginning. */
  readonly servers: LocalServer[] = [];
  readonly #slot: number;

  constructor(slot: number) {
    this.#slot = slot;
    this.place = encodePlace({ hostKey, workerSlot: slot });
    this.fabric = new RoutedFabric({
      maxOutboxBytes: 1024 * 1024,
      maxRooms: 10_000,
      log: { debug: () => {}, info: () => {}, warn: (message) => this.#keepWarning(message) },
      resynchronise: () => {},
    });
  }

  #keepWarning(message: string): void {
    if (!message.includes(nowhere)) this.warnings.push(message);
  }

  async startServer(options: Parameters<typeof LocalServer.startWith>[1] = {}): Promise<LocalServer> {
    const generateId = createIdGenerator(hostKey, this.#slot);
    const server = await LocalServer.startWith(withAddressedSockets(createFactory(this.fabric), generateId), options);
    this.servers.push(server);
    return server;
  }

  get io(): LocalServer["io"] {
    const [server] = this.servers;
    if (server === undefined) throw new Error("this worker has no server");
    return server.io;
  }

  /** Both ends of a new connection to its first server, in these rooms. */
  async connect(...rooms: readonly unknown[]): Promise<Pair> {
    const [server] = this.servers;
    if (server === undefined) throw new Error("this worker has no server");
    const pair = await server.connect();
    for (const room of rooms) void pair.socket.join(room as string);
    return pair;
  }
}

export class FabricPair implements AsyncDisposable {
  readonly router = new RouterHarness({
    hostKey,
    outbox: { maxBytes: 4 * 1024 * 1024, maxVolatileBytes: 1024 * 1024 },
  });
  readonly a = new PairWorker(0);
  readonly b = new PairWorker(1);
  readonly #connections = new Map<PairWorker, TestWorker>();

  /** Both workers are connected to the router and know of each other. */
  static async start(
    options: {
      readonly a?: Parameters<PairWorker["startServer"]>[0];
      readonly b?: Parameters<PairWorker["startServer"]>[0];
    } = {},
  ): Promise<FabricPair> {
    const pair = new FabricPair();
    await pair.a.startServer(options.a);
    await pair.b.startServer(options.b);
    for (const worker of [pair.a, pair.b]) {
      worker.fabric.settle({ socketPath: nowhere, place: worker.place });
      pair.connect(worker);
    }
    pair.pump();
    return pair;
  }

  /** A new connection of a worker to the router. */
  connect(worker: PairWorker): void {
    this.#connections.set(worker, this.router.open(worker.place));
    worker.fabric.session.connected(worker.place);
  }

  /** The connection of a worker breaks. */
  disconnect(worker: PairWorker): void {
    this.#connections.get(worker)?.close();
    this.#connections.delete(worker);
    worker.fabric.session.closed();
  }

  /** Everything that waits goes where it is to go, and what comes of that, until nothing waits. */
  pump(): void {
    for (let isQuiet = false; !isQuiet; ) {
      isQuiet = true;
      for (const [{ fabric }, connection] of this.#connections) {
        while (fabric.session.hasWrites) {
          const blocks = fabric.session.takeWrites();
          connection.send(...blocks);
          fabric.session.written(blocks);
          isQuiet = false;
        }
        const bytes = this.router.takeWrites(connection.id);
        if (bytes.length === 0) continue;
        fabric.session.received(bytes);
        isQuiet = false;
      }
    }
  }

  /** Resolves as the promise does, carrying everything to and fro until then. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false;
    const settle = (): void => {
      isSettled = true;
    };
    promise.then(settle, settle);
    while (!isSettled) {
      this.pump();
      await turn();
    }
    return await promise;
  }

  /** Carries everything to where it is to go; answers what each of these clients has got since it was asked last. */
  async hear(...pairs: readonly Pair[]): Promise<string[][]> {
    this.pump();
    await turn();
    return await Promise.all(pairs.map(hearOne));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const server of [...this.a.servers, ...this.b.servers]) await server[Symbol.asyncDispose]();
  }
}

async function hearOne({ client, socket }: Pair): Promise<string[]> {
  socket.emit("heard");
  await client.until('42["heard"]');
  return client.received.splice(0).slice(0, -1);
}

export function idsOf(sockets: readonly { readonly id: string }[]): string[] {
  return sockets.map(({ id }) => id).sort();
}

/** Rooms of a socket besides its own. */
export function roomsOf(socket: Socket): unknown[] {
  return [...socket.rooms].filter((room) => room !== socket.id);
}
