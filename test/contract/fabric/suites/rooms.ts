/** The contract of the fabrics: what a room is, and which names it may have. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "../support/client.js";
import { type Suite, testLimited } from "../support/describe-fabrics.js";
import type { Heard } from "../support/ear.js";
import type { Cast, Stage } from "../support/stage.js";

type Room = string | number;

const nothing: Heard[] = [];
const news: Heard[] = [["news", 1]];

/** The client of worker 1 is in the room, the one of worker 2 in the other. */
async function gatherIn(stage: Stage, room: Room, otherRoom?: Room): Promise<Cast> {
  const cast = await stage.gather();
  await stage.at(1).socket(cast.clients[1], (socket) => socket.join(room as string));
  if (otherRoom !== undefined) {
    await stage.at(2).socket(cast.clients[2], (socket) => socket.join(otherRoom as string));
  }
  return cast;
}

/** Worker 0 tells the room; who hears it? */
async function tell(stage: Stage, cast: Cast, room: Room): Promise<Heard[][]> {
  await stage.at(0).io((io) => io.to(room as string).emit("news", 1));
  return await cast.hear(0);
}

/** The ids of the room's sockets, as worker 3 sees them. */
async function listIds(stage: Stage, room: string): Promise<string[]> {
  const sockets = await stage.at(3).io<{ id: string }[]>((io) => io.in(room).fetchSockets());
  return sockets.map(({ id }) => id);
}

/** One client joins a room in a middleware and another is refused there. */
async function joinEarly(stage: Stage, waitForJoin: boolean): Promise<void> {
  const [room, other] = [stage.name("room"), stage.name("room")];
  const early = await stage.connectAnywhere({ auth: { joinEarly: room, waitForJoin } });
  const from = (stage.of(early).slot + 1) % stage.workers.length;
  await stage.at(from).io((io) => io.to(room).emit("news", 1));
  assert.deepEqual(await stage.hear(from, [early]), [news]);
  assert.deepEqual(await listIds(stage, room), [early.id]);
  const refused = stage.connectAnywhere({ auth: { joinEarly: other, waitForJoin, refuse: true } });
  await assert.rejects(refused, { message: "refused" });
  assert.deepEqual(await listIds(stage, other), []);
}

/** A worker's own account of why and in which rooms a client left it. */
async function waitForNote(stage: Stage, client: Client, kind: string): Promise<unknown> {
  const { rooms } = await stage
    .of(client)
    .process.waitForNote((note) => note.kind === kind && note["id"] === client.id, `${client.id} ${kind}`);
  return rooms;
}

export const rooms: Suite = {
  title: "Rooms",
  define(stage) {
    test("a socket is told what its room is told, until it leaves", async () => {
      const room = stage.name("room");
      const cast = await gatherIn(stage, room);
      assert.deepEqual(await tell(stage, cast, room), [nothing, news, nothing, nothing]);
      await stage.at(1).socket(cast.clients[1], (socket) => socket.leave(room));
      assert.deepEqual(await tell(stage, cast, room), [nothing, nothing, nothing, nothing]);
      await stage.at(1).socket(cast.clients[1], (socket) => socket.join(room));
      assert.deepEqual(await tell(stage, cast, room), [nothing, news, nothing, nothing]);
    });

    test("joining twice is joining once, leaving a room one is not in is nothing", async () => {
      const room = stage.name("room");
      const cast = await gatherIn(stage, room);
      await stage.at(1).socket(cast.clients[1], (socket) => socket.join([room, room]));
      await stage.at(2).socket(cast.clients[2], (socket) => socket.leave(room));
      assert.deepEqual(await tell(stage, cast, room), [nothing, news, nothing, nothing]);
      await stage.at(1).socket(cast.clients[1], (socket) => socket.leave(room));
      assert.deepEqual(await tell(stage, cast, room), [nothing, nothing, nothing, nothing]);
    });

    test("a room with members on one worker left stays a room for them", async () => {
      const room = stage.name("room");
      const cast = await gatherIn(stage, room, room);
      await stage.at(1).socket(cast.clients[1], (socket) => socket.leave(room));
      assert.deepEqual(await tell(stage, cast, room), [nothing, nothing, news, nothing]);
    });

    test("one of two members of a worker leaves, and the other is still told", async () => {
      const room = stage.name("room");
      const cast = await gatherIn(stage, room);
      const beside = await stage.connect(1);
      await stage.at(1).socket(beside, (socket) => socket.join(room));
      await stage.at(1).socket(cast.clients[1], (socket) => socket.leave(room));
      await stage.at(0).io((io) => io.to(room).emit("news", 1));
      const heard = await stage.hear(0, [...cast.clients, beside]);
      assert.deepEqual(heard, [nothing, nothing, nothing, nothing, news]);
    });

    test("a socket that disconnects leaves its rooms, which it has until then", async () => {
      const room = stage.name("room");
      const cast = await gatherIn(stage, room, room);
      const gone = cast.clients[1];
      gone.close();
      assert.deepEqual(await waitForNote(stage, gone, "disconnecting"), [gone.id, room]);
      assert.deepEqual(await waitForNote(stage, gone, "disconnect"), []);
      assert.deepEqual(await listIds(stage, room), [cast.clients[2].id]);
    });

    test("a room joined while disconnecting is left as well", async () => {
      const room = stage.name("room");
      const [, one] = (await stage.gather()).clients;
      await stage.at(1).process.ask("whenDisconnecting", {
        target: { nsp: "/", socket: one.id },
        chains: [[{ name: "join", args: [room] }]],
      });
      one.close();
      await waitForNote(stage, one, "disconnect");
      assert.deepEqual(await listIds(stage, room), []);
      const newcomer = await stage.connect(1);
      await stage.at(0).io((io) => io.to(room).emit("news", 1));
      assert.deepEqual(await stage.hear(0, [newcomer]), [nothing]);
    });

    testLimited(stage, "early joins that nobody waits for", {
      holds: async () => await joinEarly(stage, false),
      instead: async () => await joinEarly(stage, true),
    });

    test("a thousand rooms of one socket, one message to five hundred of them, and all left at its end", async () => {
      const cast = await stage.gather();
      const [, one] = cast.clients;
      const rooms = Array.from({ length: 1_000 }, () => stage.name("room"));
      await stage.at(1).socket(one, (socket) => socket.join(rooms));
      for (const room of [rooms[0], rooms[999]]) {
        assert.deepEqual(await tell(stage, cast, room ?? ""), [nothing, news, nothing, nothing]);
      }
      await stage.at(0).io((io) => io.to(rooms.slice(500)).emit("news", 1));
      assert.deepEqual(await cast.hear(0), [nothing, news, nothing, nothing]);
      await stage.at(0).io((io) => io.except(rooms.slice(500)).emit("news", 1));
      assert.deepEqual(await cast.hear(0), [news, nothing, news, news]);
      await stage.leave(one);
      const left = await stage.at(0).io((io) => io.in(rooms).fetchSockets());
      assert.deepEqual(left, []);
    });

    test("what is sent to the rooms of a socket while it disconnects reaches the others", async () => {
      const room = stage.name("room");
      const cast = await gatherIn(stage, room, room);
      await stage.at(1).process.ask("whenDisconnecting", {
        target: { nsp: "/", socket: cast.clients[1].id },
        chains: [
          [
            { name: "to", args: [room] },
            { name: "emit", args: ["left", cast.clients[1].id] },
          ],
        ],
      });
      await stage.leave(cast.clients[1]);
      const left: Heard[] = [["left", cast.clients[1].id]];
      const [zero, , two, three] = cast.clients;
      assert.deepEqual(await stage.hear(1, [zero, two, three]), [nothing, left, nothing]);
    });

    const names: [what: string, room: Room, other: Room][] = [
      ["the number 1 is not the string 1", 1, "1"],
      ["the string 7 is not the number 7", "7", 7],
      ["numbers that are no whole numbers", 0.5, -0.5],
      ["the empty string", "", " "],
      ["other alphabets and emoji", "комната-部屋-🚪", "комната-部屋-🪟"],
      ["composed and decomposed characters", "caf\u00e9", "cafe\u0301"],
      ["control characters and separators", "a\u0000b\n,\u001e", "a\u0000b\n,\u001f"],
      ["names of properties", "__proto__", "constructor"],
      ["10,000 characters, of which the last differs", `${"x".repeat(9_999)}a`, `${"x".repeat(9_999)}b`],
      ["names with a slash, a hash and a comma", "/other#1,2", "/other#1,3"],
      ["20 characters of the alphabet of ids", "ABCDEFGHIJKLMNOPQRST", "ABCDEFGHIJKLMNOPQRSU"],
    ];
    for (const [what, room, other] of names) {
      test(`rooms may have any name: ${what}`, async () => {
        const cast = await gatherIn(stage, room, other);
        assert.deepEqual(await tell(stage, cast, room), [nothing, news, nothing, nothing]);
        assert.deepEqual(await tell(stage, cast, other), [nothing, nothing, news, nothing]);
        await stage.at(0).io((io) => io.except(room as string).emit("news", 1));
        assert.deepEqual(await cast.hear(0), [news, nothing, news, news]);
        const fetched = await stage.at(3).io<{ id: string }[]>((io) => io.in(room as string).fetchSockets());
        assert.deepEqual(
          fetched.map(({ id }) => id),
          [cast.clients[1].id],
        );
      });
    }

    test("a room that is named like a socket of this host that does not exist", async () => {
      const [stranger] = (await stage.gather()).clients;
      // The place of worker 0, 14 other characters: a member is on worker 1 all the same.
      const room = `${stranger.id.slice(0, 6)}${"y".repeat(14)}`;
      const cast = await gatherIn(stage, room);
      for (const from of [0, 2, 3]) {
        await stage.at(from).io((io) => io.to(room).emit("news", 1));
        assert.deepEqual(await cast.hear(from), [nothing, news, nothing, nothing]);
      }
    });

    test("a room that is named by the id of a socket: messages to the id reach both", async () => {
      const cast = await stage.gather();
      const [, joiner, named] = cast.clients;
      await stage.at(1).socket(joiner, (socket) => socket.join(named.id));
      for (const from of [0, 1, 2]) {
        await stage.at(from).io((io) => io.to(named.id).emit("news", 1));
        assert.deepEqual(await cast.hear(from), [nothing, news, news, nothing]);
      }
      await stage.leave(named);
      await stage.at(0).io((io) => io.to(named.id).emit("news", 1));
      assert.deepEqual(await stage.hear(0, [joiner]), [news]);
    });

    test("a socket that leaves the room of its own id is not reached by it any more", async () => {
      const cast = await stage.gather();
      const [, one] = cast.clients;
      await stage.at(1).socket(one, (socket) => socket.leave(one.id));
      assert.deepEqual(await tell(stage, cast, one.id), [nothing, nothing, nothing, nothing]);
      await stage.at(1).socket(one, (socket) => socket.join(one.id));
      assert.deepEqual(await tell(stage, cast, one.id), [nothing, news, nothing, nothing]);
    });

    test("a lone surrogate in a room's name is not taken for another", async () => {
      const cast = await gatherIn(stage, "lone \ud800", "lone \udfff");
      const [, , stranger] = await tell(stage, cast, "lone \ud800");
      assert.deepEqual(stranger, nothing);
    });

    testLimited(stage, "rooms that are no UTF-8", {
      holds: async () => {
        const cast = await gatherIn(stage, "lone \ud800");
        assert.deepEqual(await tell(stage, cast, "lone \ud800"), [nothing, news, nothing, nothing]);
      },
      instead: async () => {
        const cast = await gatherIn(stage, "lone \ud800");
        assert.deepEqual(await tell(stage, cast, "lone \ud800"), [nothing, nothing, nothing, nothing]);
      },
    });

    test("the adapter of the socket's worker, and no other, tells of its rooms", async () => {
      const cast = await stage.gather();
      const [room, key] = [stage.name("room"), stage.name("key")];
      for (const { slot } of stage.workers)
        await stage.at(slot).process.ask("watchRooms", { target: { nsp: "/" }, key });
      const { id } = cast.clients[1];
      await stage.at(1).socket(cast.clients[1], (socket) => socket.join(room));
      await stage.at(0).io((io) => io.in(id).socketsLeave(room));
      const isTold = (event: string) => (note: { readonly [name: string]: unknown }) =>
        note["key"] === key && note["event"] === event && note["room"] === room;
      await stage.at(1).process.waitForNote(isTold("delete-room"), "delete-room");
      const told = stage.workers.map(({ process }) =>
        process.notes
          .filter((note) => note["key"] === key && note["room"] === room)
          .map(({ event, id }) => [event, id]),
      );
      const expected = [
        ["create-room", undefined],
        ["join-room", id],
        ["leave-room", id],
        ["delete-room", undefined],
      ];
      assert.deepEqual(
        told,
        stage.workers.map(({ slot }) => (slot === 1 ? expected : [])),
      );
    });
  },
};
