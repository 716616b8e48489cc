/**
 * Who must get which message, and who got it. A message is owed to the sockets that were certainly members of its rooms when
 * it was sent; the debt ends with its delivery, with the membership, or with a loss that the fabric reports.
 */

import type { RoomName } from "../../src/protocol/room-key.js";
import type { Observer } from "./observer.js";
import type { AdapterRecord, Message, SocketRecord, WorkerRecord } from "./records.js";

export class Truth {
  readonly #observer: Observer;
  readonly #owing = new Set<Message>();
  /** By number; there is no message 0. */
  readonly messages: (Message | undefined)[] = [undefined];
  /** The order of all that happens: moments are too coarse, since much happens in one. */
  #order = 0;
  deliveries = 0;

  constructor(observer: Observer) {
    this.#observer = observer;
  }

  get nextOrder(): number {
    return ++this.#order;
  }

  note(message: Message): void {
    this.messages[message.id] = message;
  }

  /**
   * The message is on its way: from now on it is owed.
   * @param via commands sent just before it, by which sockets come to be in its rooms
   * @param canReach whether the router would send something to this adapter
   */
  oblige(
    message: Message,
    workers: Iterable<WorkerRecord>,
    via: readonly Message[],
    canReach: (adapter: AdapterRecord, message: Message) => boolean,
  ): void {
    if (message.isVolatile) return;
    for (const command of via) command.dependents.push(message);
    for (const worker of workers) {
      if (worker === message.sender || !worker.isServing) continue;
      for (const adapter of worker.adapters) {
        if (adapter.namespace !== message.namespace) continue;
        const first = via[0];
        for (const socket of adapter.sockets.values()) {
          if (isOwed(socket, message, [])) {
            if (canReach(adapter, message)) this.#owe(message, socket, []);
          } else if (first !== undefined && isOwed(socket, message, via) && canReach(adapter, first)) {
            this.#owe(message, socket, via);
          }
        }
      }
    }
  }

  #owe(message: Message, socket: SocketRecord, via: readonly Message[]): void {
    message.owedTo.set(socket, via);
    socket.owed.add(message);
    this.#owing.add(message);
  }

  #release(message: Message, socket: SocketRecord): void {
    socket.owed.delete(message);
    message.owedTo.delete(socket);
    if (message.owedTo.size === 0) this.#owing.delete(message);
  }

  /** The socket's rooms have changed: what it is not certain to get any more is not owed. */
  recheck(socket: SocketRecord): void {
    for (const message of socket.owed) {
      if (!isOwed(socket, message, message.owedTo.get(socket) ?? [])) this.#release(message, socket);
    }
  }

  /** The socket is gone. */
  releaseSocket(socket: SocketRecord): void {
    for (const message of socket.owed) this.#release(message, socket);
  }

  /** The message may be lost for everybody who has not got it yet. */
  release(message: Message): void {
    for (const socket of message.owedTo.keys()) this.#release(message, socket);
    for (const dependent of message.dependents) {
      for (const [socket, via] of dependent.owedTo) if (via.includes(message)) this.#release(dependent, socket);
    }
  }

  /** A loss that one worker is told of covers the message. */
  releaseFor(message: Message, worker: WorkerRecord): void {
    for (const socket of message.owedTo.keys()) if (socket.adapter.worker === worker) this.#release(message, socket);
    for (const dependent of message.dependents) {
      for (const [socket, via] of dependent.owedTo) {
        if (socket.adapter.worker === worker && via.includes(message)) this.#release(dependent, socket);
      }
    }
  }

  /** Nothing that was sent until now is certain to reach this worker. */
  releaseWorker(worker: WorkerRecord): void {
    for (const message of this.#owing) this.releaseFor(message, worker);
  }

  /** What was written to this connection, and was not forwarded yet, may be lost. */
  releaseConnection(connection: object): void {
    this.#releaseAll((message) => message.connection === connection && !message.isForwarded);
  }

  /** Whatever the router had may be lost with it. */
  releaseRouter(router: object): void {
    this.#releaseAll((message) => message.connection?.router === router);
  }

  /** What a router had taken may be lost to workers of its host, whoever sent it. */
  releaseTaken(router: object, hostKey: string): void {
    this.#releaseAll(
      (message) => message.takenBy.has(router),
      (worker) => worker.hostKey === hostKey,
    );
  }

  /** What workers of one host sent is not certain to reach others: one, or all. */
  releaseFar(fromKey: string, toKey?: string): void {
    this.#releaseAll(
      (message) => message.sender.hostKey === fromKey,
      ({ hostKey }) => (toKey === undefined ? hostKey !== fromKey : hostKey === toKey),
    );
  }

  #releaseAll(isLost: (message: Message) => boolean, isMeant: (worker: WorkerRecord) => boolean = () => true): void {
    for (const message of this.#owing) {
      for (const [socket, via] of message.owedTo) {
        if (!isMeant(socket.adapter.worker)) continue;
        if (isLost(message) || via.some(isLost)) this.#release(message, socket);
      }
    }
  }

  /** An adapter has carried a command out, for these sockets; they have joined these rooms. */
  noteDone(
    command: Message,
    adapter: AdapterRecord,
    sockets: readonly SocketRecord[],
    joined: readonly RoomName[],
  ): void {
    command.doneBy.add(adapter);
    for (const socket of sockets) {
      for (const room of joined) {
        const membership = socket.rooms.get(room);
        if (membership !== undefined) command.memberships.add(membership);
      }
    }
    if (command.dependents.length === 0) return;
    for (const socket of adapter.sockets.values()) this.recheck(socket);
  }

  /** A frame has come to an adapter: whatever it is, frames of one sender keep their order. */
  noteArrival(message: Message, adapter: AdapterRecord, lastSequences: Map<string, number>): void {
    if (message.sender === adapter.worker) this.#observer.fail(`${message} came back to its origin`);
    if (message.namespace !== adapter.namespace) this.#observer.fail(`${message} came to ${adapter.namespace}`);
    if (message.isVolatile && message.hadNoRouter) {
      this.#observer.fail(`${message} is volatile, was sent without a router, and was kept`);
    }
    this.#checkOrder(message, lastSequences, adapter.worker, `the adapter ${adapter.uid}`);
  }

  /** A socket gets a message. */
  deliver(message: Message, socket: SocketRecord): void {
    this.deliveries++;
    this.#checkOrder(message, socket.lastSequences, socket.adapter.worker, describe(socket));
    if (!socket.isSelected(message))
      this.#observer.fail(`${message} was delivered to ${socket.id}, which is not selected`);
    if (message.owedTo.has(socket)) this.#release(message, socket);
    if (message.isVolatile) return;
    for (const other of socket.owed) {
      if (other.sender === message.sender && other.lane === message.lane && other.sequence < message.sequence) {
        this.#observer.fail(`${other} was not delivered to ${describe(socket)}: ${message} came, which was sent later`);
      }
    }
  }

  /** Between hosts, what is volatile overtakes what has to be sent again; nothing overtakes it. */
  #checkOrder(message: Message, lastSequences: Map<string, number>, worker: WorkerRecord, receiver: string): void {
    const { sequence, sender, lane, isVolatile } = message;
    const key = `${lane} ${sender.name}`;
    const volatileKey = `volatile ${key}`;
    const last = lastSequences.get(key) ?? 0;
    const lastVolatile = lastSequences.get(volatileKey) ?? 0;
    const mayOvertake = isVolatile && worker.hostKey !== sender.hostKey;
    if (sequence === last || sequence === lastVolatile) this.#observer.fail(`${message} came twice to ${receiver}`);
    if (sequence < last || (isVolatile && sequence < lastVolatile)) {
      this.#observer.fail(`${message} came to ${receiver} after one that was sent later`);
    }
    lastSequences.set(mayOvertake ? volatileKey : key, sequence);
  }

  /** Everything has come to rest. */
  checkNothingOwed(): void {
    for (const message of this.#owing) {
      for (const socket of message.owedTo.keys()) {
        this.#observer.fail(
          `${message}, sent at ${message.sentMs.toFixed(2)} ms, was not delivered to ${describe(socket)}`,
        );
      }
    }
  }
}

/** Whether the socket is certain to be a receiver, by what is known now. */
function isOwed(socket: SocketRecord, message: Message, via: readonly Message[]): boolean {
  if (socket.isIn(message.except)) return false;
  /** The last of them that has been carried out here. */
  let done: Message | undefined;
  for (const command of via) {
    if (command.doneBy.has(socket.adapter)) {
      done = command;
      continue;
    }
    if (socket.isIn(command.except)) return false;
    if (done === undefined && command !== via[0]) return socket.isIn(command.rooms);
    return command.rooms.size === 0 || isMember(socket, command, done);
  }
  return message.rooms.size === 0 || isMember(socket, message, done);
}

/** By a command that has been carried out, or since long enough. */
function isMember(socket: SocketRecord, message: Message, by: Message | undefined): boolean {
  if (by !== undefined) {
    for (const room of message.rooms) {
      const membership = socket.rooms.get(room);
      if (membership !== undefined && by.memberships.has(membership)) return true;
    }
  }
  return socket.isCertainlyIn(message.rooms, message);
}

function describe(socket: SocketRecord): string {
  return `socket ${socket.id} on ${socket.adapter.worker.name} (${socket.adapter.namespace})`;
}
