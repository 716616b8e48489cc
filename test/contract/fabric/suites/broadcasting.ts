/** The contract of the fabrics: who receives a broadcast, whichever workers its sender and its receivers are on. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { openPolling } from "../../../support/engine-polling.js";
import { type Suite, testLimited } from "../support/describe-fabrics.js";
import type { Heard } from "../support/ear.js";
import type { Cast, Stage } from "../support/stage.js";

const nothing: Heard[] = [];
const news: Heard[] = [["news", 1]];

/** Four clients, and rooms: a has 1 and 2, b has 2 and 3. Worker 0 has the client that is in none. */
async function gatherInRooms(stage: Stage, nsp = "/"): Promise<Cast & { a: string; b: string }> {
  const cast = await stage.gather({ nsp });
  const rooms = { a: stage.name("a"), b: stage.name("b") };
  await stage.at(1).socket(cast.clients[1], (socket) => socket.join(rooms.a));
  await stage.at(2).socket(cast.clients[2], (socket) => socket.join([rooms.a, rooms.b]));
  await stage.at(3).socket(cast.clients[3], (socket) => socket.join(rooms.b));
  return Object.assign(cast, rooms);
}

export const broadcasting: Suite = {
  title: "Broadcasting",
  define(stage) {
    test("io.emit reaches each client of each worker once", async () => {
      const cast = await stage.gather();
      await stage.at(0).io((io) => io.emit("news", 1));
      assert.deepEqual(await cast.hear(0), [news, news, news, news]);
    });

    test("io.emit of each worker reaches the clients of all", async () => {
      const cast = await stage.gather();
      for (const { slot } of stage.workers) {
        await stage.at(slot).io((io) => io.emit("news", slot));
        const heard: Heard[] = [["news", slot]];
        assert.deepEqual(await cast.hear(slot), [heard, heard, heard, heard]);
      }
    });

    test("io.send and io.write are the event message", async () => {
      const cast = await stage.gather();
      await stage.at(0).io((io) => {
        io.send("sent");
        io.write("written");
      });
      const heard: Heard[] = [
        ["message", "sent"],
        ["message", "written"],
      ];
      assert.deepEqual(await cast.hear(0), [heard, heard, heard, heard]);
    });

    test("an event without arguments has none", async () => {
      const cast = await stage.gather();
      await stage.at(0).io((io) => io.emit("bare"));
      assert.deepEqual(await cast.hear(0), [[["bare"]], [["bare"]], [["bare"]], [["bare"]]]);
    });

    test("to(room) reaches its members on each worker", async () => {
      const cast = await gatherInRooms(stage);
      await stage.at(0).io((io) => io.to(cast.a).emit("news", 1));
      assert.deepEqual(await cast.hear(0), [nothing, news, news, nothing]);
    });

    test("in(room) is the same as to(room)", async () => {
      const cast = await gatherInRooms(stage);
      await stage.at(0).io((io) => io.in(cast.b).emit("news", 1));
      assert.deepEqual(await cast.hear(0), [nothing, nothing, news, news]);
    });

    test("a room that nobody is in reaches nobody", async () => {
      const cast = await gatherInRooms(stage);
      await stage.at(0).io((io) => io.to(stage.name("empty")).emit("news", 1));
      assert.deepEqual(await cast.hear(0), [nothing, nothing, nothing, nothing]);
    });

    test("several rooms reach each client in any of them once", async () => {
      const cast = await gatherInRooms(stage);
      await stage.at(0).io((io) => io.to(cast.a).to(cast.b).emit("news", 1));
      assert.deepEqual(await cast.hear(0), [nothing, news, news, news]);
      await stage.at(0).io((io) => io.to([cast.a, cast.b]).emit("news", 1));
      assert.deepEqual(await cast.hear(0), [nothing, news, news, news]);
    });

    test("except(room) reaches all but its members", async () => {
      const cast = await gatherInRooms(stage);
      await stage.at(3).io((io) => io.except(cast.a).emit("news", 1));
      assert.deepEqual(await cast.hear(3), [news, nothing, nothing, news]);
    });

    test("except with several rooms reaches who is in none of them", async () => {
      const cast = await gatherInRooms(stage);
      await stage.at(3).io((io) => io.except([cast.a, cast.b]).emit("news", 1));
      assert.deepEqual(await cast.hear(3), [news, nothing, nothing, nothing]);
      await stage.at(3).io((io) => io.except(cast.a).except(cast.b).emit("news", 1));
      assert.deepEqual(await cast.hear(3), [news, nothing, nothing, nothing]);
    });

    test("to and except together reach the members of the one that are not in the other", async () => {
      const cast = await gatherInRooms(stage);
      await stage.at(0).io((io) => io.to(cast.a).except(cast.b).emit("news", 1));
      assert.deepEqual(await cast.hear(0), [nothing, news, nothing, nothing]);
    });

    test("except(id) leaves out one client of another worker", async () => {
      const cast = await gatherInRooms(stage);
      await stage.at(0).io((io) => io.except(cast.clients[2].id).emit("news", 1));
      assert.deepEqual(await cast.hear(0), [news, news, nothing, news]);
      await stage.at(0).io((io) => io.to(cast.a).except(cast.clients[1].id).emit("news", 1));
      assert.deepEqual(await cast.hear(0), [nothing, nothing, news, nothing]);
    });

    test("socket.broadcast reaches all but the sender", async () => {
      const cast = await stage.gather();
      await stage.at(1).socket(cast.clients[1], (socket) => socket.broadcast.emit("news", 1));
      assert.deepEqual(await cast.hear(1), [news, nothing, news, news]);
    });

    test("socket.to(room) reaches its members but the sender", async () => {
      const cast = await gatherInRooms(stage);
      await stage.at(2).socket(cast.clients[2], (socket) => socket.to(cast.a).emit("news", 1));
      assert.deepEqual(await cast.hear(2), [nothing, news, nothing, nothing]);
      await stage.at(2).socket(cast.clients[2], (socket) => socket.broadcast.to(cast.b).emit("news", 1));
      assert.deepEqual(await cast.hear(2), [nothing, nothing, nothing, news]);
    });

    test("socket.except(room) reaches all but its members and the sender", async () => {
      const cast = await gatherInRooms(stage);
      await stage.at(3).socket(cast.clients[3], (socket) => socket.except(cast.a).emit("news", 1));
      assert.deepEqual(await cast.hear(3), [news, nothing, nothing, nothing]);
    });

    test("socket.emit reaches that client only", async () => {
      const cast = await stage.gather();
      await stage.at(1).socket(cast.clients[1], (socket) => socket.emit("news", 1));
      assert.deepEqual(await cast.hear(1), [nothing, news, nothing, nothing]);
    });

    test("to(id) reaches one client, on any worker, its own included", async () => {
      const cast = await stage.gather();
      for (const client of cast.clients) await stage.at(0).io((io) => io.to(client.id).emit("news", client.id));
      assert.deepEqual(
        await cast.hear(0),
        cast.clients.map(({ id }) => [["news", id]]),
      );
    });

    test("to several ids and a room at once reaches each client once", async () => {
      const cast = await gatherInRooms(stage);
      const [, one, two] = cast.clients;
      await stage.at(0).io((io) => io.to([one.id, two.id, cast.b]).emit("news", 1));
      assert.deepEqual(await cast.hear(0), [nothing, news, news, news]);
    });

    test("socket.to(id) is a private message between clients of two workers", async () => {
      const cast = await stage.gather();
      const [from, , , to] = cast.clients;
      await stage.at(0).socket(from, (socket) => socket.to(to.id).emit("private", from.id, "hello"));
      assert.deepEqual(await cast.hear(0), [nothing, nothing, nothing, [["private", from.id, "hello"]]]);
    });

    test("an id that no socket has reaches nobody, though its worker lives", async () => {
      const cast = await stage.gather();
      const [one] = cast.clients;
      const stranger = `${one.id.slice(0, 6)}${"x".repeat(14)}`;
      await stage.at(3).io((io) => io.to(stranger).emit("news", 1));
      assert.deepEqual(await cast.hear(3), [nothing, nothing, nothing, nothing]);
    });

    test("local reaches only the clients of that worker", async () => {
      const cast = await gatherInRooms(stage);
      await stage.at(2).io((io) => io.local.emit("news", 1));
      assert.deepEqual(await cast.hear(2), [nothing, nothing, news, nothing]);
      await stage.at(2).io((io) => io.local.to(cast.a).emit("news", 1));
      assert.deepEqual(await cast.hear(2), [nothing, nothing, news, nothing]);
      await stage.at(0).io((io) => io.local.to(cast.a).emit("news", 1));
      assert.deepEqual(await cast.hear(0), [nothing, nothing, nothing, nothing]);
    });

    test("socket.local reaches the other clients of that worker", async () => {
      const cast = await stage.gather();
      const beside = await stage.connect(2);
      await stage.at(2).socket(cast.clients[2], (socket) => socket.local.emit("news", 1));
      const heard = await stage.hear(2, [...cast.clients, beside]);
      assert.deepEqual(heard, [nothing, nothing, nothing, nothing, news]);
    });

    test("volatile reaches clients that are ready to receive, on each worker", async () => {
      const cast = await gatherInRooms(stage);
      await stage.at(0).io((io) => io.volatile.emit("news", 1));
      assert.deepEqual(await cast.hear(0), [news, news, news, news]);
      await stage.at(0).io((io) => io.volatile.to(cast.a).emit("news", 1));
      assert.deepEqual(await cast.hear(0), [nothing, news, news, nothing]);
    });

    test("volatile is not kept for a client of any worker that is not ready; what is not volatile is", async () => {
      // By hand: between two polls nothing can be written to them.
      const sessions = await Promise.all(stage.workers.map(async ({ host }) => await openPolling({ port: host.port })));
      const cast = await stage.gather();
      await stage.at(0).io((io) => {
        io.volatile.emit("news", "volatile");
        io.emit("news", "kept");
      });
      // By then both have come to each worker.
      await cast.hear(0);
      for (const session of sessions) {
        assert.equal(await session.nextPacket(), '42["news","kept"]');
        await session.post("1");
        session.connection.destroy();
      }
    });

    test("compress can be set either way for a broadcast", async () => {
      const cast = await stage.gather();
      await stage.at(0).io((io) => {
        io.compress(false).emit("news", 1);
        io.compress(true).to(cast.clients[3].id).emit("news", 2);
      });
      assert.deepEqual(await cast.hear(0), [news, news, news, [...news, ["news", 2]]]);
    });

    test("a namespace's emit reaches its clients on each worker, and no other namespace's", async () => {
      const main = await stage.gather();
      const other = await gatherInRooms(stage, "/other");
      await stage.at(0).of("/other", (nsp) => nsp.emit("news", 1));
      assert.deepEqual(await other.hear(0), [news, news, news, news]);
      await stage.at(0).of("/other", (nsp) => nsp.to(other.a).except(other.b).emit("news", 1));
      assert.deepEqual(await other.hear(0), [nothing, news, nothing, nothing]);
      assert.deepEqual(await main.hear(0), [nothing, nothing, nothing, nothing]);
    });

    test("a broadcast of the connection handler reaches all, the newcomer included", async () => {
      const cast = await stage.gather();
      const greet = stage.name("welcome");
      const newcomer = await stage.connectAnywhere({ auth: { greet } });
      const heard: Heard[] = [[greet, newcomer.id]];
      const all = await stage.hear(stage.of(newcomer).slot, [...cast.clients, newcomer]);
      assert.deepEqual(all, [heard, heard, heard, heard, heard]);
    });

    test("reserved event names are refused wherever an event can be broadcast", async () => {
      const cast = await stage.gather();
      const [client] = cast.clients;
      for (const name of ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]) {
        const refused = { message: `"${name}" is a reserved event name` };
        await assert.rejects(
          stage.at(0).io((io) => io.emit(name)),
          refused,
        );
        await assert.rejects(
          stage.at(0).io((io) => io.to("room").emit(name)),
          refused,
        );
        await assert.rejects(
          stage.at(0).io((io) => io.of("/other").emit(name)),
          refused,
        );
        await assert.rejects(
          stage.at(0).socket(client, (socket) => socket.broadcast.emit(name)),
          refused,
        );
      }
      assert.deepEqual(await cast.hear(0), [nothing, nothing, nothing, nothing]);
    });

    testLimited(stage, "values at the emit", {
      holds: async () => {
        const cast = await stage.gather();
        await stage.at(0).process.ask("emitThenChange", { target: {}, event: "news" });
        const heard: Heard[] = [["news", { count: 1 }]];
        assert.deepEqual(await cast.hear(0), [heard, heard, heard, heard]);
      },
      instead: async () => {
        const cast = await stage.gather();
        await stage.at(0).process.ask("emitThenChange", { target: {}, event: "news" });
        const heard: Heard[] = [["news", { count: 1 }]];
        assert.deepEqual(await cast.hear(0), [[["news", { count: 2 }]], heard, heard, heard]);
      },
    });
  },
};
