/** The contract of the fabrics: messages to clients, and here what comes before what, for messages and for memberships. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Server } from "socket.io";
import { acknowledgements } from "./suites/acknowledgements.js";
import { broadcasting } from "./suites/broadcasting.js";
import { payloads } from "./suites/payloads.js";
import { describeFabrics, type Suite, testLimited } from "./support/describe-fabrics.js";
import type { Heard } from "./support/ear.js";
import type { Cast, Stage } from "./support/stage.js";

const nothing: Heard[] = [];
/** How often what could be a race is tried. */
const rounds = process.env["TEST_SIZE"] === "full" ? 200 : 50;

const order: Suite = {
  title: "Order",
  define(stage) {
    test("once join has resolved, a broadcast of another worker arrives", async () => {
      const cast = await stage.gather();
      const [, one] = cast.clients;
      for (let round = 0; round < rounds; round++) {
        const room = stage.name("room");
        await stage.at(1).socket(one, (socket) => socket.join(room));
        await stage.at(0).io((io) => io.to(room).emit("joined", round));
        assert.deepEqual(await one.ear.take("joined"), [round]);
      }
      assert.deepEqual(await cast.hear(0), [nothing, nothing, nothing, nothing]);
    });

    testLimited(stage, "joins that nobody waits for", {
      holds: async () => await tellNewcomers(stage, false),
      instead: async () => await tellNewcomers(stage, true),
    });

    test("a room that is emptied and filled again in one turn has its member", async () => {
      const room = stage.name("room");
      const [, one] = (await stage.gather()).clients;
      await stage.at(1).socket(one, (socket) => socket.join(room));
      for (let round = 0; round < rounds; round++) {
        await stage.at(1).socket(one, (socket) => {
          void socket.leave(room);
          void socket.join(room);
        });
        await stage.at(0).io((io) => io.to(room).emit("still", round));
        assert.deepEqual(await one.ear.take("still"), [round]);
      }
    });

    test("a room that moves from worker to worker always has the member that joined last", async () => {
      const room = stage.name("room");
      const cast = await stage.gather();
      for (let round = 0; round < rounds; round++) {
        const [from, to] = [1 + (round % 3), 1 + ((round + 1) % 3)] as [1 | 2 | 3, 1 | 2 | 3];
        await Promise.all([
          stage.at(from).socket(cast.clients[from], (socket) => socket.leave(room)),
          stage.at(to).socket(cast.clients[to], (socket) => socket.join(room)),
        ]);
        // What was sent before may still reach who joined meanwhile: the name tells the rounds apart.
        await stage.at(0).io((io) => io.to(room).emit(`moved ${round}`));
        await cast.clients[to].ear.take(`moved ${round}`);
      }
    });

    test("socketsJoin of another worker's socket, followed at once by a broadcast to the room, delivers", async () => {
      const cast = await stage.gather();
      const [, , , three] = cast.clients;
      for (let round = 0; round < rounds; round++) {
        const room = stage.name("room");
        await stage.at(0).io((io) => {
          io.in(three.id).socketsJoin(room);
          io.to(room).emit("joined", round);
        });
        assert.deepEqual(await three.ear.take("joined"), [round]);
      }
      assert.deepEqual(await cast.hear(0), [nothing, nothing, nothing, nothing]);
    });

    test("socketsLeave, followed at once by a broadcast to the room, does not deliver", async () => {
      const room = stage.name("room");
      const cast = await stage.gather();
      const ids = cast.clients.map(({ id }) => id);
      await stage.at(0).io((io) => io.socketsJoin(room));
      for (let round = 0; round < 20; round++) {
        await stage.at(0).io((io) => {
          io.in(room).socketsLeave(room);
          io.to(room).emit("left", round);
          io.in(ids).socketsJoin(room);
        });
      }
      assert.deepEqual(await cast.hear(0), [nothing, nothing, nothing, nothing]);
    });

    test("the messages of one worker arrive in their order, by whatever way each was addressed", async () => {
      const [room, everybody] = [stage.name("room"), stage.name("everybody")];
      const cast = await stage.gather({ transports: ["websocket", "polling", "websocket", "upgraded"] });
      await stage.at(0).io((io) => io.socketsJoin([room, everybody]));
      await stage.at(0).io((io) => io.in(cast.clients[2].id).socketsLeave(room));
      const ways: ((io: Server, index: number) => unknown)[] = [
        (io, index) => io.emit("step", index),
        (io, index) => io.to(room).emit("step", index),
        ...cast.clients.map(
          ({ id }) =>
            (io: Server, index: number) =>
              io.to(id).emit("step", index),
        ),
        (io, index) => io.to([everybody, room]).emit("step", index),
        (io, index) => io.except(cast.clients[1].id).emit("step", index),
        (io, index) => io.to(room).emit("step", index, Buffer.from([index & 255])),
        (io, index) => io.emit("step", index, "x".repeat(20_000)),
      ];
      const count = 300;
      await stage.at(0).io((io) => {
        for (let index = 0; index < count; index++) ways[(index * 7) % ways.length]?.(io, index);
      });
      const heard = (await cast.hear(0)).map((events) => events.map(([, index]) => Number(index)));
      const isFor =
        (slot: number) =>
        (_: unknown, index: number): boolean => {
          const way = (index * 7) % ways.length;
          if (way === 1 || way === 8) return slot !== 2;
          if (way >= 2 && way <= 5) return way - 2 === slot;
          return way === 7 ? slot !== 1 : true;
        };
      const all = Array.from({ length: count }, (_, index) => index);
      for (const slot of [0, 1, 2, 3]) assert.deepEqual(heard[slot], all.filter(isFor(slot)), `worker ${slot}`);
    });

    test("the messages of each of four workers arrive in its order, all of them, while all send at once", async () => {
      const cast = await stage.gather();
      const count = 200;
      await Promise.all(
        stage.workers.map(async (worker) => {
          for (let index = 0; index < count; index++) await worker.io((io) => io.emit("step", worker.slot, index));
        }),
      );
      const heard = await cast.hear(0);
      // Of the others what is under way is waited for by a marker of their own.
      for (const from of [1, 2, 3]) {
        for (const [slot, more] of (await cast.hear(from)).entries()) heard[slot]?.push(...more);
      }
      const all = Array.from({ length: count }, (_, index) => index);
      for (const events of heard) {
        for (const { slot } of stage.workers) {
          assert.deepEqual(
            events.filter(([, from]) => from === slot).map(([, , index]) => index),
            all,
          );
        }
      }
    });

    test("a broadcast and the departure of a socket keep their order: what was sent before is heard", async () => {
      const cast = await stage.gather();
      await stage.at(0).io((io) => {
        io.emit("last words");
        io.in(cast.clients[2].id).disconnectSockets(true);
      });
      await cast.clients[2].ear.take("last words");
      assert.equal(await cast.clients[2].ear.waitForEnd(), "io server disconnect");
    });

    testLimited(stage, "order of what is local", {
      holds: async () => {
        const cast = await stage.gather();
        const heard = await sayThreeThings(stage, cast);
        assert.deepEqual(heard, [["first"], ["second"], ["third"]]);
      },
      instead: async () => {
        const cast = await stage.gather();
        const heard = await sayThreeThings(stage, cast);
        assert.deepEqual(heard, [["second"], ["third"], ["first"]]);
      },
    });
  },
};

/** Clients whose connection handler makes them join a room; its next worker speaks to them there. */
async function tellNewcomers(stage: Stage, waitForJoin: boolean): Promise<void> {
  for (let round = 0; round < 50; round++) {
    const room = stage.name("room");
    const client = await stage.connectAnywhere({ auth: { join: room, waitForJoin } });
    if (waitForJoin) await client.ear.take("has joined");
    const from = (stage.of(client).slot + 1) % stage.workers.length;
    await stage.at(from).io((io) => io.to(room).emit("joined", round));
    assert.deepEqual(await client.ear.take("joined"), [round]);
    client.close();
  }
}

/** To a client of the same worker in one turn: to all, to those of the worker, to it alone. */
async function sayThreeThings(stage: Stage, cast: Cast): Promise<Heard[] | undefined> {
  await stage.at(1).socket(cast.clients[1], (socket) => {
    socket.nsp.emit("first");
    socket.nsp.local.emit("second");
    socket.emit("third");
  });
  return (await cast.hear(1))[1];
}

// The payloads come last: what cannot be sent ends workers on a fabric.
describeFabrics("Messages", [broadcasting, acknowledgements, order, payloads], {
  serverOptions: { allowEIO3: true },
  // The rest at full size: to a worker it is the same where a message comes from.
  onSeveralHosts: { "routed-2x2": [broadcasting] },
});
