/** What the fabric uses of one namespace of this worker, private faces included, in one place. */

import type { Namespace, Socket } from "socket.io";
import { Adapter, type BroadcastOptions } from "socket.io-adapter";
import { FrameError } from "../../protocol/frame.js";
import type { EngineConnection } from "./client-writes.js";
import {
  computeParserId,
  type EncodedPart,
  type PacketDecoder,
  type PacketEncoder,
  type SocketIoParser,
} from "./parser-id.js";
import type { WirePacket } from "./wire-packet.js";

/** Rooms and excepted rooms of a message, and its flags. */
export interface Selection {
  readonly rooms: ReadonlySet<unknown>;
  readonly except: ReadonlySet<unknown>;
  readonly flags: SelectionFlags;
}

export interface SelectionFlags {
  readonly local?: boolean | undefined;
  readonly volatile?: boolean | undefined;
  readonly compress?: boolean | undefined;
  readonly timeout?: number | undefined;
  /** Nobody beyond this host, or this region, gets it. */
  readonly scope?: "host" | "region" | undefined;
}

/** A packet as socket.io-parser 4 has it. */
export interface Packet {
  type: number;
  nsp?: string;
  data: unknown[];
  id?: number;
}

/** Private members of socket.io 4.8 that adapters use; pinned by tests. */
interface SocketFace {
  readonly client: { readonly conn: EngineConnection };
  notifyOutgoingListeners?(packet: unknown): void;
}

interface ServerFace {
  readonly _parser: SocketIoParser;
  readonly encoder: PacketEncoder;
}

/** Socket.IO keeps them to itself: `serverSideEmit` refuses to send them. */
const reservedEvents: ReadonlySet<string> = new Set(["connect", "connection", "new_namespace"]);

/** The in-memory operations of the adapter's grandparent, which touch local sockets only. */
const memory = Adapter.prototype;

export class LocalNamespace {
  readonly adapter: Adapter;
  readonly name: string;
  readonly parserId: number;
  readonly #namespace: Namespace;
  readonly #server: ServerFace;

  constructor(adapter: Adapter, namespace: Namespace) {
    this.adapter = adapter;
    this.name = namespace.name;
    this.#namespace = namespace;
    this.#server = namespace.server as unknown as ServerFace;
    this.parserId = computeParserId(this.#server._parser);
  }

  get server(): object {
    return this.#server;
  }

  findConnection(id: string): EngineConnection | undefined {
    return (this.#namespace.sockets.get(id) as unknown as SocketFace | undefined)?.client.conn;
  }

  encode(packet: Packet): EncodedPart[] {
    return this.#server.encoder.encode(packet);
  }

  /** The packet that a client would read from these parts; undefined when it would read none. */
  decode(encoded: readonly EncodedPart[]): Packet | undefined {
    const { Decoder } = this.#server._parser;
    // The limit (10 by default) is there for what clients send; this comes from the application.
    const decoder: PacketDecoder = new Decoder({ maxAttachments: Number.POSITIVE_INFINITY });
    let packet: Packet | undefined;
    decoder.on("decoded", (decoded) => {
      packet = decoded as Packet;
    });
    try {
      for (const part of encoded) decoder.add(part);
    } catch {
      // A parser that does not read what it writes: whoever asked goes without.
      return undefined;
    }
    return packet;
  }

  /** The arguments of an event as a client would read them. */
  readAsClient(packet: Packet): unknown[] {
    return this.decode(this.encode(packet))?.data ?? packet.data;
  }

  /** Whether anybody would get a message; cheap, and asked before anything is copied. */
  hasReceiver(rooms: ReadonlySet<unknown>): boolean {
    if (rooms.size === 0) return this.adapter.sids.size > 0;
    for (const room of rooms) {
      if (this.adapter.rooms.has(room as string)) return true;
    }
    return false;
  }

  /** Calls `visit` once for each local socket that is selected. */
  forEachSocket(rooms: ReadonlySet<unknown>, except: ReadonlySet<unknown>, visit: (socket: Socket) => void): void {
    if (rooms.size === 1 && except.size === 0) {
      const [room] = rooms;
      for (const id of this.adapter.rooms.get(room as string) ?? []) {
        const socket = this.#namespace.sockets.get(id);
        if (socket !== undefined) visit(socket);
      }
      return;
    }
    // Private, but what every method of the base is made of.
    const { apply } = memory as unknown as { apply(options: unknown, visit: (socket: Socket) => void): void };
    apply.call(this.adapter, { rooms, except }, visit);
  }

  /** Writes a packet to the selected sockets. `readPacket` gives its decoded form, for listeners that want it. */
  write(selection: Pick<Selection, "rooms" | "except">, packet: WirePacket, readPacket: () => unknown): void {
    this.forEachSocket(selection.rooms, selection.except, (socket) => {
      const face = socket as unknown as SocketFace;
      if (socket.listenersAnyOutgoing().length > 0) {
        const read = readPacket();
        if (read !== undefined) face.notifyOutgoingListeners?.(read);
      }
      packet.writeTo(face.client.conn);
    });
  }

  broadcastWithAck(
    packet: Packet,
    selection: Selection,
    onCount: (count: number) => void,
    onAck: (value: unknown) => void,
  ): void {
    memory.broadcastWithAck.call(this.adapter, packet, toOptions(selection), onCount, onAck);
  }

  /** Those who have not acknowledged will not be waited for any more. */
  forgetAcks(packet: Packet): void {
    if (packet.id === undefined) return;
    for (const socket of this.#namespace.sockets.values()) {
      (socket as unknown as { acks: Map<number, unknown> }).acks.delete(packet.id);
    }
  }

  join(selection: Selection, rooms: readonly unknown[]): void {
    memory.addSockets.call(this.adapter, toOptions(selection), rooms as string[]);
  }

  leave(selection: Selection, rooms: readonly unknown[]): void {
    memory.delSockets.call(this.adapter, toOptions(selection), rooms as string[]);
  }

  disconnect(selection: Selection, shouldClose: boolean): void {
    memory.disconnectSockets.call(this.adapter, toOptions(selection), shouldClose);
  }

  async fetchSockets(selection: Selection): Promise<Socket[]> {
    return (await memory.fetchSockets.call(this.adapter, toOptions(selection))) as unknown as Socket[];
  }

  /**
   * Calls the application's listeners of a server-side event.
   * @throws FrameError for an event that `serverSideEmit` does not send, and for an error that nobody listens to: it would
   * end each worker of the fleet at once
   */
  takeServerSideEvent(args: unknown[]): void {
    const [event] = args;
    const isUnheardError = event === "error" && this.#namespace.listenerCount("error") === 0;
    if (typeof event !== "string" || reservedEvents.has(event) || isUnheardError) {
      throw new FrameError("bad-value", `a server-side event ${JSON.stringify(event)?.slice(0, 40)}`);
    }
    (this.#namespace as unknown as { _onServerSideEmit(args: unknown[]): void })._onServerSideEmit(args);
  }
}

function toOptions({ rooms, except, flags }: Selection): BroadcastOptions {
  return { rooms, except, flags } as unknown as BroadcastOptions;
}
