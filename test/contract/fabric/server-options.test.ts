/** The contract of the fabrics under options of Socket.IO's server that change what goes over the wire: compression, another parser. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { Decoder, Encoder } from "socket.io-msgpack-parser";
import WebSocket from "ws";
import { openPolling } from "../../support/engine-polling.js";
import { renderRequest } from "../../support/raw-http.js";
import { describeFabrics, type Suite } from "./support/describe-fabrics.js";
import type { Heard } from "./support/ear.js";
import type { Stage } from "./support/stage.js";

const nothing: Heard[] = [];
const news: Heard[] = [["news", 1]];
/** Longer than any answer takes. */
const longMs = 10_000;

/** Compresses to a hundredth. */
const text = "compress me ".repeat(10_000);
const compressedAtMost = text.length / 10;

/** A worker that is not the one of the session. */
function chooseOther(stage: Stage, sid: string): number {
  return (stage.of({ id: sid }).slot + 1) % stage.workers.length;
}

/** A client by hand that knows how many bytes came over its connection. */
async function openCounted(
  stage: Stage,
  perMessageDeflate: boolean,
): Promise<Disposable & { sid: string; receive(): Promise<{ packet: string; bytes: number }> }> {
  const url = `ws://127.0.0.1:${stage.at(0).host.port}/socket.io/?EIO=4&transport=websocket`;
  const webSocket = new WebSocket(url, { perMessageDeflate });
  const upgraded = once(webSocket, "upgrade");
  const receive = async (): Promise<string> => String(((await once(webSocket, "message")) as [Buffer])[0]);
  const { sid } = JSON.parse((await receive()).slice(1)) as { sid: string };
  const [{ socket }] = (await upgraded) as [{ socket: { bytesRead: number } }];
  webSocket.send("40");
  await receive();
  let counted = socket.bytesRead;
  return {
    sid,
    async receive() {
      const packet = await receive();
      const bytes = socket.bytesRead - counted;
      counted = socket.bytesRead;
      return { packet, bytes };
    },
    [Symbol.dispose]: () => webSocket.close(),
  };
}

const withCompression: Suite = {
  title: "With compression",
  define(stage) {
    test("clients that take compressed messages receive the broadcasts of other workers", async () => {
      const cast = await stage.gather({ transports: ["websocket", "websocket", "upgraded", "polling"] });
      const event = ["mixed", "ü 🚦", text, Buffer.from(text), { deep: Buffer.from([0, 255]) }] as const;
      await stage.at(0).io((io) => {
        io.emit(...event);
        io.to(cast.clients[1].id).emit("news", 1);
      });
      const heard: Heard[] = [event];
      assert.deepEqual(await cast.hear(0), [heard, [...heard, ...news], heard, heard]);
    });

    test("a broadcast of another worker is compressed", async () => {
      using client = await openCounted(stage, true);
      const received = client.receive();
      await stage.at(chooseOther(stage, client.sid)).io((io) => io.emit("long", text));
      const { packet, bytes } = await received;
      assert.equal(packet, `42${JSON.stringify(["long", text])}`);
      assert.ok(bytes < compressedAtMost, `${bytes} bytes`);
    });

    test("a client that does not take compressed messages gets them as they are", async () => {
      using client = await openCounted(stage, false);
      const received = client.receive();
      await stage.at(chooseOther(stage, client.sid)).io((io) => io.emit("long", text));
      const { packet, bytes } = await received;
      assert.equal(packet, `42${JSON.stringify(["long", text])}`);
      assert.ok(bytes > text.length, `${bytes} bytes`);
    });

    test("a polling answer with a broadcast of another worker is compressed, with compress(false) it is not", async () => {
      const session = await openPolling({ port: stage.at(0).host.port });
      const path = `/socket.io/?EIO=4&transport=polling&sid=${session.sid}`;
      const from = chooseOther(stage, session.sid);
      const poll = renderRequest({ path, headers: { "Accept-Encoding": "gzip" } });
      await stage.at(from).io((io) => io.emit("long", text));
      const expected = `42${JSON.stringify(["long", text])}`;
      const compressed = await session.connection.exchange(poll);
      assert.equal(compressed.headers["content-encoding"], "gzip");
      assert.equal(gunzipSync(compressed.body).toString(), expected);
      await stage.at(from).io((io) => io.compress(false).emit("long", text));
      const plain = await session.connection.exchange(poll);
      assert.equal(plain.headers["content-encoding"], undefined);
      assert.equal(plain.body.toString(), expected);
      await session.post("1");
      session.connection.destroy();
    });
  },
};

describeFabrics("Server options: compression", [withCompression], {
  serverOptions: { perMessageDeflate: { threshold: 0 }, httpCompression: { threshold: 0 } },
});

/** What the parser makes of the arguments of an event on their way to a client. */
function passThroughParser(args: readonly unknown[]): unknown[] {
  let decoded: unknown[] = [];
  const decoder = new Decoder();
  decoder.on("decoded", (packet: { data: unknown[] }) => {
    decoded = packet.data.slice(1);
  });
  // Its types say that this is one buffer.
  const [part] = new Encoder().encode({ type: 2, nsp: "/", data: ["event", ...args] }) as unknown as [ArrayBuffer];
  decoder.add(part);
  return decoded;
}

const withAnotherParser: Suite = {
  title: "With another parser",
  define(stage) {
    test("the broadcasts of other workers arrive, to all, to a room, and to one", async () => {
      const cast = await stage.gather({ transports: ["websocket", "polling", "upgraded", "websocket"] });
      const room = stage.name("room");
      await stage.at(0).io((io) => io.in(cast.clients[2].id).socketsJoin(room));
      await stage.at(0).io((io) => io.emit("news", 1));
      assert.deepEqual(await cast.hear(0), [news, news, news, news]);
      await stage.at(0).io((io) => io.to(room).emit("news", 1));
      assert.deepEqual(await cast.hear(0), [nothing, nothing, news, nothing]);
      await stage.at(0).io((io) => io.except(room).emit("news", 1));
      assert.deepEqual(await cast.hear(0), [news, news, nothing, news]);
      await stage.at(0).io((io) => io.to(cast.clients[1].id).emit("news", 1));
      assert.deepEqual(await cast.hear(0), [nothing, news, nothing, nothing]);
    });

    test("values arrive as that parser has them, at the clients of every worker", async () => {
      const cast = await stage.gather({ transports: ["websocket", "polling", "upgraded", "websocket"] });
      const values: Readonly<Record<string, readonly unknown[]>> = {
        strings: ["", "ü 🚦", "x".repeat(100_000)],
        numbers: [0, -1, 1.5, 2 ** 40, Number.NaN],
        "undefined and null": [undefined, null, [undefined], { a: undefined }],
        "a date": [new Date(1_700_000_000_000)],
        "a map": [new Map([[1, 2]])],
        nested: [{ a: [{ b: [[]] }] }],
        bytes: [Buffer.from([0, 255]), { deep: [Buffer.from("in it")] }],
        "a megabyte": [Buffer.alloc(1_048_576, 7)],
      };
      for (const [what, args] of Object.entries(values)) {
        await stage.at(0).io((io) => io.emit(what, ...args));
        const expected = passThroughParser(args);
        for (const client of cast.clients) assert.deepEqual(await client.ear.take(what), expected, what);
      }
    });

    test("acknowledgements of the clients of all workers arrive", async () => {
      const cast = await stage.gather();
      for (const [slot, client] of cast.clients.entries()) client.answer("question", Buffer.from([slot]));
      const responses = await stage
        .at(1)
        .io<Uint8Array[]>((io) => io.timeout(longMs).emitWithAck("question", Buffer.from("?")));
      assert.deepEqual(responses.map(([slot]) => slot).toSorted(), [0, 1, 2, 3]);
    });

    test("a socket of another worker is written to, and a listener there sees what was sent", async () => {
      const cast = await stage.gather();
      const [, , two] = cast.clients;
      const key = stage.name("key");
      await stage.at(2).process.ask("watchOutgoing", { target: { nsp: "/", socket: two.id }, key });
      await stage.at(0).remote(two, (socket) => socket.emit("bytes", 1, Buffer.from([2])));
      assert.deepEqual(await two.ear.take("bytes"), [1, Buffer.from([2])]);
      const { args } = await stage.at(2).process.waitForNote((note) => note["key"] === key, "what was sent");
      assert.deepEqual(args, ["bytes", 1, Buffer.from([2])]);
    });
  },
};

describeFabrics("Server options: another parser", [withAnotherParser], { parser: "msgpack" });
