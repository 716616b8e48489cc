import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, test } from "node:test";
import { type Namespace, Server, type Socket } from "socket.io";
import { Adapter } from "socket.io-adapter";
import { type Socket as Client, connect } from "socket.io-client";
import { WebSocket } from "ws";
import { parseAddress } from "../../src/address/address.js";
import {
  addressSessions,
  addressSockets,
  createIdGenerator,
  withAddressedSockets,
} from "../../src/worker/addressed-ids.js";

const place = { hostKey: "host", workerSlot: 77 };

let io: Server;
let port = 0;
const clients: Client[] = [];

beforeEach(async () => {
  const httpServer = createServer();
  io = new Server(httpServer, { allowEIO3: true, cleanupEmptyChildNamespaces: false });
  const generateId = createIdGenerator(place.hostKey, place.workerSlot);
  const createAdapter = (namespace: Namespace): object => new Adapter(namespace);
  io.adapter(withAddressedSockets(createAdapter, generateId) as Parameters<Server["adapter"]>[0]);
  addressSessions(io, generateId);
  httpServer.listen(0, "127.0.0.1");
  await once(httpServer, "listening");
  port = (httpServer.address() as AddressInfo).port;
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.disconnect();
  await io.close();
});

function startClient(namespace = "/"): Client {
  const url = `http://127.0.0.1:${port}${namespace}`;
  const client = connect(url, { transports: ["websocket"], forceNew: true, reconnection: false });
  clients.push(client);
  return client;
}

/** Both ends of a new connection to a namespace. */
async function join(namespace: Namespace, path = namespace.name): Promise<{ client: Client; socket: Socket }> {
  const [socket, client] = await Promise.all([
    once(namespace, "connection").then(([connected]) => connected as Socket),
    connectClient(path),
  ]);
  return { client, socket };
}

async function connectClient(path: string): Promise<Client> {
  const client = startClient(path);
  await new Promise<void>((resolve, reject) => {
    client.once("connect", resolve);
    client.once("connect_error", reject);
  });
  return client;
}

/** The id of a socket's Engine.IO session; private in the types, public in the documentation. */
function readSid(socket: Socket): string {
  return (socket.conn as unknown as { id: string }).id;
}

/** Sockets that a namespace keeps although they are neither connecting nor connected. */
function countPreConnect(namespace: Namespace): number {
  const { _preConnectSockets } = namespace as unknown as { _preConnectSockets?: Map<string, Socket> };
  assert.ok(_preConnectSockets instanceof Map, "this socket.io keeps its connecting sockets elsewhere");
  return _preConnectSockets.size;
}

test("each id is another, and each leads to its place", () => {
  const generateId = createIdGenerator(place.hostKey, place.workerSlot);
  const ids = new Set(Array.from({ length: 1_000 }, generateId));
  assert.equal(ids.size, 1_000);
  for (const id of ids) assert.deepEqual(parseAddress(id), place);
});

test("the installed socket.io makes the sockets of a namespace in its method _createSocket", async () => {
  const namespace = new Server().of("/pinned") as unknown as {
    _createSocket: (...values: unknown[]) => Promise<Socket>;
  };
  const prototype = Object.getPrototypeOf(namespace) as object;
  assert.equal(Object.getOwnPropertyDescriptor(prototype, "_createSocket")?.value, namespace._createSocket);
  assert.equal(namespace._createSocket.length, 2);
  assert.equal(namespace._createSocket.constructor.name, "AsyncFunction");
});

test("a Socket.IO server left alone makes ids of the same length", async () => {
  const httpServer = createServer();
  const stock = new Server(httpServer);
  httpServer.listen(0, "127.0.0.1");
  await once(httpServer, "listening");
  const client = connect(`http://127.0.0.1:${(httpServer.address() as AddressInfo).port}`, {
    transports: ["websocket"],
  });
  const [socket] = (await once(stock, "connection")) as [Socket];
  assert.equal(socket.id.length, 20);
  assert.equal(readSid(socket).length, 20);
  client.disconnect();
  await stock.close();
});

describe("the ids are addresses of this worker", () => {
  test("of the session and of the socket in the main namespace, and they differ", async () => {
    const { client, socket } = await join(io.of("/"));
    assert.deepEqual(parseAddress(readSid(socket)), place);
    assert.deepEqual(parseAddress(socket.id), place);
    assert.notEqual(socket.id, readSid(socket));
    assert.equal(client.id, socket.id);
  });

  test("of a session over polling", async () => {
    const response = await fetch(`http://127.0.0.1:${port}/socket.io/?EIO=4&transport=polling`);
    const { sid } = JSON.parse((await response.text()).slice(1)) as { sid: string };
    assert.deepEqual(parseAddress(sid), place);
  });

  test("in a static namespace", async () => {
    const { client, socket } = await join(io.of("/chat"));
    assert.deepEqual(parseAddress(socket.id), place);
    assert.equal(client.id, socket.id);
  });

  test("in a child of a dynamic namespace", async () => {
    const { client, socket } = await join(io.of(/^\/room-\d+$/), "/room-1");
    assert.equal(socket.nsp.name, "/room-1");
    assert.deepEqual(parseAddress(socket.id), place);
    assert.equal(client.id, socket.id);
  });

  test("of all sockets of one client, each its own", async () => {
    const { client, socket } = await join(io.of("/"));
    const chat = io.of("/chat");
    const second = client.io.socket("/chat");
    clients.push(second);
    const [chatSocket] = (await once(chat, "connection")) as [Socket];
    assert.equal(readSid(chatSocket), readSid(socket));
    assert.notEqual(chatSocket.id, socket.id);
    assert.deepEqual(parseAddress(chatSocket.id), place);
  });
});

describe("everything knows a socket by its address", () => {
  test("middleware sees the id that stays", async () => {
    const seen: string[] = [];
    io.use((socket, next) => {
      seen.push(socket.id);
      next();
    });
    const { socket } = await join(io.of("/"));
    assert.deepEqual(seen, [socket.id]);
  });

  test("middleware of a dynamic namespace too", async () => {
    const seen: string[] = [];
    const parent = io.of(/^\/room-\d+$/);
    parent.use((socket, next) => {
      seen.push(socket.id);
      next();
    });
    const { socket } = await join(parent, "/room-2");
    assert.deepEqual(seen, [socket.id]);
  });

  test("the namespace, the rooms and the adapter hold it, and a message to it arrives", async () => {
    const { client, socket } = await join(io.of("/"));
    assert.equal(io.sockets.sockets.get(socket.id), socket);
    assert.ok(socket.rooms.has(socket.id));
    assert.ok(io.sockets.adapter.rooms.has(socket.id));
    const arrived = new Promise((resolve) => client.once("hello", resolve));
    io.to(socket.id).emit("hello", 1);
    assert.equal(await arrived, 1);
  });
});

describe("no socket is kept among the connecting ones", () => {
  test("after it has connected and after it has gone", async () => {
    const namespace = io.of("/chat");
    const { client, socket } = await join(namespace);
    assert.equal(countPreConnect(namespace), 0);
    const gone = once(socket, "disconnect");
    client.disconnect();
    await gone;
    assert.equal(countPreConnect(namespace), 0);
    assert.equal(namespace.sockets.size, 0);
    assert.equal(namespace.adapter.rooms.size, 0);
  });

  test("after middleware has refused it", async () => {
    const namespace = io.of("/chat");
    namespace.use((_socket, next) => next(new Error("not you")));
    const client = startClient("/chat");
    const refusal = await new Promise<Error>((resolve) => client.once("connect_error", resolve));
    assert.equal(refusal.message, "not you");
    assert.equal(countPreConnect(namespace), 0);
    assert.equal(namespace.sockets.size, 0);
  });

  test("after its client has gone while middleware was thinking", async () => {
    const namespace = io.of("/chat");
    const held = new Promise<{ socket: Socket; proceed: () => void }>((resolve) => {
      namespace.use((socket, next) => resolve({ socket, proceed: next }));
    });
    const client = startClient("/chat");
    const { socket, proceed } = await held;
    assert.equal(countPreConnect(namespace), 1);
    const closed = once(socket.conn, "close");
    client.io.engine.close();
    await closed;
    proceed();
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(countPreConnect(namespace), 0);
    assert.equal(namespace.sockets.size, 0);
  });
});

test("a namespace whose adapter is set anew makes one id for a socket, not two", async () => {
  let made = 0;
  const generateId = createIdGenerator(place.hostKey, place.workerSlot);
  const counting = (): string => {
    made++;
    return generateId();
  };
  const factory = withAddressedSockets((namespace) => new Adapter(namespace), counting);
  io.adapter(factory as Parameters<Server["adapter"]>[0]);
  io.adapter(factory as Parameters<Server["adapter"]>[0]);
  await join(io.of("/"));
  assert.equal(made, 1);
});

test("a recovered socket keeps the id it had", async () => {
  const recovered = { id: "hostAB0123456789abcd", recovered: true } as unknown as Socket;
  const namespace = { _createSocket: async () => recovered };
  addressSockets(namespace as unknown as Namespace, () => "never");
  await (namespace._createSocket as (...values: unknown[]) => Promise<Socket>)({ conn: { protocol: 4 } }, {});
  assert.equal(recovered.id, "hostAB0123456789abcd");
});

describe("a client of Engine.IO 3 keeps the id that it makes from the session's", () => {
  async function openOldClient(): Promise<{ socket: WebSocket; sid: string }> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}/socket.io/?EIO=3&transport=websocket`);
    const [data] = (await once(socket, "message")) as [Buffer];
    const { sid } = JSON.parse(data.toString().slice(1)) as { sid: string };
    return { socket, sid };
  }

  test("in the main namespace it is the session's own", async () => {
    const connected = once(io, "connection");
    const old = await openOldClient();
    const [socket] = (await connected) as [Socket];
    assert.equal(socket.id, old.sid);
    assert.deepEqual(parseAddress(old.sid), place);
    old.socket.close();
  });

  test("in another namespace it is the namespace and the session's", async () => {
    const chat = io.of("/chat");
    const old = await openOldClient();
    old.socket.send("40/chat");
    const [socket] = (await once(chat, "connection")) as [Socket];
    assert.equal(socket.id, `/chat#${old.sid}`);
    assert.equal(countPreConnect(chat), 0);
    old.socket.close();
  });
});
