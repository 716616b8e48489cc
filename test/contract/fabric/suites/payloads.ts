/** The contract of the fabrics: what a broadcast carries arrives the same on each worker and over each transport, and what cannot be carried harms nobody. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { timed } from "../../../support/stopwatch.js";
import type { Client, Transport } from "../support/client.js";
import { type Suite, testLimited } from "../support/describe-fabrics.js";
import type { Heard } from "../support/ear.js";
import { named } from "../support/recorded-calls.js";
import type { Stage } from "../support/stage.js";

/** What needs no waiting is there by then. */
const promptMs = 2_000;
/** A time that is waited for to its end. */
const shortMs = 300;
/** A megabyte. */
const large = 1_048_576;

/** Where clients of each transport are while worker 0 sends; one is with the sender. */
const places: readonly [slot: number, transport: Transport][] = [
  [0, "websocket"],
  [1, "websocket"],
  [2, "polling"],
  [3, "upgraded"],
  [1, "old websocket"],
  [2, "old polling"],
];

function bytes(...values: readonly number[]): Buffer {
  return Buffer.from(values);
}

/** Arguments of an event, and what a client gets of them where that is something else. */
const cases: readonly [what: string, sent: readonly unknown[], received?: readonly unknown[]][] = [
  ["nothing", []],
  ["strings", ["", " ", "plain", '"quoted" \\ and\nbroken\u2028lines\u0000']],
  ["other alphabets and emoji", ["Żółć", "日本語", "👩‍👩‍👧 🇺🇳", "e\u0301"]],
  ["a lone surrogate", ["\ud83d and \ude00"]],
  ["numbers", [0, -1, 1.5, 1e300, Number.MAX_SAFE_INTEGER]],
  ["numbers that JSON has not", [-0, Number.NaN, Number.NEGATIVE_INFINITY], [0, null, null]],
  ["booleans and null", [true, false, null]],
  ["undefined, which is null", [undefined, [undefined], 1], [null, [null], 1]],
  ["an undefined property, which is not there", [{ a: undefined, b: 1 }], [{ b: 1 }]],
  ["a date, which is its text", [new Date(0), { at: new Date(1) }], [iso(0), { at: iso(1) }]],
  ["a map, a set and an error, which are empty", [new Map([[1, 2]]), new Set([1]), new Error("no")], [{}, {}, {}]],
  ["nested arrays and objects", [[[[]], {}], { a: { b: [{ c: null }] } }]],
  ["what looks like a packet", ['42["x"]', "\u001e2", { _placeholder: true, num: 0 }]],
  ["two hundred arguments", Array.from({ length: 200 }, (_, index) => index)],
  ["a buffer", [Buffer.from([0, 1, 30, 254, 255])]],
  ["an empty buffer", [Buffer.alloc(0), "after it"]],
  ["several buffers", [Buffer.from("a"), "between", Buffer.from("b"), Buffer.from("c")]],
  [
    "buffers in objects and arrays",
    [{ list: [1, Buffer.from("x"), { deep: Buffer.from("y") }] }, [[Buffer.from("z")]]],
  ],
  ["a buffer beside values that change", [Buffer.from("x"), undefined, new Date(0)], [Buffer.from("x"), null, iso(0)]],
  ["a part of a buffer", [Buffer.from("only the middle").subarray(5, 8)], [Buffer.from("the")]],
  ["a byte array", [new Uint8Array([1, 2, 3])], [bytes(1, 2, 3)]],
  ["a part of a byte array", [new Uint8Array([1, 2, 3, 4]).subarray(1, 3)], [bytes(2, 3)]],
  ["an array of 16-bit numbers", [new Uint16Array([1, 258])], [bytes(1, 0, 2, 1)]],
  ["an array of floats", [new Float64Array([1])], [bytes(0, 0, 0, 0, 0, 0, 240, 63)]],
  ["an array buffer", [new Uint8Array([7, 8]).buffer], [bytes(7, 8)]],
  ["a data view", [new DataView(new Uint8Array([0, 9, 10]).buffer, 1)], [bytes(9, 10)]],
  ["a megabyte of text", ["ä".repeat(large / 2)]],
  ["a megabyte of bytes", [Buffer.alloc(large, "0123456789")]],
  ["a megabyte of small values", [Array.from({ length: 100_000 }, (_, index) => ({ index }))]],
];

const eventNames = ["", "with spaces", "emoji 🚀", '"', "x".repeat(1_000), "message", "connection", "constructor"];

function iso(time: number): string {
  return new Date(time).toISOString();
}

async function gatherAllKinds(stage: Stage): Promise<Client[]> {
  return await Promise.all(places.map(async ([slot, transport]) => await stage.connect(slot, { transport })));
}

/** Does what must end no worker, and resolves with the slots of the workers that it has ended. */
async function findEnded(stage: Stage, expected: readonly number[], act: () => Promise<unknown>): Promise<number[]> {
  const before = stage.workers.map(({ process }) => process);
  await act();
  await Promise.all(expected.map(async (slot) => await before[slot]?.ended));
  // A worker that has answered this has survived whatever came to it before.
  const isAlive = await Promise.all(
    before.map(async (process) => {
      try {
        await process.ask("namespaces");
        return true;
      } catch {
        return false;
      }
    }),
  );
  const ended = stage.allBut().filter((slot) => !isAlive[slot]);
  for (const slot of ended) await stage.waitUntilReplaced(slot, before[slot]?.pid ?? 0);
  return ended;
}

/** A function that is no callback: it comes before another argument. */
async function sayFunction(stage: Stage): Promise<void> {
  // Refused or not, the worker must not end of it.
  await stage
    .at(0)
    .io((io) => io.serverSideEmit("ask", named("function"), 1))
    .catch(() => {});
}

/** A socket of worker 3 holds a timer, as applications do. */
async function gatherWithTimer(stage: Stage): Promise<void> {
  const cast = await stage.gather();
  await stage.at(3).socket(cast.clients[3], (socket) => {
    socket.data = named("timer");
  });
}

export const payloads: Suite = {
  title: "What events carry",
  define(stage) {
    test("each value arrives the same at every client, over every transport", async () => {
      const clients = await gatherAllKinds(stage);
      for (const [what, sent, received = sent] of cases) {
        await stage.at(0).io((io) => io.emit(what, ...sent));
        for (const [index, client] of clients.entries()) {
          assert.deepEqual(await client.ear.take(what), received, `${what}, ${places[index]}`);
        }
      }
    });

    test("each value arrives the same for a room, an id and a namespace", async () => {
      const clients = await gatherAllKinds(stage);
      const others = await stage.gather({ nsp: "/other" });
      const room = stage.name("room");
      await stage.at(0).io((io) => io.socketsJoin(room));
      for (const [what, sent, received = sent] of cases.filter(([what]) => !what.startsWith("a megabyte"))) {
        await stage.at(0).io((io) => {
          io.to(room).emit("in the room", ...sent);
          for (const { id } of clients) io.to(id).emit("alone", ...sent);
          io.of("/other").emit("value", ...sent);
        });
        for (const client of clients) {
          assert.deepEqual(await client.ear.take("in the room"), received, what);
          assert.deepEqual(await client.ear.take("alone"), received, what);
        }
        for (const client of others.clients) assert.deepEqual(await client.ear.take("value"), received, what);
      }
    });

    test("an event may have any name", async () => {
      const clients = await gatherAllKinds(stage);
      for (const name of eventNames) {
        await stage.at(0).io((io) => io.emit(name, 1));
        for (const client of clients) assert.deepEqual(await client.ear.take(name), [1], name);
      }
    });

    test("large messages of all workers at once arrive whole", async () => {
      const cast = await stage.gather({ transports: ["websocket", "polling", "upgraded", "old websocket"] });
      const received: Heard[][] = [[], [], [], []];
      const text = (slot: number): string => String(slot).repeat(large / 2);
      const data = (slot: number): Buffer => Buffer.alloc(large / 2, slot);
      await Promise.all(
        stage.workers.map(async (worker) => {
          const { slot } = worker;
          await worker.io((io) => io.emit(`large ${slot}`, text(slot), data(slot)));
        }),
      );
      for (const { slot } of stage.workers) {
        for (const [index, heard] of (await cast.hear(slot)).entries()) received[index]?.push(...heard);
      }
      for (const heard of received) {
        assert.equal(heard.length, stage.workers.length);
        for (const { slot } of stage.workers) {
          const [, gotText, gotData] = heard.find(([name]) => name === `large ${slot}`) ?? [];
          assert.ok(gotText === text(slot) && data(slot).equals(gotData as Buffer), `from worker ${slot}`);
        }
      }
    });

    testLimited(stage, "toJSON", {
      holds: async () => {
        const clients = await gatherAllKinds(stage);
        await stage.at(0).io((io) => io.emit("value", named("with toJSON")));
        for (const client of clients) assert.deepEqual(await client.ear.take("value"), [{ price: "2.50" }]);
      },
      instead: async () => {
        const [local, ...remote] = await gatherAllKinds(stage);
        await stage.at(0).io((io) => io.emit("value", named("with toJSON")));
        assert.deepEqual(await local?.ear.take("value"), [{ price: "2.50" }]);
        for (const client of remote) assert.deepEqual(await client.ear.take("value"), [{ cents: 250 }]);
      },
    });

    testLimited(stage, "what only JSON leaves out", {
      holds: async () => {
        const clients = await gatherAllKinds(stage);
        await stage.at(0).io((io) => {
          io.emit("value", named("with a function"));
          io.emit("value", named("symbol"), 1);
        });
        for (const client of clients) {
          assert.deepEqual(await client.ear.take("value"), [{ kept: 1 }]);
          assert.deepEqual(await client.ear.take("value"), [null, 1]);
        }
      },
      instead: async () => {
        const [local, ...remote] = await gatherAllKinds(stage);
        await stage.at(0).io((io) => {
          io.emit("value", named("with a function"));
          io.emit("value", named("symbol"), 1);
        });
        assert.deepEqual(await local?.ear.take("value"), [{ kept: 1 }]);
        assert.deepEqual(await local?.ear.take("value"), [null, 1]);
        assert.deepEqual(await stage.hear(0, remote), [[], [], [], [], []]);
      },
    });

    testLimited(stage, "data that cannot be sent", {
      holds: async () => {
        await gatherWithTimer(stage);
        const fetch = async (): Promise<void> => {
          const fetched = stage.at(0).io((io) => io.fetchSockets());
          await assert.rejects(timed(fetched, promptMs, "the refusal"), /could not be cloned/);
        };
        assert.deepEqual(await findEnded(stage, [], fetch), []);
      },
      instead: async () => {
        await gatherWithTimer(stage);
        const fetch = async (): Promise<void> =>
          await assert.rejects(stage.at(0).io((io) => io.timeout(shortMs).fetchSockets()));
        assert.deepEqual(await findEnded(stage, [3], fetch), [3]);
      },
    });

    testLimited(stage, "an event of servers that cannot be sent", {
      holds: async () => assert.deepEqual(await findEnded(stage, [], async () => await sayFunction(stage)), []),
      instead: async () => assert.deepEqual(await findEnded(stage, [0], async () => await sayFunction(stage)), [0]),
    });

    testLimited(stage, "an event that cannot be encoded", {
      holds: async () => {
        const cast = await stage.gather();
        const emit = async (): Promise<void> =>
          await assert.rejects(
            stage.at(0).io((io) => io.emit("big", named("bigint"))),
            /BigInt/,
          );
        assert.deepEqual(await findEnded(stage, [], emit), []);
        assert.deepEqual(await cast.hear(0), [[], [], [], []]);
      },
      instead: async () => {
        await stage.gather();
        const emit = async (): Promise<unknown> => await stage.at(0).io((io) => io.emit("big", named("bigint")));
        assert.deepEqual(await findEnded(stage, [0, 1, 2, 3], emit), [0, 1, 2, 3]);
      },
    });
  },
};
