/**
 * Reads what `@socket.io/redis-emitter` 5 publishes: broadcasts in MessagePack, commands in JSON. What another server of
 * that format says to its like is not meant for this one, and is left alone.
 */

import { decode } from "notepack.io";
import { FrameError } from "../../protocol/frame.js";
import { checkMessagePack } from "../../protocol/message-pack.js";
import type { Packet, Selection } from "./local-namespace.js";

export type EmitterMessage =
  | { readonly type: "broadcast"; readonly packet: Packet; readonly selection: Selection }
  | { readonly type: "join" | "leave"; readonly selection: Selection; readonly rooms: readonly unknown[] }
  | { readonly type: "disconnect"; readonly selection: Selection; readonly shouldClose: boolean }
  | { readonly type: "server-side-emit"; readonly args: unknown[] };

/** What the emitter calls itself, where servers have an id. */
const emitterUid = "emitter";
const eventType = 2;
const requestTypes = { join: 2, leave: 3, disconnect: 4, serverSideEmit: 6 } as const;

/**
 * Undefined for what is no emitter's, or for another namespace.
 * @throws FrameError for what cannot be read
 */
export function readEmitterMessage(payload: Buffer, isRequest: boolean, namespace: string): EmitterMessage | undefined {
  return isRequest ? readRequest(payload) : readBroadcast(payload, namespace);
}

function readBroadcast(payload: Buffer, namespace: string): EmitterMessage | undefined {
  // The decoder believes every length, and makes room for it.
  checkMessagePack(payload);
  const message = read(() => decode(payload) as unknown);
  if (!Array.isArray(message)) throw new FrameError("bad-value", "a message of an emitter that is no list");
  const [uid, packet, options] = message as unknown[];
  if (uid !== emitterUid) return undefined;
  if (!isFields(packet) || !Array.isArray(packet["data"]) || packet["type"] !== eventType) {
    throw new FrameError("bad-value", "a message of an emitter without an event");
  }
  if ((packet["nsp"] ?? "/") !== namespace) return undefined;
  return {
    type: "broadcast",
    packet: { type: eventType, data: packet["data"], nsp: namespace },
    selection: readSelection(options),
  };
}

function readRequest(payload: Buffer): EmitterMessage | undefined {
  const request = read(() => JSON.parse(payload.toString("utf8")) as unknown);
  if (!isFields(request)) throw new FrameError("bad-value", "a command of an emitter that is no object");
  // Servers name themselves, and expect answers; the emitter does neither.
  const isOfEmitter = request["uid"] === undefined || request["uid"] === emitterUid;
  if (!isOfEmitter || request["requestId"] !== undefined) return undefined;
  const { type } = request;
  switch (type) {
    case requestTypes.join:
    case requestTypes.leave: {
      const rooms = request["rooms"];
      if (!Array.isArray(rooms)) throw new FrameError("bad-value", "a command of an emitter without rooms");
      const selection = readSelection(request["opts"]);
      return { type: type === requestTypes.join ? "join" : "leave", selection, rooms };
    }
    case requestTypes.disconnect:
      return {
        type: "disconnect",
        selection: readSelection(request["opts"]),
        shouldClose: request["close"] === true,
      };
    case requestTypes.serverSideEmit: {
      const args = request["data"];
      if (!Array.isArray(args) || args.length === 0) {
        throw new FrameError("bad-value", "a server-side event of an emitter without a name");
      }
      return { type: "server-side-emit", args };
    }
    default:
      return undefined;
  }
}

function readSelection(options: unknown): Selection {
  const { rooms, except, flags } = isFields(options) ? options : { rooms: [], except: [], flags: {} };
  const { volatile, compress } = isFields(flags) ? flags : { volatile: undefined, compress: undefined };
  return {
    rooms: new Set(Array.isArray(rooms) ? rooms : []),
    except: new Set(Array.isArray(except) ? except : []),
    flags: {
      local: true,
      volatile: volatile === true ? true : undefined,
      compress: typeof compress === "boolean" ? compress : undefined,
    },
  };
}

/** @throws FrameError with what the parser says */
function read(parse: () => unknown): unknown {
  try {
    return parse();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new FrameError("bad-value", `a message of an emitter that cannot be read: ${reason}`);
  }
}

function isFields(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
