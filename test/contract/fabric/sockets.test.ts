/** The contract of the fabrics: sockets, their rooms and namespaces, servers, and here the methods that act on the sockets of all workers. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Server } from "socket.io";
import { clients } from "./suites/clients.js";
import { namespaces } from "./suites/namespaces.js";
import { remoteSockets } from "./suites/remote-sockets.js";
import { rooms } from "./suites/rooms.js";
import { serverSideEvents } from "./suites/server-side-events.js";
import { describeFabrics, type Suite } from "./support/describe-fabrics.js";
import type { Heard } from "./support/ear.js";
import type { ModernClient } from "./support/modern-client.js";
import type { Cast, Four, Stage } from "./support/stage.js";

const nothing: Heard[] = [];
const news: Heard[] = [["news", 1]];

/** Rooms: a has the clients 1 and 2, b has 2 and 3. */
async function gatherInRooms(stage: Stage, nsp = "/"): Promise<Cast & { a: string; b: string }> {
  const cast = await stage.gather({ nsp });
  const rooms = { a: stage.name("a"), b: stage.name("b") };
  const [, one, two, three] = cast.clients.map(({ id }) => id) as [string, string, string, string];
  await stage.at(0).of(nsp, (namespace) => {
    namespace.in([one, two]).socketsJoin(rooms.a);
    namespace.in([two, three]).socketsJoin(rooms.b);
  });
  // By then they have joined, also for what another worker sends next.
  await cast.hear(0);
  return Object.assign(cast, rooms);
}

/** Which clients a room reaches, by slot, for the worker that has changed it. */
async function findMembers(stage: Stage, cast: Cast, room: string, from = 0): Promise<number[]> {
  await stage.at(from).of(cast.clients[0].nsp, (nsp) => nsp.to(room).emit("news", 1));
  const heard = await cast.hear(from);
  return [0, 1, 2, 3].filter((slot) => heard[slot]?.length === 1);
}

/** Which clients are still connected, once those have gone whose going is expected. */
async function findLeft(cast: Cast, gone: readonly number[], from = 0): Promise<Heard[][]> {
  for (const slot of gone) {
    assert.equal(await cast.clients[slot as 0].ear.waitForEnd(), "io server disconnect");
  }
  const left = [0, 1, 2, 3].filter((slot) => !gone.includes(slot));
  return await cast.hearOf(left, from);
}

const utilityMethods: Suite = {
  title: "Methods for many sockets",
  define(stage) {
    test("socketsJoin makes the sockets of all workers join", async () => {
      const cast = await stage.gather();
      const [room, second] = [stage.name("room"), stage.name("room")];
      await stage.at(0).io((io) => io.socketsJoin([room, second]));
      assert.deepEqual(await findMembers(stage, cast, room), [0, 1, 2, 3]);
      assert.deepEqual(await findMembers(stage, cast, second, 2), [0, 1, 2, 3]);
    });

    test("socketsJoin takes the members of a room, of several, all but some, one, or those of a worker", async () => {
      const cast = await gatherInRooms(stage);
      const rooms = [0, 1, 2, 3, 4].map(() => stage.name("room")) as [string, string, string, string, string];
      await stage.at(0).io((io) => {
        io.in(cast.a).socketsJoin(rooms[0]);
        io.in([cast.a, cast.b]).socketsJoin(rooms[1]);
        io.except(cast.a).socketsJoin(rooms[2]);
        io.in(cast.clients[3].id).socketsJoin(rooms[3]);
        io.local.socketsJoin(rooms[4]);
      });
      const members = [[1, 2], [1, 2, 3], [0, 3], [3], [0]];
      for (const [index, room] of rooms.entries()) {
        assert.deepEqual(await findMembers(stage, cast, room), members[index], `room ${index}`);
      }
    });

    test("a socket's socketsJoin takes the others", async () => {
      const cast = await gatherInRooms(stage);
      const room = stage.name("room");
      await stage.at(2).socket(cast.clients[2], (socket) => socket.to(cast.b).socketsJoin(room));
      assert.deepEqual(await findMembers(stage, cast, room, 2), [3]);
    });

    test("socketsLeave makes the sockets of all workers leave", async () => {
      const cast = await gatherInRooms(stage);
      await stage.at(3).io((io) => io.socketsLeave(cast.a));
      assert.deepEqual(await findMembers(stage, cast, cast.a, 3), []);
      assert.deepEqual(await findMembers(stage, cast, cast.b, 3), [2, 3]);
      await stage.at(3).io((io) => io.socketsLeave([cast.a, cast.b]));
      assert.deepEqual(await findMembers(stage, cast, cast.b, 3), []);
    });

    test("socketsLeave takes the members of a room, all but some, one, or those of a worker", async () => {
      const cast = await gatherInRooms(stage);
      const room = stage.name("room");
      const change = async (use: (io: Server) => unknown): Promise<number[]> => {
        await stage.at(0).io((io) => io.socketsJoin(room));
        await stage.at(0).io(use);
        return await findMembers(stage, cast, room);
      };
      assert.deepEqual(await change((io) => io.in(cast.a).socketsLeave(room)), [0, 3]);
      assert.deepEqual(await change((io) => io.except(cast.a).socketsLeave(room)), [1, 2]);
      assert.deepEqual(await change((io) => io.in(cast.clients[3].id).socketsLeave(room)), [0, 1, 2]);
      assert.deepEqual(await change((io) => io.local.socketsLeave(room)), [1, 2, 3]);
    });

    test("socketsJoin and socketsLeave of a namespace leave the rooms of others alone", async () => {
      const main = await gatherInRooms(stage);
      const other = await gatherInRooms(stage, "/other");
      await stage.at(0).of("/other", (nsp) => {
        nsp.socketsJoin(main.a);
        nsp.socketsLeave(main.b);
        nsp.socketsLeave(other.a);
      });
      assert.deepEqual(await findMembers(stage, other, main.a), [0, 1, 2, 3]);
      assert.deepEqual(await findMembers(stage, other, other.a), []);
      assert.deepEqual(await findMembers(stage, main, main.a), [1, 2]);
      assert.deepEqual(await findMembers(stage, main, main.b), [2, 3]);
    });

    test("disconnectSockets disconnects the sockets of all workers", async () => {
      const cast = await stage.gather();
      await stage.at(1).io((io) => io.disconnectSockets());
      for (const client of cast.clients) {
        assert.equal(await client.ear.waitForEnd(), "io server disconnect");
        const isTold = ({ kind, id }: { kind: string; id?: unknown }): boolean =>
          kind === "disconnect" && id === client.id;
        const note = await stage.of(client).process.waitForNote(isTold, "disconnect");
        assert.equal(note["reason"], "server namespace disconnect");
      }
    });

    test("disconnectSockets takes the members of a room", async () => {
      const cast = await gatherInRooms(stage);
      await stage.at(0).io((io) => io.in(cast.a).disconnectSockets(true));
      assert.deepEqual(await findLeft(cast, [1, 2]), [nothing, nothing]);
    });

    test("disconnectSockets takes all but the members of a room", async () => {
      const cast = await gatherInRooms(stage);
      await stage.at(1).io((io) => io.except(cast.a).disconnectSockets(true));
      assert.deepEqual(await findLeft(cast, [0, 3], 1), [nothing, nothing]);
    });

    test("disconnectSockets takes the socket of an id", async () => {
      const cast = await stage.gather();
      await stage.at(0).io((io) => io.in(cast.clients[3].id).disconnectSockets());
      assert.deepEqual(await findLeft(cast, [3]), [nothing, nothing, nothing]);
    });

    test("disconnectSockets takes the sockets of a worker, with local", async () => {
      const cast = await stage.gather();
      await stage.at(2).io((io) => io.local.disconnectSockets(true));
      assert.deepEqual(await findLeft(cast, [2]), [nothing, nothing, nothing]);
    });

    test("a socket's broadcast.disconnectSockets takes all but itself", async () => {
      const cast = await stage.gather();
      await stage.at(2).socket(cast.clients[2], (socket) => socket.broadcast.disconnectSockets());
      assert.deepEqual(await findLeft(cast, [0, 1, 3], 2), [nothing]);
    });

    test("disconnectSockets of a namespace leaves the connection and its other namespaces alone", async () => {
      const mains = (await stage.gather()).clients as Four<ModernClient>;
      const others = await Promise.all(
        mains.map(async (main) => await stage.connectAnywhere({ nsp: "/other", beside: main })),
      );
      await stage.at(0).of("/other", (nsp) => nsp.disconnectSockets());
      for (const other of others) assert.equal(await other.ear.waitForEnd(), "io server disconnect");
      await stage.at(0).io((io) => io.emit("news", 1));
      assert.deepEqual(await stage.hear(0, mains), [news, news, news, news]);
    });

    test("disconnectSockets(true) of a namespace closes the connections, all their namespaces with them", async () => {
      const mains = (await stage.gather()).clients as Four<ModernClient>;
      const others = await Promise.all(
        mains.map(async (main) => await stage.connectAnywhere({ nsp: "/other", beside: main })),
      );
      await stage.at(0).of("/other", (nsp) => nsp.disconnectSockets(true));
      for (const client of [...others, ...mains]) await client.ear.waitForEnd();
      for (const { socket } of mains) assert.equal(socket.io.engine.readyState, "closed");
    });
  },
};

describeFabrics("Sockets", [rooms, remoteSockets, utilityMethods, serverSideEvents, clients, namespaces], {
  serverOptions: { allowEIO3: true, cleanupEmptyChildNamespaces: true },
});
