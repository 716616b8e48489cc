/**
 * What another worker sends is written through: it is neither parsed nor encoded where it arrives, and the clients get
 * the same bytes that a server of one process sends.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import { Server } from "socket.io";
import WebSocket from "ws";
import { parseAddress } from "../../src/address/address.js";
import type { FabricCounts } from "../../src/protocol/worker-messages.js";
import { enginePath, openPolling, type PollingSession } from "../support/engine-polling.js";
import { FabricHost, slotOf } from "../support/fabric-host.js";
import type { LightSocket } from "../support/light-socket.js";
import { RawFrameClient } from "../support/raw-frames.js";
import { timed } from "../support/stopwatch.js";

const isFull = process.env["TEST_SIZE"] === "full";
const messages = isFull ? 20_000 : 2_000;
const senderSlot = 0;
const receiverSlots = [1, 2];
const socketsPerReceiver = 5;
const patienceMs = 20_000;

interface Codings {
  readonly encode: number;
  readonly decode: number;
  readonly parse: number;
  readonly stringify: number;
}

const text = (length: number): string => "x".repeat(length);

/** Events whose packets differ in form: lengths around WebSocket's limits, other alphabets, binary, nothing at all. */
const events: readonly (readonly [name: string, ...args: unknown[]])[] = [
  ["empty"],
  ["numbers", 0, -1, 1.5, 1e21, null, true],
  ["alphabets", "é", "日本語", "😀", "\u2028\u0000\u001e", "\ud800", '"quoted"\\'],
  ["nested", { list: [{ deep: [[]] }], date: new Date(0), nothing: undefined }],
  // The packet is 14 characters longer: `42["length",""]`.
  ...[110, 111, 112, 113, 65_520, 65_521, 65_522, 65_523, 200_000].map((length) => ["length", text(length)] as const),
  ["long", "日".repeat(50_000)],
  ["bytes", Buffer.from([0, 1, 255])],
  ["more bytes", { one: Buffer.alloc(126, 1), two: [Buffer.alloc(70_000, 2), new Uint8Array([3])] }, "after"],
  ["no bytes", Buffer.alloc(0)],
];

describe("Broadcasts of another worker", { timeout: 180_000 }, () => {
  let host: FabricHost;
  let sockets: LightSocket[];

  before(async () => {
    host = await FabricHost.start({ workers: 3 });
    const slots = receiverSlots.flatMap((slot) => new Array<number>(socketsPerReceiver).fill(slot));
    sockets = await host.openOn(slots);
    await Promise.all(sockets.map(async (socket) => await socket.call("join", "all")));
  });
  after(async () => {
    for (const socket of sockets) socket.close();
    await host[Symbol.asyncDispose]();
  });

  /** Sends so many to the room, and resolves when every client has them all. */
  const sendAll = async (event: string, count: number): Promise<void> => {
    const heard = sockets.map(async (socket) => await hearMany(socket, event, count));
    await host.ask(senderSlot, "emitMany", { room: "all", event, count });
    await timed(Promise.all(heard), patienceMs, "all messages at all clients");
  };
  const readCodings = async (slot: number): Promise<Codings> => await host.ask<Codings>(slot, "codings");
  const readCounts = async (slot: number): Promise<FabricCounts> => await host.ask<FabricCounts>(slot, "fabricCounts");

  test("are neither parsed nor encoded where they arrive, and encoded once where they are sent", async (t) => {
    const before = await Promise.all(host.slots.map(readCodings));
    const countsBefore = await Promise.all(host.slots.map(readCounts));
    await sendAll("plain", messages);
    const after = await Promise.all(host.slots.map(readCodings));
    const countsAfter = await Promise.all(host.slots.map(readCounts));
    for (const slot of receiverSlots) {
      assert.deepEqual(after[slot], before[slot], `what worker ${slot} has encoded and parsed`);
      const grown = (name: keyof FabricCounts): number =>
        (countsAfter[slot]?.[name] ?? 0) - (countsBefore[slot]?.[name] ?? 0);
      assert.deepEqual(
        [grown("broadcastsReceived"), grown("packetsDecoded"), grown("packetsReencoded")],
        [messages, 0, 0],
        `what worker ${slot} counts`,
      );
    }
    assert.equal((after[senderSlot]?.encode ?? 0) - (before[senderSlot]?.encode ?? 0), messages);
    const { counters } = await host.host.waitForStatus(
      (status) => status.counters.signalbox_fabric_broadcasts_received_total === receiverSlots.length * messages,
      "the metric of broadcasts",
    );
    assert.equal(counters.signalbox_fabric_packets_decoded_total, 0);
    assert.equal(counters.signalbox_fabric_packets_reencoded_total, 0);
    t.diagnostic(
      `${messages} to ${sockets.length} clients of 2 workers: 0 parsed, 0 encoded there, ${messages} encoded here`,
    );
  });

  test("are decoded once for a worker with listeners for what goes out, however many sockets have one", async (t) => {
    const [slot] = receiverSlots as [number];
    const count = messages / 10;
    await host.ask(slot, "listenToOutgoing", { sockets: 3 });
    const before = await readCodings(slot);
    const countsBefore = await readCounts(slot);
    await sendAll("listened", count);
    const after = await readCodings(slot);
    const countsAfter = await readCounts(slot);
    assert.equal(after.decode - before.decode, count);
    assert.equal(after.encode - before.encode, 0);
    assert.equal(countsAfter.packetsDecoded - countsBefore.packetsDecoded, count);
    const heard = await host.ask<unknown[][]>(slot, "heardOutgoing");
    assert.equal(heard.length, 3 * count);
    for (const socket of [0, 1, 2]) {
      const ofSocket = heard.filter(([index]) => index === socket);
      assert.deepEqual(
        ofSocket.map(([, ...event]) => event),
        Array.from({ length: count }, (_, number) => ["listened", number]),
      );
    }
    await host.ask(slot, "listenToOutgoing", { sockets: 0 });
    t.diagnostic(`${count} packets for 3 listeners: ${after.decode - before.decode} decoded`);
  });

  test("are on the wire what a server of one process sends, byte for byte", async (t) => {
    const client = await openRaw(host, receiverSlots[0] as number);
    const sender = await openRaw(host, senderSlot);
    for (const [event, ...args] of events) await host.ask(senderSlot, "emit", { rooms: ["wire"], event, args });
    await host.ask(senderSlot, "emit", { rooms: ["wire"], event: "end" });
    const [remote, local] = await Promise.all([client.readUntil('42["end"]'), sender.readUntil('42["end"]')]);
    const single = await readFromSingleProcess();
    const hex = (frames: readonly { readonly bytes: Buffer }[]): string[] =>
      frames.map(({ bytes }) => bytes.toString("hex"));
    assert.deepEqual(hex(remote), hex(single), "a client of another worker");
    assert.deepEqual(hex(local), hex(single), "a client of the sending worker");
    const bytes = single.reduce((sum, frame) => sum + frame.bytes.length, 0);
    t.diagnostic(`${events.length} events in ${single.length} frames, ${bytes} bytes: the same`);
    client.close();
    sender.close();
  });

  test("are the same text for long-polling, and for observers of the engine's packets", async () => {
    const polling = await openPollingOn(host, receiverSlots[0] as number);
    await polling.call("join", "texts");
    const raw = await openRaw(host, receiverSlots[1] as number);
    raw.send('429["join","texts"]');
    assert.equal((await raw.read()).payload.toString(), "439[]");
    await host.ask(receiverSlots[1] as number, "listenToPackets");
    const texts = events.slice(0, 14);
    for (const [event, ...args] of texts) await host.ask(senderSlot, "emit", { rooms: ["texts"], event, args });
    await host.ask(senderSlot, "emit", { rooms: ["texts"], event: "end" });
    const written = (await raw.readUntil('42["end"]')).map(({ payload }) => payload.toString());
    assert.equal(written.length, texts.length);
    for (const expected of written) assert.equal(await polling.nextPacket(), expected);
    const seen = await host.ask<[string, unknown][]>(receiverSlots[1] as number, "seenPackets");
    assert.deepEqual(
      seen.slice(0, texts.length),
      written.map((packet) => ["string", packet.slice(1)]),
    );
    polling.connection.destroy();
    raw.close();
  });
});

describe("Broadcasts of another worker to clients with compression", { timeout: 180_000 }, () => {
  test("are the same text", async (t) => {
    const options = JSON.stringify({ perMessageDeflate: { threshold: 0 } });
    await using host = await FabricHost.start({ workers: 2, env: { FABRIC_SERVER_OPTIONS: options } });
    const { client, extensions } = await openCompressed(host, 1);
    const texts = events.slice(0, 14);
    const heard: string[] = [];
    const ended = new Promise<void>((resolve) => {
      client.on("message", (data: Buffer) => {
        if (data.toString() === '42["end"]') resolve();
        else heard.push(data.toString());
      });
    });
    for (const [event, ...args] of texts) await host.ask(0, "emit", { rooms: ["texts"], event, args });
    await host.ask(0, "emit", { rooms: ["texts"], event: "end" });
    await timed(ended, patienceMs, "the last text");
    assert.deepEqual(
      heard,
      texts.map((event) => `42${JSON.stringify(event)}`),
    );
    assert.match(extensions, /permessage-deflate/);
    t.diagnostic(`${heard.length} texts over ${extensions}`);
    client.terminate();
  });
});

async function hearMany(socket: LightSocket, event: string, count: number): Promise<void> {
  let left = count;
  await new Promise<void>((resolve) => {
    const look = (name: string): void => {
      if (name !== event || --left > 0) return;
      socket.removeListener("said", look);
      resolve();
    };
    socket.on("said", look);
  });
}

/** In the room "wire", on the worker of that slot. */
async function openRaw(host: FabricHost, slot: number): Promise<RawFrameClient> {
  for (;;) {
    const client = await RawFrameClient.open(host.host, ["wire"]);
    if (parseAddress(client.sid)?.workerSlot === slot) return client;
    client.close();
  }
}

async function openPollingOn(host: FabricHost, slot: number): Promise<PollingSession> {
  for (;;) {
    const session = await openPolling(host.host);
    if (slotOf(session) === slot) return session;
    session.connection.destroy();
  }
}

/** A client that offers compression, in the room "texts", on the worker of that slot. */
async function openCompressed(host: FabricHost, slot: number): Promise<{ client: WebSocket; extensions: string }> {
  for (;;) {
    const client = new WebSocket(`ws://127.0.0.1:${host.host.port}${enginePath({ transport: "websocket" })}`);
    const [opening] = (await once(client, "message")) as [Buffer];
    const { sid } = JSON.parse(opening.toString().slice(1)) as { sid: string };
    if (parseAddress(sid)?.workerSlot !== slot) {
      client.terminate();
      continue;
    }
    client.send("40");
    await once(client, "message");
    client.send('420["join","texts"]');
    await once(client, "message");
    return { client, extensions: client.extensions };
  }
}

/** The frames that Socket.IO itself sends for the same events, without any fabric. */
async function readFromSingleProcess(): Promise<Awaited<ReturnType<RawFrameClient["readUntil"]>>> {
  const httpServer = createServer();
  const io = new Server(httpServer);
  io.on("connection", (socket) => {
    socket.on("join", (room: string, acknowledge: () => void) => {
      void socket.join(room);
      acknowledge();
    });
  });
  httpServer.listen(0, "127.0.0.1");
  await once(httpServer, "listening");
  const client = await RawFrameClient.open({ port: (httpServer.address() as AddressInfo).port }, ["wire"]);
  for (const [event, ...args] of events) io.to("wire").emit(event, ...args);
  io.to("wire").emit("end");
  const frames = await client.readUntil('42["end"]');
  client.close();
  await io.close();
  return frames;
}
