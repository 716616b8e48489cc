/** The contract of the fabrics: namespaces are separate, may exist on some workers only, and may be closed and used again. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { timed } from "../../../support/stopwatch.js";
import { type Suite, testLimited } from "../support/describe-fabrics.js";
import type { Heard } from "../support/ear.js";
import type { ModernClient } from "../support/modern-client.js";
import type { Cast, Four, Stage } from "../support/stage.js";

const nothing: Heard[] = [];
const news: Heard[] = [["news", 1]];
/** Longer than any answer takes. */
const longMs = 10_000;
/** A time that is waited for to its end. */
const _shortMs = 300;
/** What needs no waiting is there by then. */
const promptMs = 2_000;

async function fetchIds(stage: Stage, slot: number, nsp: string): Promise<string[]> {
  const sockets = await stage.at(slot).of<{ id: string }[]>(nsp, (namespace) => namespace.fetchSockets());
  return sockets.map(({ id }) => id).toSorted();
}

async function hasNamespace(stage: Stage, slot: number, nsp: string): Promise<boolean> {
  return (await stage.at(slot).process.ask<string[]>("namespaces")).includes(nsp);
}

/** All have left, and the last has taken the namespace with it. */
async function leaveAll(stage: Stage, cast: Cast & { nsp: string }): Promise<void> {
  for (const client of cast.clients) await stage.leave(client);
  for (const { slot } of stage.workers) assert.equal(await hasNamespace(stage, slot, cast.nsp), false);
}

/** What the only client of a child hears when the parent emits on a worker without that child. */
async function emitToAbsentChild(stage: Stage): Promise<Heard[][]> {
  const nsp = `/${stage.name("dynamic")}`;
  const client = await stage.connectAnywhere({ nsp });
  const from = (stage.of(client).slot + 1) % stage.workers.length;
  assert.equal(await hasNamespace(stage, from, nsp), false);
  await stage.at(from).parent("regex", (parent) => parent.emit("news", 1));
  return await stage.hear(from, [client]);
}

/** Servers that have had a namespace, left it and have it again: what they answer to worker 0, once it counts so many. */
async function askServersTwice(stage: Stage, count: number): Promise<unknown[]> {
  const cast = await stage.gatherApart();
  const { nsp } = cast;
  const listen = async (): Promise<void> => {
    for (const slot of stage.allBut(0)) {
      await stage.at(slot).process.ask("hearServers", { target: { nsp }, event: "ask", how: "answer", value: slot });
    }
  };
  await listen();
  await leaveAll(stage, cast);
  await stage.gather({ nsp });
  await listen();
  await stage.waitForServers(nsp, count);
  const responses = await stage.at(0).of<unknown[]>(nsp, (namespace) => namespace.serverSideEmitWithAck("ask"));
  return responses.toSorted();
}

export const namespaces: Suite = {
  title: "Namespaces",
  define(stage) {
    test("the same room of two namespaces is two rooms", async () => {
      const main = await stage.gather();
      const other = await stage.gather({ nsp: "/other" });
      const room = stage.name("room");
      await stage.at(1).socket(main.clients[1], (socket) => socket.join(room));
      await stage.at(2).socket(other.clients[2], (socket) => socket.join(room));
      await stage.at(0).io((io) => io.to(room).emit("news", 1));
      await stage.at(0).of("/other", (nsp) => nsp.except(room).emit("news", 1));
      assert.deepEqual(await main.hear(0), [nothing, news, nothing, nothing]);
      assert.deepEqual(await other.hear(0), [news, news, nothing, news]);
    });

    test("an id of one namespace reaches nobody in another", async () => {
      const main = await stage.gather();
      const other = await stage.gather({ nsp: "/other" });
      await stage.at(0).of("/other", (nsp) => nsp.to(main.clients[2].id).emit("news", 1));
      assert.deepEqual(await other.hear(0), [nothing, nothing, nothing, nothing]);
      assert.deepEqual(await main.hear(0), [nothing, nothing, nothing, nothing]);
    });

    test("two namespaces over one connection hear their own, each by an id of its own", async () => {
      const mains = (await stage.gather()).clients as Four<ModernClient>;
      const others = await Promise.all(
        mains.map(async (main) => await stage.connectAnywhere({ nsp: "/other", beside: main })),
      );
      await stage.at(0).io((io) => io.to(mains[2].id).emit("news", "main"));
      await stage.at(0).of("/other", (nsp) => nsp.to(others[2]?.id ?? "").emit("news", "other"));
      assert.deepEqual(await stage.hear(0, mains), [nothing, nothing, [["news", "main"]], nothing]);
      assert.deepEqual(await stage.hear(0, others), [nothing, nothing, [["news", "other"]], nothing]);
    });

    for (const kind of ["dynamic", "chosen"] as const) {
      const how = kind === "dynamic" ? "a regular expression" : "a function";
      test(`a namespace made by ${how} is one on all workers, and apart from its siblings`, async () => {
        const [cast, sibling] = [await stage.gatherApart(kind), await stage.gatherApart(kind)];
        const room = stage.name("room");
        await stage.at(0).of(cast.nsp, (nsp) => nsp.in(cast.clients[3].id).socketsJoin(room));
        await stage.at(0).of(cast.nsp, (nsp) => nsp.emit("news", 1));
        assert.deepEqual(await cast.hear(0), [news, news, news, news]);
        await stage.at(0).of(cast.nsp, (nsp) => nsp.to(room).emit("news", 1));
        assert.deepEqual(await cast.hear(0), [nothing, nothing, nothing, news]);
        await stage.at(1).of(sibling.nsp, (nsp) => nsp.to(room).emit("news", 1));
        assert.deepEqual(await sibling.hear(1), [nothing, nothing, nothing, nothing]);
        assert.deepEqual(await fetchIds(stage, 2, cast.nsp), cast.clients.map(({ id }) => id).toSorted());
      });
    }

    for (const parent of ["regex", "function"] as const) {
      test(`the emit of a parent made by a ${parent} reaches the clients of its children on all workers`, async () => {
        const kind = parent === "regex" ? "dynamic" : "chosen";
        const casts = [await stage.gatherApart(kind), await stage.gatherApart(kind)];
        const main = await stage.gather();
        await stage.at(0).parent(parent, (nsp) => nsp.emit("news", 1));
        for (const cast of casts) assert.deepEqual(await cast.hear(0), [news, news, news, news]);
        assert.deepEqual(await main.hear(0), [nothing, nothing, nothing, nothing]);
      });
    }

    test("a parent's to(room) reaches the members of that room of each child, on all workers", async () => {
      const casts = [await stage.gatherApart(), await stage.gatherApart()];
      const room = stage.name("room");
      for (const cast of casts) await stage.at(2).socket(cast.clients[2], (socket) => socket.join(room));
      await stage.at(0).parent("regex", (nsp) => nsp.to(room).emit("news", 1));
      for (const cast of casts) assert.deepEqual(await cast.hear(0), [nothing, nothing, news, nothing]);
    });

    testLimited(stage, "parents without the child", {
      holds: async () => assert.deepEqual(await emitToAbsentChild(stage), [news]),
      instead: async () => assert.deepEqual(await emitToAbsentChild(stage), [nothing]),
    });

    test("a namespace that one worker only has is a cluster of one", async () => {
      const nsp = `/${stage.name("dynamic")}`;
      const client = await stage.connectAnywhere({ nsp });
      client.answer("question", "alone");
      const { slot } = stage.of(client);
      assert.equal(await stage.countServers(slot, nsp), 1);
      const ask = async (use: Parameters<Stage["workers"][0]["of"]>[1]): Promise<unknown> =>
        (await timed(stage.at(slot).of(nsp, use), promptMs, "the answer of one worker")).value;
      assert.deepEqual(await ask((namespace) => namespace.timeout(longMs).emitWithAck("question")), ["alone"]);
      assert.deepEqual(await ask((namespace) => namespace.serverSideEmitWithAck("anyone")), []);
      assert.deepEqual(await fetchIds(stage, slot, nsp), [client.id]);
      for (const other of stage.allBut(slot)) assert.equal(await hasNamespace(stage, other, nsp), false);
    });

    test("a worker without a client in a namespace sends to those that have some", async () => {
      const nsp = `/${stage.name("dynamic")}`;
      const client = await stage.connectAnywhere({ nsp });
      client.answer("question", "far away");
      const from = (stage.of(client).slot + 1) % stage.workers.length;
      await stage.at(from).of(nsp, (namespace) => namespace.emit("news", 1));
      assert.deepEqual(await stage.hear(from, [client]), [news]);
      await stage.waitForServers(nsp, 2, [from, stage.of(client).slot]);
      const responses = await stage.at(from).of(nsp, (namespace) => namespace.timeout(longMs).emitWithAck("question"));
      assert.deepEqual(responses, ["far away"]);
      assert.deepEqual(await fetchIds(stage, from, nsp), [client.id]);
    });

    test("a namespace that was closed when its last client left is used again as before", async () => {
      const first = await stage.gatherApart();
      await leaveAll(stage, first);
      const cast = await stage.gather({ nsp: first.nsp });
      for (const [slot, client] of cast.clients.entries()) client.answer("question", slot);
      await stage.at(0).of(first.nsp, (nsp) => nsp.emit("news", 1));
      assert.deepEqual(await cast.hear(0), [news, news, news, news]);
      await stage.at(1).of(first.nsp, (nsp) => nsp.to(cast.clients[2].id).emit("news", 1));
      assert.deepEqual(await cast.hear(1), [nothing, nothing, news, nothing]);
      assert.deepEqual(await fetchIds(stage, 3, first.nsp), cast.clients.map(({ id }) => id).toSorted());
      const responses = await stage.at(0).of<number[]>(first.nsp, (nsp) => nsp.timeout(longMs).emitWithAck("question"));
      assert.deepEqual(responses.toSorted(), [0, 1, 2, 3]);
    });

    testLimited(stage, "members of a namespace used again", {
      holds: async () => assert.deepEqual(await askServersTwice(stage, stage.workers.length), stage.allBut(0)),
      instead: async () => assert.deepEqual(await askServersTwice(stage, 7), [1, 1, 2, 2, 3, 3]),
    });

    test("a socket that was connecting while its namespace was closed hears of the other workers", async () => {
      const cast = await stage.gatherApart();
      const { nsp } = cast;
      const key = stage.name("hold");
      const connecting = stage.connectAnywhere({ nsp, auth: { hold: key } });
      const slot = await Promise.any(
        stage.workers.map(async ({ process, slot }) => {
          await process.waitForNote((note) => note["key"] === key, "a held client");
          return slot;
        }),
      );
      const stays = (slot + 1) % stage.workers.length;
      for (const client of cast.clients) if (stage.of(client).slot === slot) await stage.leave(client);
      // It was the last that was in: the namespace is closed, with one still at its door.
      assert.equal(await hasNamespace(stage, slot, nsp), false);
      await stage.at(slot).process.ask("release", { key });
      const late = await connecting;
      assert.equal(stage.of(late).slot, slot);
      await stage.at(stays).of(nsp, (namespace) => namespace.emit("news", 1));
      assert.deepEqual(await stage.hear(stays, [late, cast.clients[stays as 0]]), [news, news]);
      await stage.at(stays).of(nsp, (namespace) => namespace.to(late.id).emit("news", 1));
      assert.deepEqual(await stage.hear(stays, [late, cast.clients[stays as 0]]), [news, nothing]);
      // The next client on that worker makes the namespace anew, beside the one that was closed.
      const next = await stage.connect(slot, { nsp });
      await stage.at(stays).of(nsp, (namespace) => namespace.emit("news", 1));
      assert.deepEqual(await stage.hear(stays, [late, next]), [news, news]);
    });
  },
};
