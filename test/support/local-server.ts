/**
 * A Socket.IO server in the test's own process, with the routed adapter (and no router) or as it comes, and clients that
 * show what arrives on the wire: what a test does with one it does with the other, and compares.
 */

import { EventEmitter, once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo, Socket as TcpSocket } from "node:net";
import { type Namespace, Server, type ServerOptions, type Socket } from "socket.io";
import { WebSocket } from "ws";
import type { EngineConnection } from "../../src/worker/fabric/client-writes.js";
import { RoutedAdapter } from "../../src/worker/fabric/routed-adapter.js";
import { RoutedFabric } from "../../src/worker/fabric/routed-fabric.js";
import type { AdapterFactory } from "../../src/worker/fabric-contract.js";

/** With the routed adapter, or with Socket.IO's own in memory. */
export type Way = "routed" | "stock";
export const ways: readonly Way[] = ["routed", "stock"];

export interface Pair {
  readonly client: RawClient;
  readonly socket: Socket;
}

export class LocalServer implements AsyncDisposable {
  readonly io: Server;
  readonly port: number;
  readonly #clients: RawClient[] = [];

  private constructor(io: Server, port: number) {
    this.io = io;
    this.port = port;
  }

  static async start(way: Way, options: Partial<ServerOptions> = {}): Promise<LocalServer> {
    const create = way === "routed" ? createFactory(createLonelyFabric()) : undefined;
    return await LocalServer.startWith(create, options);
  }

  static async startWith(
    createAdapter: AdapterFactory | undefined,
    options: Partial<ServerOptions> = {},
  ): Promise<LocalServer> {
    const httpServer = createServer();
    const io = new Server(httpServer, options);
    if (createAdapter !== undefined) io.adapter(createAdapter as Parameters<Server["adapter"]>[0]);
    httpServer.listen(0, "127.0.0.1");
    await once(httpServer, "listening");
    return new LocalServer(io, (httpServer.address() as AddressInfo).port);
  }

  /** Both ends of a new connection over WebSocket. */
  async connect(options: RawClientOptions = {}): Promise<Pair> {
    const client = new RawClient(this.port, options);
    this.#clients.push(client);
    const [[socket]] = await Promise.all([once(this.io, "connection") as Promise<[Socket]>, client.joined]);
    // What the server writes for the connection itself has left.
    await turn();
    return { client, socket };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients) client.webSocket.terminate();
    await this.io.close();
  }
}

/** Makes the routed adapters of a fabric. */
export function createFactory(fabric: RoutedFabric): AdapterFactory {
  // Socket.IO calls it with `new`, which no arrow function takes.
  return function create(namespace: Namespace): object {
    return new RoutedAdapter(namespace, fabric);
  };
}

/** A fabric that never finds a router: it serves the sockets of this process. */
export function createLonelyFabric(): RoutedFabric {
  const log = { debug: () => {}, info: () => {}, warn: () => {} };
  return new RoutedFabric({ maxOutboxBytes: 1024 * 1024, maxRooms: 1_000, log, resynchronise: () => {} });
}

/** Resolves when this turn of the event loop is over, and what it held back has been written. */
export async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
}

export interface RawClientOptions {
  readonly perMessageDeflate?: boolean;
  /** Version of the Engine.IO protocol. */
  readonly version?: 3 | 4;
}

/** Joins the main namespace, answers pings, and keeps everything else that arrives, in order: texts, and bytes in hex. */
export class RawClient extends EventEmitter<{ received: [] }> {
  readonly webSocket: WebSocket;
  readonly received: string[] = [];
  readonly joined: Promise<void>;
  readonly closed: Promise<void>;

  constructor(port: number, { perMessageDeflate = false, version = 4 }: RawClientOptions = {}) {
    super();
    const url = `ws://127.0.0.1:${port}/socket.io/?EIO=${version}&transport=websocket`;
    this.webSocket = new WebSocket(url, { perMessageDeflate });
    this.closed = new Promise((resolve) => this.webSocket.once("close", () => resolve()));
    this.joined = new Promise((resolve, reject) => {
      this.webSocket.once("error", reject);
      this.webSocket.on("message", (data: Buffer, isBinary: boolean) => {
        const text = isBinary ? data.toString("hex") : data.toString();
        if (text === "2") this.webSocket.send("3");
        // Clients of protocol 3 are in the main namespace unasked.
        else if (text.startsWith("0{") && !isBinary) {
          if (version === 4) this.webSocket.send("40");
        } else if (text === "40" || text.startsWith("40{")) resolve();
        else this.#keep(text);
      });
    });
  }

  #keep(text: string): void {
    this.received.push(text);
    this.emit("received");
  }

  /** Resolves with everything that has come, when a packet has that begins like this. */
  async until(beginning: string): Promise<string[]> {
    while (!this.received.some((packet) => packet.startsWith(beginning))) await once(this, "received");
    return this.received;
  }

  /** Reads nothing more from the network. */
  pause(): void {
    this.webSocket.pause();
  }

  resume(): void {
    this.webSocket.resume();
  }
}

export function connectionOf(socket: Socket): EngineConnection {
  return socket.conn as unknown as EngineConnection;
}

/** The TCP socket on which a server writes to a client. */
export function tcpSocketOf(socket: Socket): TcpSocket {
  return connectionOf(socket).transport.socket?._socket as unknown as TcpSocket;
}

const writeMethods = ["writev", "writeBuffer", "writeUtf8String", "writeLatin1String", "writeAsciiString"] as const;
type Handle = Record<(typeof writeMethods)[number], (...values: unknown[]) => unknown>;

/** Counts the writes to the kernel from now on. */
export function countWrites(socket: TcpSocket): { count: number } {
  const counted = { count: 0 };
  const { _handle: handle } = socket as unknown as { readonly _handle: Handle };
  for (const name of writeMethods) {
    const write = handle[name];
    handle[name] = (...values) => {
      counted.count++;
      return write.apply(handle, values);
    };
  }
  return counted;
}

/** Runs the same with either way, each with a server and a client of its own, and answers what the clients got. */
export async function compare(
  run: (pair: Pair & { readonly io: Server }) => void | Promise<void>,
  options: Partial<ServerOptions> = {},
  clientOptions: RawClientOptions = {},
): Promise<Record<Way, string[]>> {
  const received: Record<Way, string[]> = { routed: [], stock: [] };
  for (const way of ways) {
    await using server = await LocalServer.start(way, options);
    const pair = await server.connect(clientOptions);
    await run({ ...pair, io: server.io });
    await turn();
    pair.socket.emit("end");
    received[way] = (await pair.client.until('42["end"]')).slice(0, -1);
  }
  return received;
}
