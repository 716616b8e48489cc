/** Puts what one namespace has for other workers into the session's outbox, each message as one frame. */

import {
  maxBroadcastParts,
  measureBroadcastBody,
  partTypes,
  valueParserId,
  writeBroadcastBody,
} from "../../protocol/broadcast-body.js";
import {
  encodeRoomsCommand,
  type RequestType,
  requestHeadBytes,
  writeRequestHead,
} from "../../protocol/exchange-frames.js";
import { frameFlags, frameKinds, maxFrameBytes, maxNamespaceBytes, maxRoomsPerFrame } from "../../protocol/frame.js";
import { RoomEncoder } from "../../protocol/room-key.js";
import { measureRoutedFrame, writeRoutedHeader } from "../../protocol/routed-frame.js";
import type { LocalNamespace, Packet, Selection } from "./local-namespace.js";
import type { RoutedFabric } from "./routed-fabric.js";
import { encodeValue } from "./values.js";
import type { WirePacket } from "./wire-packet.js";

const nobody: readonly Buffer[] = [];
/** About what a socket takes at once. */
const earlyFlushBytes = 256 * 1024;
const noValue = Buffer.alloc(0);

/** Shared by all namespaces of a worker: rooms have the same names in them. */
const roomEncoder = new RoomEncoder();

export class FrameSender {
  readonly #fabric: RoutedFabric;
  readonly #local: LocalNamespace;
  readonly #namespace: Buffer;
  /** Whether others can have this namespace: there are others, and its name can travel, which a client may have made up. */
  readonly isShared: boolean;

  constructor(fabric: RoutedFabric, local: LocalNamespace) {
    this.#fabric = fabric;
    this.#local = local;
    this.#namespace = Buffer.from(local.name);
    const isNameSendable = local.name.isWellFormed() && this.#namespace.length <= maxNamespaceBytes;
    this.isShared = isNameSendable && !fabric.isAlone;
  }

  /** The packet as it goes to clients; as a value where workers have different parsers. */
  sendBroadcast(packet: Packet, wire: WirePacket, selection: Selection): void {
    const { session } = this.#fabric;
    const doAllParse = session.doAllParse(this.#local.name, this.#local.parserId);
    const parts = doAllParse
      ? wire.parts
      : [{ type: partTypes.bytes, bytes: encodeValue([packet.type, this.#local.readAsClient(packet)]) }];
    const parserId = doAllParse ? this.#local.parserId : valueParserId;
    const bodyBytes = measureBroadcastBody(parts);
    if (parts.length > maxBroadcastParts) {
      this.#fabric.refuseMessage(bodyBytes);
      return;
    }
    const bodyAt = this.#reserve(frameKinds.broadcast, selection, bodyBytes);
    if (bodyAt === undefined) return;
    writeBroadcastBody(session.target, bodyAt, parserId, parts);
    // A turn that says much begins to say it early.
    if (session.queuedBytes > earlyFlushBytes) this.#fabric.flush();
  }

  /** Leaves at once: who hears that a room was joined, by whatever way, may send to it from another worker. */
  sendCommand(selection: Selection, body: Uint8Array): void {
    const bodyAt = this.#reserve(frameKinds.command, selection, body.length);
    if (bodyAt === undefined) return;
    this.#fabric.session.target.set(body, bodyAt);
    this.#fabric.flush();
  }

  /** A command that names rooms; in several, if need be. */
  sendRooms(selection: Selection, command: number, rooms: readonly unknown[]): void {
    const encoded = this.#encodeRooms(rooms);
    for (let at = 0; at < encoded.length; at += maxRoomsPerFrame) {
      this.sendCommand(selection, encodeRoomsCommand(command, encoded.slice(at, at + maxRoomsPerFrame)));
    }
  }

  /** `nobody`: it is for a namespace, or for rooms, that nobody else has. */
  sendRequest(
    selection: Selection,
    uid: string,
    requestId: number,
    type: RequestType,
    value: Uint8Array = noValue,
  ): "sent" | "nobody" | "refused" {
    if (!this.isShared) return "nobody";
    if (selection.rooms.size > 0 && this.#encodeRooms(selection.rooms).length === 0) return "nobody";
    const bodyAt = this.#reserve(frameKinds.request, selection, requestHeadBytes + value.length);
    if (bodyAt === undefined) return "refused";
    const { target } = this.#fabric.session;
    writeRequestHead(target, bodyAt, uid, requestId, type);
    target.set(value, bodyAt + requestHeadBytes);
    return "sent";
  }

  #encodeRooms(rooms: Iterable<unknown>): Buffer[] {
    const encoded: Buffer[] = [];
    for (const room of rooms) {
      const bytes = roomEncoder.encode(room);
      if (bytes !== undefined) encoded.push(bytes);
    }
    return encoded;
  }

  /** Writes head and header; answers where in the session's `target` the body belongs. Undefined: not to be sent. */
  #reserve(kind: number, selection: Selection, bodyBytes: number): number | undefined {
    if (this.#fabric.isAlone) return undefined;
    const { session } = this.#fabric;
    const rooms = selection.rooms.size === 0 ? nobody : this.#encodeRooms(selection.rooms);
    // Rooms that cannot be encoded have no members elsewhere; no rooms at all would mean everybody.
    if (rooms.length === 0 && selection.rooms.size > 0) return undefined;
    const except = selection.except.size === 0 ? nobody : this.#encodeRooms(selection.except);
    const bytes = measureRoutedFrame(this.#namespace, rooms, except, bodyBytes);
    if (
      !this.isShared ||
      bytes > maxFrameBytes ||
      rooms.length > maxRoomsPerFrame ||
      except.length > maxRoomsPerFrame
    ) {
      this.#fabric.refuseMessage(bytes);
      return undefined;
    }
    const { volatile, compress, scope } = selection.flags;
    let flags = volatile === true ? frameFlags.volatile : 0;
    if (compress !== undefined) flags |= frameFlags.hasCompress | (compress ? frameFlags.compress : 0);
    if (scope !== undefined) flags |= scope === "host" ? frameFlags.hostOnly : frameFlags.regionOnly;
    // Only broadcasts may be dropped: what changes rooms, or is waited for, has to come.
    const isVolatile = volatile === true && kind === frameKinds.broadcast;
    if (session.reserve(bytes, isVolatile) !== "queued") return undefined;
    return writeRoutedHeader(session.target, session.at, {
      kind,
      flags,
      namespace: this.#namespace,
      rooms,
      except,
      bytes,
    });
  }
}
