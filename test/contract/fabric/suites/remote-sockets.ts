/** The contract of the fabrics: `fetchSockets` finds the sockets of all workers, and what it gives works like a socket. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Server } from "socket.io";
import { timed } from "../../../support/stopwatch.js";
import type { Client } from "../support/client.js";
import { type Suite, testLimited } from "../support/describe-fabrics.js";
import type { Heard } from "../support/ear.js";
import { keptValues } from "../support/kept-values.js";
import type { ModernClient } from "../support/modern-client.js";
import { callback, named } from "../support/recorded-calls.js";
import type { Cast, Stage } from "../support/stage.js";

const nothing: Heard[] = [];
const news: Heard[] = [["news", 1]];
/** Longer than any answer takes. */
const longMs = 10_000;
/** A time that is waited for to its end. */
const shortMs = 150;
/** What needs no waiting is there by then. */
const promptMs = 2_000;

interface ShownSocket {
  readonly isLocal: boolean;
  readonly id: string;
  readonly handshake: Readonly<Record<string, unknown>>;
  readonly rooms: readonly string[];
  readonly data: unknown;
}

function sortedIds(sockets: readonly ShownSocket[] | readonly Client[]): string[] {
  return sockets.map(({ id }) => id).toSorted();
}

/** Rooms: a has the clients 1 and 2, b has 2 and 3. */
async function gatherInRooms(stage: Stage, nsp = "/"): Promise<Cast & { a: string; b: string }> {
  const cast = await stage.gather({ nsp });
  const rooms = { a: stage.name("a"), b: stage.name("b") };
  await stage.at(1).socket(cast.clients[1], (socket) => socket.join(rooms.a));
  await stage.at(2).socket(cast.clients[2], (socket) => socket.join([rooms.a, rooms.b]));
  await stage.at(3).socket(cast.clients[3], (socket) => socket.join(rooms.b));
  return Object.assign(cast, rooms);
}

/** The socket of a client as its own worker shows it, and as worker 0 does. */
async function showTwice(stage: Stage, client: Client): Promise<[local: ShownSocket, remote: ShownSocket]> {
  const fetch = async (slot: number): Promise<ShownSocket> => {
    const sockets = await stage.at(slot).of<ShownSocket[]>(client.nsp, (nsp) => nsp.in(client.id).fetchSockets());
    assert.equal(sockets.length, 1);
    return sockets[0] as ShownSocket;
  };
  const [local, remote] = await Promise.all([fetch(stage.of(client).slot), fetch(0)]);
  assert.deepEqual([local.isLocal, remote.isLocal], [true, false]);
  return [local, remote];
}

export const remoteSockets: Suite = {
  title: "Sockets of other workers",
  define(stage) {
    test("fetchSockets gives the sockets of all workers, as sockets where they are of the own", async () => {
      const cast = await stage.gather();
      for (const { slot } of stage.workers) {
        const sockets = await stage.at(slot).io<ShownSocket[]>((io) => io.fetchSockets());
        assert.deepEqual(sortedIds(sockets), sortedIds(cast.clients));
        assert.deepEqual(
          sortedIds(sockets.filter(({ isLocal }) => isLocal)),
          sortedIds(cast.clients.filter((client) => stage.of(client).slot === slot)),
        );
      }
    });

    test("fetchSockets of a room, of several, of all but some, of one id, and of this worker", async () => {
      const cast = await gatherInRooms(stage);
      const [zero, one, two, three] = cast.clients;
      const fetch = async (use: (io: Server) => unknown): Promise<string[]> =>
        sortedIds(await stage.at(0).io<ShownSocket[]>(use));
      assert.deepEqual(await fetch((io) => io.in(cast.a).fetchSockets()), sortedIds([one, two]));
      assert.deepEqual(await fetch((io) => io.in([cast.a, cast.b]).fetchSockets()), sortedIds([one, two, three]));
      assert.deepEqual(await fetch((io) => io.except(cast.a).fetchSockets()), sortedIds([zero, three]));
      assert.deepEqual(await fetch((io) => io.in(cast.a).except(cast.b).fetchSockets()), [one.id]);
      assert.deepEqual(await fetch((io) => io.in(three.id).fetchSockets()), [three.id]);
      assert.deepEqual(await fetch((io) => io.local.fetchSockets()), [zero.id]);
      assert.deepEqual(await fetch((io) => io.local.in(cast.a).fetchSockets()), []);
      const asked = await stage.at(2).socket<ShownSocket[]>(two, (socket) => socket.to(cast.a).fetchSockets());
      assert.deepEqual(sortedIds(asked), [one.id]);
    });

    test("fetchSockets of a namespace gives its own sockets", async () => {
      await stage.gather();
      const cast = await gatherInRooms(stage, "/other");
      const all = await stage.at(1).of<ShownSocket[]>("/other", (nsp) => nsp.fetchSockets());
      assert.deepEqual(sortedIds(all), sortedIds(cast.clients));
      const some = await stage.at(1).of<ShownSocket[]>("/other", (nsp) => nsp.in(cast.b).fetchSockets());
      assert.deepEqual(sortedIds(some), sortedIds([cast.clients[2], cast.clients[3]]));
      assert.deepEqual(await stage.at(1).io((io) => io.in(cast.b).fetchSockets()), []);
    });

    test("fetchSockets of a room that nobody is in gives none, at once", async () => {
      await stage.gather();
      const fetched = stage.at(0).io((io) => io.in(stage.name("empty")).fetchSockets());
      assert.deepEqual((await timed(fetched, promptMs, "the answer of nobody")).value, []);
    });

    test("fetchSockets gives a hundred sockets, whoever asks, while all ask at once", async () => {
      const clients = await Promise.all(Array.from({ length: 100 }, async () => await stage.connectAnywhere()));
      const answers = await Promise.all(
        [...stage.workers, ...stage.workers].map(
          async (worker) => await worker.io<ShownSocket[]>((io) => io.fetchSockets()),
        ),
      );
      for (const sockets of answers) assert.deepEqual(sortedIds(sockets), sortedIds(clients));
    });

    test("a socket of another worker shows the id, handshake, rooms and data that it has there", async () => {
      const client = await stage.connect(2, { auth: { token: "secret", list: [1, null] } });
      await stage.at(2).socket(client, (socket) => {
        void socket.join(["a", "b"]);
        socket.data["user"] = { name: "Zoë", since: new Date(1_700_000_000_000) };
      });
      const [local, remote] = await showTwice(stage, client);
      assert.deepEqual(remote, { ...local, isLocal: false });
      assert.deepEqual(remote.rooms, [client.id, "a", "b"]);
      assert.deepEqual(remote.data, { user: { name: "Zoë", since: new Date(1_700_000_000_000) } });
      assert.deepEqual(remote.handshake["auth"], { token: "secret", list: [1, null] });
      const parts = ["address", "auth", "headers", "issued", "query", "secure", "time", "url", "xdomain"];
      assert.deepEqual(Object.keys(remote.handshake).toSorted(), parts);
    });

    test("the data of a socket of another worker has the values that it has there", async () => {
      const client = await stage.connect(2);
      await stage.at(2).socket(client, (socket) => {
        socket.data = keptValues;
      });
      const [, { data }] = await showTwice(stage, client);
      for (const [what, value] of Object.entries(keptValues)) {
        assert.deepEqual((data as Record<string, unknown>)[what], value, what);
      }
      assert.deepEqual(Object.keys(data as object), Object.keys(keptValues));
    });

    test("the session store that some middleware puts into the handshake stays where it is", async () => {
      const client = await stage.connect(2);
      await stage.at(2).socket(client, (socket) => {
        (socket.handshake as unknown as { sessionStore: unknown }).sessionStore = named("with a function");
      });
      const sockets = await stage.at(0).io<ShownSocket[]>((io) => io.in(client.id).fetchSockets());
      assert.equal("sessionStore" in (sockets[0]?.handshake ?? {}), false);
    });

    test("RemoteSocket.emit reaches its client only", async () => {
      const cast = await stage.gather();
      await stage.at(0).remote(cast.clients[3], (socket) => socket.emit("news", 1));
      assert.deepEqual(await cast.hear(0), [nothing, nothing, nothing, news]);
    });

    test("RemoteSocket.timeout with an acknowledgement gets the one response of its client", async () => {
      const [, one] = (await stage.gather()).clients;
      (one as ModernClient).socket.on("question", (value: number, acknowledge: (answer: unknown) => void) => {
        acknowledge({ doubled: 2 * value, bytes: Buffer.from([7]) });
      });
      const expected = { doubled: 42, bytes: Buffer.from([7]) };
      const response = await stage.at(0).remote(one, (socket) => socket.timeout(longMs).emitWithAck("question", 21));
      assert.deepEqual(response, expected);
      const given = await stage.at(0).remote(one, (socket) => socket.timeout(longMs).emit("question", 21, callback));
      assert.deepEqual(given, [null, expected]);
    });

    test("RemoteSocket.timeout ends with an error when its client does not acknowledge", async () => {
      const [, one] = (await stage.gather()).clients;
      const silent = stage.at(0).remote(one, (socket) => socket.timeout(shortMs).emitWithAck("question"));
      await assert.rejects(silent, { message: "operation has timed out" });
    });

    test("RemoteSocket.join and leave change its rooms", async () => {
      const cast = await stage.gather();
      const rooms = [stage.name("room"), stage.name("room")] as const;
      await stage.at(0).remote(cast.clients[2], (socket) => socket.join([...rooms]));
      await stage.at(0).io((io) => io.to(rooms[1]).emit("news", 1));
      assert.deepEqual(await cast.hear(0), [nothing, nothing, news, nothing]);
      await stage.at(0).remote(cast.clients[2], (socket) => socket.leave(rooms[1]));
      await stage.at(0).io((io) => io.to(rooms[1]).emit("news", 1));
      assert.deepEqual(await cast.hear(0), [nothing, nothing, nothing, nothing]);
      const [, remote] = await showTwice(stage, cast.clients[2]);
      assert.deepEqual(remote.rooms, [cast.clients[2].id, rooms[0]]);
    });

    test("RemoteSocket.disconnect ends its namespace, with true the whole connection", async () => {
      for (const close of [false, true]) {
        const main = await stage.connectModern(2);
        const other = (await stage.connectAnywhere({ nsp: "/other", beside: main })) as ModernClient;
        await stage.at(0).remote(main, (socket) => socket.disconnect(close));
        assert.equal(await main.ear.waitForEnd(), "io server disconnect");
        if (close) await other.ear.waitForEnd();
        else await stage.at(0).of("/other", (nsp) => nsp.emit("still"));
        if (!close) await other.ear.take("still");
        assert.equal(main.socket.io.engine.readyState, close ? "closed" : "open");
      }
    });

    testLimited(stage, "allSockets", {
      holds: async () => {
        const cast = await gatherInRooms(stage);
        assert.deepEqual(await stage.at(0).io((io) => io.allSockets()), new Set(cast.clients.map(({ id }) => id)));
        const some = await stage.at(0).io((io) => io.in(cast.b).allSockets());
        assert.deepEqual(some, new Set([cast.clients[2].id, cast.clients[3].id]));
      },
      instead: async () => {
        const cast = await gatherInRooms(stage);
        assert.deepEqual(await stage.at(0).io((io) => io.allSockets()), new Set([cast.clients[0].id]));
        assert.deepEqual(await stage.at(0).io((io) => io.in(cast.b).allSockets()), new Set());
      },
    });
  },
};
