/** The contract of the fabrics: clients of every kind are members like any other, and listeners on a socket see what it is sent. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openPolling } from "../../../support/engine-polling.js";
import type { Client, Transport } from "../support/client.js";
import { type Suite, testLimited } from "../support/describe-fabrics.js";
import type { Heard } from "../support/ear.js";
import type { Cast, Stage } from "../support/stage.js";

const nothing: Heard[] = [];
const news: Heard[] = [["news", 1]];
/** Longer than any answer takes. */
const longMs = 10_000;

const transports = ["websocket", "polling", "upgraded", "old websocket", "old polling"] as const;
const oldTransports = ["old websocket", "old polling"] as const;

/** Three of a transport, and one that sends, on WebSocket with worker 0. */
async function gatherKind(stage: Stage, transport: Transport, nsp = "/"): Promise<Cast> {
  return await stage.gather({ nsp, transports: ["websocket", transport, transport, transport] });
}

/** What the listener for outgoing events on a socket has been told so far. */
async function watchOutgoing(stage: Stage, client: Client): Promise<{ readTold: () => unknown[] }> {
  const key = stage.name("key");
  const worker = stage.of(client);
  await worker.process.ask("watchOutgoing", { target: { nsp: client.nsp, socket: client.id }, key });
  return {
    readTold: () => worker.process.notes.filter((note) => note["key"] === key).map(({ args }) => args),
  };
}

/** The listeners of these clients' sockets were told exactly this, apart from markers. */
async function assertTold(
  stage: Stage,
  clients: readonly Client[],
  watches: readonly { readTold: () => unknown[] }[],
  expected: readonly (readonly unknown[])[],
): Promise<void> {
  await stage.hear(0, clients);
  // A worker's notes come in order: they are here when its answer is.
  await Promise.all(stage.workers.map(async ({ process }) => await process.ask("namespaces")));
  const told = watches.map(({ readTold }) =>
    readTold().filter((args) => !String((args as unknown[])[0]).startsWith("marker-")),
  );
  assert.deepEqual(told, expected);
}

/** An event whose values are others when a client has received them. */
const emitted = ["values", new Date(0), undefined, new Map([[1, 2]])] as const;

async function emitValues(stage: Stage): Promise<{ cast: Cast; watches: { readTold: () => unknown[] }[] }> {
  const cast = await stage.gather();
  const watches = await Promise.all(cast.clients.map(async (client) => await watchOutgoing(stage, client)));
  await stage.at(0).io((io) => io.emit(...emitted));
  return { cast, watches };
}

export const clients: Suite = {
  title: "Clients of every kind",
  define(stage) {
    for (const transport of transports) {
      test(`${transport}: members of rooms, on workers other than the sender's`, async () => {
        const cast = await gatherKind(stage, transport);
        const room = stage.name("room");
        await stage.at(1).socket(cast.clients[1], (socket) => socket.join(room));
        await stage.at(0).io((io) => io.in(cast.clients[2].id).socketsJoin(room));
        await stage.at(0).io((io) => io.to(room).emit("news", 1));
        assert.deepEqual(await cast.hear(0), [nothing, news, news, nothing]);
        await stage.at(0).io((io) => io.except(room).emit("news", 1));
        assert.deepEqual(await cast.hear(0), [news, nothing, nothing, news]);
        await stage.at(0).io((io) => io.in(room).socketsLeave(room));
        await stage.at(0).io((io) => io.to(room).emit("news", 1));
        assert.deepEqual(await cast.hear(0), [nothing, nothing, nothing, nothing]);
      });

      test(`${transport}: reached by id, found, and disconnected, by another worker`, async () => {
        const cast = await gatherKind(stage, transport);
        const [, , two, three] = cast.clients;
        await stage.at(0).io((io) => io.to(two.id).emit("news", 1));
        assert.deepEqual(await cast.hear(0), [nothing, nothing, news, nothing]);
        const [found] = await stage.at(0).io<{ id: string; rooms: string[] }[]>((io) => io.in(two.id).fetchSockets());
        assert.deepEqual([found?.id, found?.rooms], [two.id, [two.id]]);
        await stage.at(0).remote(three, (socket) => socket.emit("news", 1));
        assert.deepEqual(await cast.hear(0), [nothing, nothing, nothing, news]);
        await stage.at(0).io((io) => io.in(two.id).disconnectSockets(true));
        await two.ear.waitForEnd();
        assert.deepEqual(await cast.hearOf([0, 1, 3], 0), [nothing, nothing, nothing]);
      });

      test(`${transport}: in a namespace`, async () => {
        const cast = await gatherKind(stage, transport, "/other");
        await stage.at(0).of("/other", (nsp) => nsp.to(cast.clients[3].id).emit("news", 1));
        assert.deepEqual(await cast.hear(0), [nothing, nothing, nothing, news]);
        await stage.at(0).of("/other", (nsp) => nsp.except(cast.clients[3].id).emit("news", 1));
        assert.deepEqual(await cast.hear(0), [news, news, news, nothing]);
      });

      test(`${transport}: many messages of another worker in one turn all arrive, in order`, async () => {
        const cast = await gatherKind(stage, transport);
        const count = 100;
        await stage.at(0).io((io) => {
          for (let index = 0; index < count; index++) {
            io.emit("step", index, ...(index % 10 === 0 ? [Buffer.from([index])] : []));
          }
        });
        for (const heard of await cast.hear(0)) {
          assert.deepEqual(
            heard.map(([, index]) => index),
            Array.from({ length: count }, (_, index) => index),
          );
        }
      });
    }

    for (const transport of oldTransports) {
      test(`${transport}: the id is that of the connection, behind the name of another namespace`, async () => {
        const [main, other] = await Promise.all([
          stage.connectAnywhere({ transport }),
          stage.connectAnywhere({ transport, nsp: "/other" }),
        ]);
        for (const [client, pattern] of [
          [main, /^[\w-]{20}$/],
          [other, /^\/other#[\w-]{20}$/],
        ] as const) {
          const fetch = async (slot: number): Promise<string[]> => {
            const sockets = await stage
              .at(slot)
              .of<{ id: string }[]>(client.nsp, (nsp) => nsp.in(client.id).fetchSockets());
            return sockets.map(({ id }) => id);
          };
          for (const { slot } of stage.workers) assert.deepEqual(await fetch(slot), [client.id]);
          assert.match(client.id, pattern);
        }
      });

      test(`${transport}: a private message from a new client of another worker, and back`, async () => {
        const old = await stage.connect(1, { transport });
        const modern = await stage.connect(2);
        await stage.at(2).socket(modern, (socket) => socket.to(old.id).emit("private", modern.id));
        await stage.at(1).socket(old, (socket) => socket.to(modern.id).emit("private", old.id));
        assert.deepEqual(await old.ear.take("private"), [modern.id]);
        assert.deepEqual(await modern.ear.take("private"), [old.id]);
      });
    }

    test("a client between two polls gets everything that came meanwhile with the next", async () => {
      const sessions = await Promise.all(stage.workers.map(async ({ host }) => await openPolling({ port: host.port })));
      await stage.at(0).io((io) => {
        io.emit("first");
        io.emit("second", "ü");
      });
      for (const session of sessions) {
        assert.equal(await session.nextPacket(), '42["first"]');
        assert.equal(await session.nextPacket(), '42["second","ü"]');
        await session.post("1");
        session.connection.destroy();
      }
    });

    test("a listener for outgoing events sees the event and its arguments, whichever worker sent it", async () => {
      const cast = await stage.gather({ transports: ["websocket", "polling", "websocket", "old websocket"] });
      const room = stage.name("room");
      const watches = await Promise.all(cast.clients.map(async (client) => await watchOutgoing(stage, client)));
      await stage.at(2).socket(cast.clients[2], (socket) => socket.join(room));
      await stage.at(0).io((io) => {
        io.emit("all", 1, "two", { three: [3, null] });
        io.to(room).emit("room");
        io.to(cast.clients[3].id).emit("alone", "ü 🚦");
      });
      const all = ["all", 1, "two", { three: [3, null] }];
      await assertTold(stage, cast.clients, watches, [[all], [all], [all, ["room"]], [all, ["alone", "ü 🚦"]]]);
    });

    test("a listener for outgoing events sees the bytes of binary arguments", async () => {
      const cast = await stage.gather({ transports: ["websocket", "polling", "websocket", "old websocket"] });
      const watches = await Promise.all(cast.clients.map(async (client) => await watchOutgoing(stage, client)));
      const event = ["bytes", Buffer.from([0, 255]), { deep: [Buffer.from("in it"), 1] }, Buffer.alloc(0)] as const;
      await stage.at(0).io((io) => io.emit(...event));
      await assertTold(stage, cast.clients, watches, [[event], [event], [event], [event]] as unknown[][]);
    });

    testLimited(stage, "values that listeners see", {
      holds: async () => {
        const { cast, watches } = await emitValues(stage);
        await assertTold(stage, cast.clients, watches, [[emitted], [emitted], [emitted], [emitted]]);
      },
      instead: async () => {
        const { cast, watches } = await emitValues(stage);
        const received = ["values", "1970-01-01T00:00:00.000Z", null, {}];
        await assertTold(stage, cast.clients, watches, [[emitted], [received], [received], [received]]);
      },
    });

    test("a listener for outgoing events sees a broadcast with an acknowledgement without the callback", async () => {
      const cast = await stage.gather();
      const watches = await Promise.all(cast.clients.map(async (client) => await watchOutgoing(stage, client)));
      for (const client of cast.clients) client.answer("question", "yes");
      await stage.at(0).io((io) => io.timeout(longMs).emitWithAck("question", 1));
      const question = ["question", 1];
      await assertTold(stage, cast.clients, watches, [[question], [question], [question], [question]]);
    });

    test("a listener for outgoing events on one socket leaves what others receive as it is", async () => {
      const cast = await stage.gather();
      const beside = await stage.connect(2);
      await watchOutgoing(stage, beside);
      await stage.at(0).io((io) => io.emit("bytes", Buffer.from("same"), { undefined }));
      const heard: Heard[] = [["bytes", Buffer.from("same"), {}]];
      assert.deepEqual(await stage.hear(0, [...cast.clients, beside]), [heard, heard, heard, heard, heard]);
    });
  },
};
