/**
 * The adapter of the routed fabric: one for each namespace of a worker. Local sockets are served first; what others are
 * to get goes to the router once, encoded once.
 */

import type { Namespace, Socket } from "socket.io";
import { Adapter, ClusterAdapter } from "socket.io-adapter";
import { commands, requests, responses } from "../../protocol/exchange-frames.js";
import type { RequestEnd } from "../../routing/request-ledger.js";
import { holdForTurn } from "./client-writes.js";
import { FrameReceiver } from "./frame-receiver.js";
import { FrameSender } from "./frame-sender.js";
import { LocalNamespace, type Packet, type Selection, type SelectionFlags } from "./local-namespace.js";
import type { RoutedFabric } from "./routed-fabric.js";
import { isSocketDetailsList, type SocketDetails } from "./socket-details.js";
import { decodeValue, encodeValue } from "./values.js";
import { WirePacket } from "./wire-packet.js";

/** `ClusterAdapter`'s own. */
const defaultTimeoutMs = 5_000;
const none: ReadonlySet<unknown> = new Set();
const everybody: Selection = { rooms: none, except: none, flags: {} };

/** How Socket.IO hands a selection to its adapter. */
interface BroadcastOptions {
  readonly rooms: ReadonlySet<unknown>;
  readonly except?: ReadonlySet<unknown>;
  readonly flags?: SelectionFlags;
}

type EventCallback = (error: Error | null, responses: unknown[]) => void;

/** Its publishing and request methods are all replaced: `ClusterAdapter` counts answers and cannot forget a member. */
const Base = ClusterAdapter as unknown as new (namespace: Namespace) => Pick<Adapter, "nsp" | "rooms" | "sids">;

export class RoutedAdapter extends Base {
  readonly #fabric: RoutedFabric;
  readonly #local: LocalNamespace;
  readonly #sender: FrameSender;
  readonly #receiver: FrameReceiver;
  #isOpen = false;

  constructor(namespace: Namespace, fabric: RoutedFabric) {
    super(namespace);
    this.#fabric = fabric;
    this.#local = new LocalNamespace(this as unknown as Adapter, namespace);
    this.#sender = new FrameSender(fabric, this.#local);
    this.#receiver = new FrameReceiver(fabric, this.#local, (room) => this.#isRoomWanted(room));
    Object.defineProperty(this, "uid", { get: () => this.#receiver.uid });
    this.#open();
  }

  /** Socket.IO 4.8 does not call it; later versions may. */
  init(): void {
    this.#open();
  }

  /** Releases everything. A namespace that was closed while another socket was on its way to it opens again with that. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#fabric.detach(this.#receiver);
  }

  #open(): void {
    if (this.#isOpen || !this.#sender.isShared) return;
    this.#isOpen = true;
    this.#fabric.attach(this.#receiver);
    // Those of sockets that were on their way here when it closed.
    const rooms = [...this.rooms.keys()].filter((room) => this.#isRoomWanted(room));
    if (rooms.length > 0) void this.#fabric.session.joined(this.#local.name, rooms, performance.now());
  }

  // Rooms.

  addAll(id: string, rooms: Set<string>): Promise<void> | undefined {
    this.#open();
    if (!this.sids.has(id)) this.#greet(id);
    void Adapter.prototype.addAll.call(this, id, rooms);
    let announced: string[] | undefined;
    for (const room of rooms) {
      // Its own id is an address: whoever sends to it finds the way without being told.
      if (room === id && this.#fabric.isOwnAddress(id)) continue;
      announced ??= [];
      announced.push(room);
    }
    if (announced === undefined || !this.#isOpen) return undefined;
    return this.#fabric.session.joined(this.#local.name, announced, performance.now());
  }

  /**
   * A socket has its first room, its own: it is about to be told that it is connected, and the application's handler,
   * which joins it to rooms, runs after that. It hears of it when the router has heard of the rooms.
   */
  #greet(id: string): void {
    this.#fabric.watch(this.#local.server);
    const connection = this.#local.findConnection(id);
    if (connection !== undefined) holdForTurn(connection);
  }

  del(id: string, room: string): void {
    void Adapter.prototype.del.call(this, id, room);
    this.#fabric.session.left(this.#local.name, [room], performance.now());
  }

  delAll(id: string): void {
    const rooms = this.sids.get(id);
    Adapter.prototype.delAll.call(this, id);
    if (rooms !== undefined) this.#fabric.session.left(this.#local.name, rooms, performance.now());
  }

  /** Whether a member other than the socket that the room is the address of is in it. */
  #isRoomWanted(room: unknown): boolean {
    const members = this.rooms.get(room as string);
    if (members === undefined || members.size === 0) return false;
    if (members.size > 1) return true;
    return !(members.has(room as string) && this.#fabric.isOwnAddress(room as string));
  }

  // Messages.

  broadcast(packet: Packet, options: BroadcastOptions): void {
    const selection = toSelection(options);
    packet.nsp = this.#local.name;
    const wire = WirePacket.fromEncoded(this.#local.encode(packet), selection.flags);
    this.#local.write(selection, wire, () => packet);
    if (selection.flags.local !== true) this.#sender.sendBroadcast(packet, wire, selection);
  }

  /**
   * Socket.IO compares how many servers have reported, and how many clients they named, with what it has got. Here all
   * are reported together, when each member has settled or is known to be gone: a count that was reported could not be
   * taken back.
   */
  broadcastWithAck(
    packet: Packet,
    options: BroadcastOptions,
    onClientCount: (count: number) => void,
    onAck: (value: unknown) => void,
  ): void {
    const selection = toSelection(options);
    const members = this.#fabric.session.countMembers(this.#local.name);
    // Socket.IO asks `serverCount()` in this same turn, and waits for as many reports.
    const report = (clients: number): void => {
      onClientCount(clients);
      for (let left = members; left > 0; left--) onClientCount(0);
    };
    if (selection.flags.local === true) {
      this.#local.broadcastWithAck(packet, selection, report, onAck);
      return;
    }
    const { timeout } = selection.flags;
    // As clients will read it: what toJSON says, and without what no client gets, is the same for all of them.
    const value = encodeValue([packet.type, this.#local.readAsClient(packet), timeout]);
    let clients = 0;
    this.#local.broadcastWithAck(
      packet,
      selection,
      (count) => {
        clients = count;
      },
      onAck,
    );
    this.#request(selection, requests.broadcast, value, {
      timeoutMs: timeout ?? 0,
      onAnswer: (type, value) => {
        if (type !== responses.ack) return;
        clients++;
        onAck(decodeValue(value));
      },
      onEnd: (end) => {
        // Otherwise Socket.IO's own time limit tells the application.
        if (end === "complete") report(clients);
      },
    });
  }

  addSockets(options: BroadcastOptions, rooms: readonly unknown[]): void {
    const selection = toSelection(options);
    this.#local.join(selection, rooms);
    if (selection.flags.local === true) return;
    this.#sender.sendRooms(selection, commands.socketsJoin, rooms);
  }

  delSockets(options: BroadcastOptions, rooms: readonly unknown[]): void {
    const selection = toSelection(options);
    this.#local.leave(selection, rooms);
    if (selection.flags.local === true) return;
    this.#sender.sendRooms(selection, commands.socketsLeave, rooms);
  }

  disconnectSockets(options: BroadcastOptions, shouldClose: boolean): void {
    const selection = toSelection(options);
    if (selection.flags.local !== true) {
      this.#sender.sendCommand(selection, Buffer.from([commands.disconnectSockets, shouldClose ? 1 : 0]));
    }
    this.#local.disconnect(selection, shouldClose);
  }

  async fetchSockets(options: BroadcastOptions): Promise<(Socket | SocketDetails)[]> {
    const selection = toSelection(options);
    const sockets: (Socket | SocketDetails)[] = await this.#local.fetchSockets(selection);
    if (selection.flags.local === true) return sockets;
    return await new Promise((resolve, reject) => {
      let failure: string | undefined;
      this.#request(selection, requests.fetchSockets, undefined, {
        timeoutMs: selection.flags.timeout ?? defaultTimeoutMs,
        onAnswer: (type, value) => {
          const answer = decodeValue(value);
          if (type === responses.failed) failure ??= String(answer);
          else if (isSocketDetailsList(answer)) sockets.push(...answer);
        },
        onEnd: (end, counts) => {
          if (failure !== undefined) reject(new Error(`a worker could not answer: ${failure}`));
          else if (end === "complete") resolve(sockets);
          else reject(explainEnd(end, counts));
        },
      });
    });
  }

  /** Deprecated in Socket.IO, where `allSockets()` calls it. */
  async sockets(rooms: ReadonlySet<unknown>): Promise<Set<string>> {
    const sockets = await this.fetchSockets({ rooms });
    return new Set(sockets.map(({ id }) => id));
  }

  /** @throws what `v8.serialize` throws, for arguments that cannot be sent */
  serverSideEmit(packet: unknown[]): void {
    const callback = packet[packet.length - 1];
    if (typeof callback !== "function") {
      const value = encodeValue(packet);
      this.#sender.sendCommand(everybody, Buffer.concat([Buffer.from([commands.serverSideEmit]), value]));
      return;
    }
    const answers: unknown[] = [];
    let failure: string | undefined;
    this.#request(everybody, requests.serverSideEmit, encodeValue(packet.slice(0, -1)), {
      timeoutMs: defaultTimeoutMs,
      onAnswer: (type, value) => {
        const answer = decodeValue(value);
        if (type === responses.failed) failure ??= String(answer);
        else answers.push(answer);
      },
      onEnd: (end, counts) => {
        const error =
          failure !== undefined
            ? new Error(`a worker could not answer: ${failure}`)
            : end === "complete"
              ? null
              : explainEnd(end, counts);
        (callback as EventCallback)(error, answers);
      },
    });
  }

  /** Adapters that serve this namespace on the workers of the host, this one included. */
  async serverCount(): Promise<number> {
    return 1 + this.#fabric.session.countMembers(this.#local.name);
  }

  /** A member that ends or stalls is not waited for. */
  #request(
    selection: Selection,
    type: (typeof requests)[keyof typeof requests],
    value: Buffer | undefined,
    handlers: {
      readonly timeoutMs: number;
      readonly onAnswer: (type: number, value: Buffer) => void;
      readonly onEnd: (end: RequestEnd, counts: { readonly asked: number; readonly missing: number }) => void;
    },
  ): void {
    const { session } = this.#fabric;
    const id = session.openRequest(handlers, performance.now() + handlers.timeoutMs);
    // Nobody can answer before this worker has its place.
    this.#fabric.whenPlaced(() => {
      const { uid } = this.#receiver;
      const outcome = this.#sender.sendRequest(selection, uid, id, type, value);
      if (outcome === "nobody") session.endRequest(id, uid);
      else if (outcome === "refused") session.failRequest(id);
    });
  }
}

function toSelection(options: BroadcastOptions): Selection {
  return { rooms: options.rooms, except: options.except ?? none, flags: options.flags ?? {} };
}

function explainEnd(end: RequestEnd, { asked, missing }: { readonly asked: number; readonly missing: number }): Error {
  const progress = `only ${asked - missing} responses received out of ${asked}`;
  switch (end) {
    case "router-lost":
      return new Error(`the connection to the router was lost: ${progress}`);
    case "not-sent":
      return new Error("the request could not be sent: it is too long, or too much waits for the router");
    default:
      return new Error(`timeout reached: ${progress}`);
  }
}
