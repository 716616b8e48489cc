/** The contract of the fabrics: the end of a worker ends what waits for it, and harms no other worker. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { timed } from "../../support/stopwatch.js";
import { describeFabrics, type Suite, testLimited } from "./support/describe-fabrics.js";
import type { Heard } from "./support/ear.js";
import { callback } from "./support/recorded-calls.js";
import type { Cast, Stage } from "./support/stage.js";

const nothing: Heard[] = [];
const news: Heard[] = [["news", 1]];
/** A fabric that knows of the death is done with it in 200 ms; three times that, for a busy machine. */
const knownDeadMs = 600;
/** So long a fabric is watched that does not know of it. */
const watchedMs = knownDeadMs + 100;
/** What needs no waiting is there by then. */
const promptMs = 2_000;
/** Longer than any answer takes. */
const longMs = 10_000;
/** A time that is waited for to its end. */
const shortMs = 300;

/** The worker that is killed: the last, which has one client of a cast. */
function victimOf({ workers }: Stage): 2 | 3 {
  return workers.length === 4 ? 3 : 2;
}

/** A namespace of the test's own, in which no member of an earlier test is missed; all clients answer "question". */
async function gatherApart(stage: Stage): Promise<Cast & { nsp: string }> {
  const cast = await stage.gatherApart();
  for (const [slot, client] of cast.clients.entries()) client.answer("question", slot);
  return cast;
}

/**
 * Kills the victim, and resolves with what a question that waits for it gives within the limit; undefined when it still
 * waits then. The limit begins when the death is seen here: the fabric on a busy machine sees it no sooner.
 */
async function killAndWatch<Answer>(
  stage: Stage,
  asked: Promise<Answer>,
  limitMs: number,
): Promise<{ answer: Answer } | undefined> {
  const victim = victimOf(stage);
  const { ended } = stage.at(victim).process;
  const replaced = stage.kill(victim);
  const answered = asked.then((answer) => ({ answer }));
  // Whatever comes of it later: the limit has judged it by then.
  answered.catch(() => {});
  await ended;
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), limitMs);
  });
  try {
    return await Promise.race([answered, limit]);
  } finally {
    clearTimeout(timer);
    await replaced;
  }
}

/** The same for a question that the victim does not answer, because it is busy. */
async function killWhileWaiting<Answer>(
  stage: Stage,
  ask: () => Promise<Answer>,
  limitMs: number,
): Promise<{ answer: Answer } | undefined> {
  await stage.at(victimOf(stage)).process.ask("block", { milliseconds: longMs });
  const asked = ask();
  asked.catch(() => {});
  // The question has left worker 0 when that answers another.
  await stage.countServers(0);
  return await killAndWatch(stage, asked, limitMs);
}

async function assertStillWaits(stage: Stage, ask: () => Promise<unknown>): Promise<void> {
  assert.equal(await killWhileWaiting(stage, ask, watchedMs), undefined);
}

const failures: Suite = {
  title: "The end of a worker",
  define(stage) {
    testLimited(stage, "fetchSockets of the dead", {
      holds: async () => {
        const cast = await gatherApart(stage);
        const ask = async (): Promise<{ id: string }[]> => await stage.at(0).of(cast.nsp, (nsp) => nsp.fetchSockets());
        const sockets = (await killWhileWaiting(stage, ask, knownDeadMs))?.answer;
        const left = cast.clientsOff(victimOf(stage)).map(({ id }) => id);
        assert.deepEqual(sockets?.map(({ id }) => id).toSorted(), left.toSorted());
      },
      instead: async () => {
        const { nsp } = await gatherApart(stage);
        await assertStillWaits(stage, async () => await stage.at(0).of(nsp, (namespace) => namespace.fetchSockets()));
      },
    });

    testLimited(stage, "serverSideEmit to the dead", {
      holds: async () => {
        const { nsp, ask } = await askServers(stage);
        const answer = (await killWhileWaiting(stage, ask, knownDeadMs))?.answer;
        assert.deepEqual(answer?.toSorted(), stage.allBut(0, victimOf(stage)), nsp);
      },
      instead: async () => {
        const { ask } = await askServers(stage);
        await assertStillWaits(stage, ask);
      },
    });

    testLimited(stage, "acknowledgements of the dead", {
      holds: async () => {
        const cast = await gatherApart(stage);
        const ask = async (): Promise<number[]> =>
          await stage.at(0).of(cast.nsp, (nsp) => nsp.timeout(longMs).emitWithAck("question"));
        const answer = (await killWhileWaiting(stage, ask, knownDeadMs))?.answer;
        assert.deepEqual(answer?.toSorted(), cast.placesOff(victimOf(stage)));
      },
      instead: async () => {
        const { nsp } = await gatherApart(stage);
        await assertStillWaits(
          stage,
          async () => await stage.at(0).of(nsp, (namespace) => namespace.timeout(longMs).emitWithAck("question")),
        );
      },
    });

    testLimited(stage, "acknowledgements of clients of the dead", {
      holds: async () => {
        const { asked, answering } = await askFourClients(stage, longMs);
        const [error, responses] = (await killAndWatch(stage, asked, knownDeadMs))?.answer ?? [];
        assert.equal(error, null);
        assert.deepEqual(responses?.toSorted(), answering);
      },
      instead: async () => {
        const { asked, answering } = await askFourClients(stage, promptMs);
        assert.equal(await killAndWatch(stage, asked, watchedMs), undefined);
        const [error, responses] = await asked;
        assert.equal(error?.message, "operation has timed out");
        assert.deepEqual(responses.toSorted(), answering);
      },
    });

    testLimited(stage, "fetchSockets after a death", {
      holds: async () => {
        const cast = await gatherApart(stage);
        await stage.kill(victimOf(stage));
        const fetched = stage.at(0).of<unknown[]>(cast.nsp, (nsp) => nsp.fetchSockets());
        assert.equal((await timed(fetched, promptMs, "fetchSockets after a death")).value.length, 3);
      },
      instead: async () => {
        const { nsp } = await gatherApart(stage);
        await stage.kill(victimOf(stage));
        await assert.rejects(
          stage.at(0).of(nsp, (namespace) => namespace.timeout(shortMs).fetchSockets()),
          { message: "timeout reached: missing 1 responses" },
        );
      },
    });

    testLimited(stage, "serverCount after a death", {
      holds: async () => {
        const { nsp } = await gatherApart(stage);
        const victim = victimOf(stage);
        await stage.kill(victim);
        const left = stage.allBut(victim);
        await stage.waitForServers(nsp, left.length, left);
        await stage.waitForServers("/");
      },
      instead: async () => {
        const { nsp } = await gatherApart(stage);
        await stage.kill(victimOf(stage));
        assert.deepEqual(
          await Promise.all([0, 1, 2].map(async (slot) => await stage.countServers(slot, nsp))),
          [4, 4, 4],
        );
      },
    });

    test("the worker in the place of a killed one is a member like any other", async () => {
      const cast = await stage.gather();
      const victim = victimOf(stage);
      await stage.kill(victim);
      const room = stage.name("room");
      const newcomer = await stage.connect(victim);
      await stage.at(victim).socket(newcomer, (socket) => socket.join(room));
      const all = [...cast.clientsOff(victim), newcomer];
      await stage.at(0).io((io) => io.emit("news", 1));
      assert.deepEqual(await stage.hear(0, all), [news, news, news, news]);
      await stage.at(0).io((io) => io.to(room).emit("news", 1));
      assert.deepEqual(await stage.hear(0, all), [nothing, nothing, nothing, news]);
      await stage.at(0).io((io) => io.to(newcomer.id).emit("news", 1));
      assert.deepEqual(await stage.hear(0, all), [nothing, nothing, nothing, news]);
      await stage.at(victim).io((io) => io.except(room).emit("news", 1));
      assert.deepEqual(await stage.hear(victim, all), [news, news, news, nothing]);
    });

    test("the ids and rooms of a killed worker reach nobody in the one that follows", async () => {
      const cast = await stage.gather();
      const room = stage.name("room");
      const victim = victimOf(stage);
      await stage.at(victim).socket(cast.clients[victim], (socket) => socket.join(room));
      await stage.kill(victim);
      const newcomer = await stage.connect(victim);
      await stage.at(0).io((io) => io.to([room, cast.clients[victim].id]).emit("news", 1));
      assert.deepEqual(await stage.hear(0, [newcomer]), [nothing]);
    });

    test("fetchSockets with a timeout ends there when a worker is busy, and finds it again afterwards", async () => {
      const cast = await gatherApart(stage);
      await stage.at(victimOf(stage)).process.ask("block", { milliseconds: 3 * shortMs });
      await assert.rejects(
        stage.at(0).of(cast.nsp, (nsp) => nsp.timeout(shortMs).fetchSockets()),
        /timeout|timed out/,
      );
      const sockets = await stage.at(0).of<unknown[]>(cast.nsp, (nsp) => nsp.fetchSockets());
      assert.equal(sockets.length, 4);
    });
  },
};

describeFabrics("Failures", [failures], { isStockForFullSize: true });

/** A question of servers that all answer with their number. */
async function askServers(stage: Stage): Promise<{ nsp: string; ask: () => Promise<number[]> }> {
  const { nsp } = await gatherApart(stage);
  for (const slot of stage.allBut(0)) {
    await stage.at(slot).process.ask("hearServers", { target: { nsp }, event: "ask", how: "answer", value: slot });
  }
  return { nsp, ask: async () => await stage.at(0).of(nsp, (namespace) => namespace.serverSideEmitWithAck("ask")) };
}

/** Three clients answer, and the fourth, of the victim, has been asked when this resolves. */
async function askFourClients(
  stage: Stage,
  timeoutMs: number,
): Promise<{ asked: Promise<[Error | null, number[]]>; answering: number[] }> {
  const cast = await gatherApart(stage);
  const victim = victimOf(stage);
  const answering = cast.placesOff(victim);
  for (const place of answering) cast.clients[place as 0].answer("half answered", place);
  const asked = stage
    .at(0)
    .of<[Error | null, number[]]>(cast.nsp, (nsp) => nsp.timeout(timeoutMs).emit("half answered", callback));
  asked.catch(() => {});
  await cast.clients[victim].ear.take("half answered");
  return { asked, answering };
}
