/** Bytes as a broken or hostile peer would send them: whole frames of every kind, and what becomes of them. */

import {
  encodeWebSocketText,
  measureBroadcastBody,
  partTypes,
  writeBroadcastBody,
} from "../../src/protocol/broadcast-body.js";
import { commands, encodeResponse, requests, responses } from "../../src/protocol/exchange-frames.js";
import { frameFlags, lengthBytes } from "../../src/protocol/frame.js";
import { encodeRouterToWorker, encodeWorkerToRouter } from "../../src/protocol/worker-port-frames.js";
import { encodeBroadcast, encodeCommand, encodeInterest, encodeRequest } from "./fabric-frames.js";

/** Whole numbers from 0 up to a bound, the bound left out; the same seed gives the same ones. */
export type Random = (bound: number) => number;

/** mulberry32: small, and random enough for bytes. */
export function makeRandom(seed: number): Random {
  let state = seed | 0;
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((((mixed ^ (mixed >>> 14)) >>> 0) * bound) / 4_294_967_296) | 0;
  };
}

const [asker, member] = ["hostAAaskeraskeraske", "hostABmembermemberme"];
const texts = ['2["greeting","hello"]', "€".repeat(50), "x".repeat(200)];

function encodeTextBody(): Buffer {
  const parts = [
    ...texts.map((text) => ({ type: partTypes.webSocketText, bytes: encodeWebSocketText(text) })),
    { type: partTypes.bytes, bytes: Uint8Array.of(1, 2, 3) },
  ];
  const body = Buffer.alloc(measureBroadcastBody(parts));
  writeBroadcastBody(body, 0, 0, parts);
  return body;
}

/** Frames that a worker may send after its hello, and those that go through the router both ways. */
export const framesOfWorkers: readonly Buffer[] = [
  encodeWorkerToRouter({ type: "namespace-up", uid: asker, parserId: 7, namespace: "/chat" }),
  encodeWorkerToRouter({ type: "namespace-down", uid: asker }),
  encodeWorkerToRouter({ type: "interest-complete" }),
  encodeWorkerToRouter({ type: "flood-me", isOn: true }),
  encodeWorkerToRouter({ type: "flood-me", isOn: false }),
  encodeWorkerToRouter({ type: "pong", token: 3 }),
  encodeWorkerToRouter({ type: "joins-done", count: 1 }),
  encodeWorkerToRouter({ type: "unsent", frames: 1 }),
  encodeInterest(1, "/", { joined: ["room", 1, "r€om"], left: ["room"] }),
  encodeInterest(2, "/chat", { joined: ["room"] }),
  encodeBroadcast({ rooms: ["room", 1], except: [member], body: encodeTextBody() }),
  encodeBroadcast({ namespace: "/chat", flags: frameFlags.volatile, body: encodeTextBody() }),
  encodeBroadcast({ rooms: [member], body: encodeTextBody() }),
  encodeCommand(commands.socketsJoin, ["room", 2, "r€om"], { rooms: [asker] }),
  encodeCommand(commands.socketsLeave, ["room", 2]),
  encodeCommand(commands.disconnectSockets, []),
  encodeRequest(asker, 9, { rooms: ["room"], type: requests.broadcast }),
  encodeRequest(asker, 10, { namespace: "/chat" }),
  encodeResponse(asker, member, 9, responses.answer, Buffer.from("[]")),
];

export const framesOfRouters: readonly Buffer[] = [
  encodeRouterToWorker({ type: "welcome", version: 1, incarnation: "router-1" }),
  encodeRouterToWorker({ type: "refused", code: 3, reason: "no frame" }),
  encodeRouterToWorker({ type: "member-up", uid: member, parserId: 0, namespace: "/" }),
  encodeRouterToWorker({ type: "member-down", uid: member, namespace: "/" }),
  encodeRouterToWorker({ type: "members-reset" }),
  encodeRouterToWorker({ type: "place-down", place: "hostAB" }),
  encodeRouterToWorker({ type: "interest-taken", sequence: 4 }),
  encodeRouterToWorker({ type: "ping", token: 4 }),
  encodeRouterToWorker({ type: "routed", uid: asker, requestId: 9, askedUids: [member, asker] }),
  encodeRouterToWorker({ type: "lost", frames: 5, joinsSent: 2 }),
];

export const hello = encodeWorkerToRouter({ type: "hello", version: 1, place: "hostAA", workerId: asker });
const allFrames = [hello, ...framesOfWorkers, ...framesOfRouters];

function pick<Item>(random: Random, items: readonly Item[]): Item {
  const item = items[random(items.length)];
  if (item === undefined) throw new Error("nothing to pick from");
  return item;
}

const edges16 = [0, 1, 2, 0x7fff, 0x8000, 0xfffe, 0xffff];
const edges32 = [...edges16, 0x1_0000, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff];

/** One change to a copy of the bytes. */
function mutate(random: Random, bytes: Buffer, others: readonly Buffer[]): Buffer {
  const at = random(bytes.length);
  switch (random(8)) {
    case 0:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
      return bytes;
    case 1:
      bytes[at] = random(256);
      return bytes;
    case 2:
      if (at + 2 <= bytes.length) bytes.writeUInt16BE(pick(random, edges16), at);
      return bytes;
    case 3:
      if (at + 4 <= bytes.length) bytes.writeUInt32BE(pick(random, edges32), at);
      return bytes;
    case 4:
      return bytes.subarray(0, at);
    case 5:
      return Buffer.concat([bytes.subarray(0, at), pick(random, others).subarray(random(40))]);
    case 6:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.min(bytes.length, at + 1 + random(8)))]);
    default:
      return Buffer.concat([bytes.subarray(0, at), Buffer.alloc(1 + random(8), random(256)), bytes.subarray(at)]);
  }
}

/** A frame that was whole, or nothing but noise; its length is right more often than not, so that it is read at all. */
export function makeHostileFrame(random: Random, frames: readonly Buffer[] = allFrames): Buffer {
  let bytes: Buffer;
  if (random(20) === 0) {
    bytes = Buffer.from(Array.from({ length: random(80) }, () => random(256)));
  } else {
    bytes = Buffer.from(pick(random, frames));
    for (let left = 1 + random(3); left > 0; left--) bytes = mutate(random, bytes, frames);
  }
  if (bytes.length >= lengthBytes && random(4) > 0) bytes.writeUInt32BE(bytes.length - lengthBytes, 0);
  return bytes;
}
