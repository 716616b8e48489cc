/** Carries out what other workers send to one namespace of this worker: broadcasts, commands, requests. */

import { readBroadcastBody, valueParserId } from "../../protocol/broadcast-body.js";
import { isEmitterRequest } from "../../protocol/emitter-frame.js";
import {
  commands,
  encodeResponse,
  type RequestHead,
  readCommand,
  readCommandRooms,
  requestHeadBytes,
  requests,
  responses,
} from "../../protocol/exchange-frames.js";
import { FrameError, frameFlags } from "../../protocol/frame.js";
import type { RoomName } from "../../protocol/room-key.js";
import type { RoutedView } from "../../protocol/routed-frame.js";
import { readEmitterMessage } from "./emitter-message.js";
import type { SessionEndpoint } from "./endpoint-table.js";
import type { LocalNamespace, Packet, Selection, SelectionFlags } from "./local-namespace.js";
import type { RoutedFabric } from "./routed-fabric.js";
import { describeSocket } from "./socket-details.js";
import { decodeValue, encodeValue } from "./values.js";
import { WirePacket } from "./wire-packet.js";

const nothing = Buffer.alloc(0);

/** Acknowledgements of a broadcast are passed on for this long when the asker named no time. */
const defaultAckTimeoutMs = 5_000;

export class FrameReceiver implements SessionEndpoint {
  /** Given by the fabric, when this worker's place is known. */
  uid = "";
  readonly namespace: string;
  readonly parserId: number;
  readonly #fabric: RoutedFabric;
  readonly #local: LocalNamespace;
  readonly #isRoomWanted: (room: RoomName) => boolean;

  constructor(fabric: RoutedFabric, local: LocalNamespace, isRoomWanted: (room: RoomName) => boolean) {
    this.namespace = local.name;
    this.parserId = local.parserId;
    this.#fabric = fabric;
    this.#local = local;
    this.#isRoomWanted = isRoomWanted;
  }

  get server(): object {
    return this.#local.server;
  }

  isRoomWanted(room: RoomName): boolean {
    return this.#isRoomWanted(room);
  }

  takeBroadcast(view: RoutedView): void {
    const { counters } = this.#fabric;
    const { rooms, except } = view.readRooms();
    if (!this.#local.hasReceiver(rooms)) {
      counters.broadcastsFiltered++;
      return;
    }
    counters.broadcastsReceived++;
    const flags = readFlags(view.flags);
    const { parserId, parts } = readBroadcastBody(view.bytes, view.bodyStart, view.end);
    if (parserId === this.parserId) {
      const wire = WirePacket.fromParts(parts, flags);
      this.#local.write({ rooms, except }, wire, this.#createReader(wire));
      return;
    }
    if (parserId !== valueParserId) {
      // Sent before the sender knew of this worker's parser.
      this.#fabric.noteUnreadable("a packet of a parser that this worker does not have");
      return;
    }
    counters.packetsReencoded++;
    const packet = this.#readPacketValue(parts[0]?.bytes ?? nothing);
    const wire = WirePacket.fromEncoded(this.#local.encode(packet), flags);
    this.#local.write({ rooms, except }, wire, () => packet);
  }

  /** Decodes once, and only if somebody asks. */
  #createReader(wire: WirePacket): () => Packet | undefined {
    let packet: Packet | undefined;
    return () => {
      if (packet === undefined) {
        this.#fabric.counters.packetsDecoded++;
        packet = this.#local.decode(wire.readEncoded());
      }
      return packet;
    };
  }

  #readPacketValue(bytes: Buffer): Packet {
    const value = decodeValue(bytes);
    if (!Array.isArray(value) || typeof value[0] !== "number" || !Array.isArray(value[1])) {
      throw new FrameError("bad-value", "a packet as a value has type and data");
    }
    return { type: value[0], data: value[1], nsp: this.namespace };
  }

  takeCommand(view: RoutedView): void {
    const selection: Selection = { ...view.readRooms(), flags: { local: true } };
    const command = readCommand(view.bytes, view.bodyStart, view.end);
    switch (command) {
      case commands.socketsJoin:
        this.#local.join(selection, readCommandRooms(view.bytes, view.bodyStart, view.end));
        break;
      case commands.socketsLeave:
        this.#local.leave(selection, readCommandRooms(view.bytes, view.bodyStart, view.end));
        break;
      case commands.disconnectSockets:
        this.#local.disconnect(selection, view.bytes[view.bodyStart + 1] === 1);
        break;
      case commands.serverSideEmit:
        this.#local.takeServerSideEvent(readArguments(view.bytes.subarray(view.bodyStart + 1, view.end)));
        break;
      default:
        throw new FrameError("bad-value", `a command ${command}`);
    }
  }

  takeEmitterMessage(view: RoutedView): void {
    const payload = view.bytes.subarray(view.bodyStart + 1, view.end);
    const message = readEmitterMessage(payload, isEmitterRequest(view.bytes, view.bodyStart), this.namespace);
    switch (message?.type) {
      case "broadcast":
        this.#writeForEmitter(message.packet, message.selection);
        break;
      case "join":
        this.#local.join(message.selection, message.rooms);
        break;
      case "leave":
        this.#local.leave(message.selection, message.rooms);
        break;
      case "disconnect":
        this.#local.disconnect(message.selection, message.shouldClose);
        break;
      case "server-side-emit":
        this.#local.takeServerSideEvent(message.args);
        break;
      case undefined:
    }
  }

  #writeForEmitter(packet: Packet, selection: Selection): void {
    const { counters } = this.#fabric;
    if (!this.#local.hasReceiver(selection.rooms)) {
      counters.broadcastsFiltered++;
      return;
    }
    counters.broadcastsReceived++;
    counters.packetsReencoded++;
    const wire = WirePacket.fromEncoded(this.#local.encode(packet), selection.flags);
    this.#local.write(selection, wire, () => packet);
  }

  takeRequest(view: RoutedView, head: RequestHead): void {
    const selection: Selection = { ...view.readRooms(), flags: { ...readFlags(view.flags), local: true } };
    const value = view.bytes.subarray(view.bodyStart + requestHeadBytes, view.end);
    switch (head.type) {
      case requests.fetchSockets:
        void this.#answerSockets(head, selection);
        break;
      case requests.serverSideEmit:
        this.#answerServerSideEvent(head, readArguments(value));
        break;
      case requests.broadcast:
        this.#answerBroadcast(head, selection, decodeValue(value));
        break;
      default:
        throw new FrameError("bad-value", `a request ${head.type}`);
    }
  }

  async #answerSockets(head: RequestHead, selection: Selection): Promise<void> {
    const sockets = await this.#local.fetchSockets(selection);
    this.#answer(head, responses.answer, sockets.map(describeSocket));
  }

  #answerServerSideEvent(head: RequestHead, args: unknown[]): void {
    let isAnswered = false;
    // One answer, with one argument, as Socket.IO's own adapters have it.
    const acknowledge = (value: unknown): void => {
      if (isAnswered) return;
      isAnswered = true;
      this.#answer(head, responses.answer, value);
    };
    this.#local.takeServerSideEvent([...args, acknowledge]);
  }

  /** Encoded here: the number under which clients acknowledge is this server's own. */
  #answerBroadcast(head: RequestHead, selection: Selection, value: unknown): void {
    if (!Array.isArray(value) || typeof value[0] !== "number" || !Array.isArray(value[1])) {
      throw new FrameError("bad-value", "a broadcast as a value has type, data and a time limit");
    }
    this.#fabric.counters.packetsReencoded++;
    const packet: Packet = { type: value[0], data: value[1], nsp: this.namespace };
    let expected: number | undefined;
    let received = 0;
    let limit: NodeJS.Timeout | undefined;
    const settleIfDone = (): void => {
      if (expected === undefined || received < expected) return;
      clearTimeout(limit);
      this.#respond(head, responses.settled, nothing);
    };
    this.#local.broadcastWithAck(
      packet,
      selection,
      (count) => {
        expected = count;
      },
      (ack) => {
        received++;
        this.#answer(head, responses.ack, ack);
        settleIfDone();
      },
    );
    settleIfDone();
    if (expected === undefined || received >= expected) return;
    // Clients that never acknowledge must not be remembered for ever.
    const limitMs = typeof value[2] === "number" ? value[2] : defaultAckTimeoutMs;
    limit = setTimeout(() => this.#local.forgetAcks(packet), limitMs);
    limit.unref();
  }

  #answer(head: RequestHead, type: number, value: unknown): void {
    let bytes: Buffer;
    try {
      bytes = encodeValue(value);
    } catch (error) {
      // The asker is told, instead of waiting until its time is up.
      this.#respond(head, responses.failed, encodeValue(error instanceof Error ? error.message : String(error)));
      return;
    }
    this.#respond(head, type, bytes);
  }

  #respond(head: RequestHead, type: number, value: Buffer): void {
    const isSent = this.#fabric.sendFrame(encodeResponse(head.uid, this.uid, head.requestId, type, value));
    // The asker is told, instead of waiting until its time is up.
    if (!isSent) this.#respond(head, responses.failed, encodeValue("its answer is too long"));
  }
}

function readFlags(bits: number): SelectionFlags {
  return {
    volatile: (bits & frameFlags.volatile) !== 0 ? true : undefined,
    compress: (bits & frameFlags.hasCompress) !== 0 ? (bits & frameFlags.compress) !== 0 : undefined,
  };
}

function readArguments(bytes: Buffer): unknown[] {
  const value = decodeValue(bytes);
  if (!Array.isArray(value)) throw new FrameError("bad-value", "the arguments of an event are a list");
  return value;
}
