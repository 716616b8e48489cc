/** Makes Engine.IO and Socket.IO name their sessions and sockets by addresses of this worker. */

import { randomBytes } from "node:crypto";
import type { Namespace, Server, Socket } from "socket.io";
import { createAddress, encodePlace, randomBytesPerAddress } from "../address/address.js";
import type { AdapterFactory } from "./fabric-contract.js";

/** Ids made from one call to the system's generator: a call for each costs several times the rest of an id. */
const idsPerPool = 128;

/** Makes ids of one place, each with 84 random bits from the system's generator. */
export function createIdGenerator(hostKey: string, workerSlot: number): () => string {
  const place = encodePlace({ hostKey, workerSlot });
  let pool = Buffer.alloc(0);
  let used = 0;
  return () => {
    if (used === pool.length) {
      pool = randomBytes(randomBytesPerAddress * idsPerPool);
      used = 0;
    }
    const random = pool.toString("base64url", used, used + randomBytesPerAddress);
    used += randomBytesPerAddress;
    return createAddress(place, random);
  };
}

/** Engine.IO's `generateId` is its public hook for session ids. */
export function addressSessions(io: Server, generateId: () => string): void {
  io.engine.generateId = () => generateId();
}

/** What `_createSocket` of a namespace is given: only the Engine.IO protocol version matters here. */
interface SocketClient {
  readonly conn: { readonly protocol: number };
}

/** The method of a namespace that makes its sockets (socket.io 4.8, `namespace.js`); private, pinned by a test. */
interface SocketMaker {
  _createSocket(client: SocketClient, auth: unknown): Promise<Socket>;
}

/**
 * Sets the id of a namespace's sockets where they are made, before middleware and before anything is keyed by it.
 * A middleware would come too late: it leaks the socket in `_preConnectSockets`, and in child namespaces it runs after
 * the application's. Recovered sockets and Engine.IO 3 clients keep the id they have.
 */
export function addressSockets(namespace: Namespace, generateId: () => string | undefined): void {
  const maker = namespace as unknown as SocketMaker;
  const createSocket = maker._createSocket.bind(namespace);
  maker._createSocket = async (client, auth) => {
    const socket = await createSocket(client, auth);
    if (socket.recovered || client.conn.protocol === 3) return socket;
    const id = generateId();
    if (id !== undefined) Object.assign(socket, { id });
    return socket;
  };
}

/**
 * The adapter factory itself stays unchanged; each namespace it is called for makes addressed sockets.
 * @param generateId undefined as long as this worker's place is not known: the socket keeps its own id then
 */
export function withAddressedSockets(
  createAdapter: AdapterFactory,
  generateId: () => string | undefined,
): AdapterFactory {
  // A namespace whose adapter is set anew must not be wrapped twice.
  const addressed = new WeakSet<Namespace>();
  // Socket.IO calls the factory with `new`, so it cannot be an arrow function.
  return function createAddressedAdapter(namespace: Namespace): object {
    if (!addressed.has(namespace)) {
      addressed.add(namespace);
      addressSockets(namespace, generateId);
    }
    return createAdapter(namespace);
  };
}
