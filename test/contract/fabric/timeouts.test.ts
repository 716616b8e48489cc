/** The contract of the fabrics: what waits out a timeout. The tests wait side by side, each in a namespace of its own. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandError } from "./support/control-server.js";
import { describeFabrics, type Suite, testLimited } from "./support/describe-fabrics.js";
import type { ModernClient } from "./support/modern-client.js";
import { callback } from "./support/recorded-calls.js";
import type { Cast, Stage } from "./support/stage.js";

/** A time that is waited for to its end; whoever answers has answered by then, on a busy machine as well. */
const waitedMs = 2_000;
/** Longer than any answer takes. */
const longMs = 10_000;

/** Four clients that answer "question" with their place; silent ones do not answer. */
async function gatherAnswering(stage: Stage, ...silent: readonly number[]): Promise<Cast & { nsp: string }> {
  const cast = await stage.gatherApart();
  for (const [slot, client] of cast.clients.entries()) if (!silent.includes(slot)) client.answer("question", slot);
  return cast;
}

/** A question of servers that these answer with their slot; the others hear it. */
async function listen(stage: Stage, ...answering: readonly number[]): Promise<{ nsp: string; event: string }> {
  const { nsp } = await stage.gatherApart();
  const event = stage.name("event");
  for (const { slot, process } of stage.workers) {
    const how = answering.includes(slot) ? "answer" : "note";
    await process.ask("hearServers", { target: { nsp }, event, how, value: slot });
  }
  return { nsp, event };
}

/** Answers come in no order. */
function sorted(responses: unknown): unknown {
  assert.ok(Array.isArray(responses), `no list of responses: ${JSON.stringify(responses)}`);
  return responses.toSorted();
}

/** Both forms of what a broadcast says when not all have answered. */
function assertTimedOut(error: unknown): asserts error is Error {
  // With a message: Node would read this file to make one, and that can take minutes.
  assert.ok(error instanceof Error, `no error: ${error}`);
  assert.equal(error.message, "operation has timed out");
}

/** A broadcast with acknowledgements in a namespace that the last worker has closed: three clients answer 0, 1 and 2. */
async function askWithoutTheClosed(stage: Stage): Promise<{ error: unknown; responses: unknown[] }> {
  const cast = await stage.gatherApart();
  const last = stage.workers.length - 1;
  const left = cast.clientsOff(last) as ModernClient[];
  for (const client of cast.clients) if (stage.of(client).slot === last) await stage.leave(client);
  await stage.waitForServers(cast.nsp, last, stage.allBut(last));
  const asked = left.map(
    async ({ socket }) => await new Promise<(answer: number) => void>((resolve) => socket.once("question", resolve)),
  );
  const answered = stage
    .at(0)
    .of<[unknown, unknown[]]>(cast.nsp, (nsp) => nsp.timeout(waitedMs).emit("question", callback));
  const answers = await Promise.all(asked);
  // By then all that the other workers say to the question has come back to worker 0.
  await stage.at(0).io((io) => io.fetchSockets());
  for (const [slot, answer] of answers.entries()) answer(slot);
  const [error, responses] = await answered;
  return { error, responses: responses.toSorted() };
}

const timeouts: Suite = {
  title: "Timeouts",
  define(stage) {
    testLimited(stage, "local with acknowledgements", {
      holds: async () => {
        const { nsp } = await gatherAnswering(stage);
        assert.deepEqual(
          await stage.at(2).of(nsp, (namespace) => namespace.local.timeout(longMs).emitWithAck("question")),
          [2],
        );
      },
      instead: async () => {
        const { nsp } = await gatherAnswering(stage);
        const [error, responses] = await stage
          .at(2)
          .of<[unknown, unknown]>(nsp, (namespace) => namespace.local.timeout(waitedMs).emit("question", callback));
        assertTimedOut(error);
        assert.deepEqual(responses, [2]);
      },
    });

    test("one client that does not answer ends it after the timeout, with the responses of the others", async () => {
      const { nsp } = await gatherAnswering(stage, 2);
      const [error, responses] = await stage
        .at(0)
        .of<[unknown, unknown]>(nsp, (namespace) => namespace.timeout(waitedMs).emit("question", callback));
      assertTimedOut(error);
      assert.deepEqual(sorted(responses), [0, 1, 3]);
    });

    test("emitWithAck rejects with the responses of the others in the error", async () => {
      const { nsp } = await gatherAnswering(stage, 0);
      await assert.rejects(
        stage.at(0).of(nsp, (namespace) => namespace.timeout(waitedMs).emitWithAck("question")),
        (error) => {
          assert.ok(error instanceof CommandError, `no answer: ${error}`);
          assertTimedOut(error);
          assert.deepEqual(sorted(error.responses), [1, 2, 3]);
          return true;
        },
      );
    });

    test("a client that leaves without an answer is waited for until the timeout", async () => {
      const cast = await gatherAnswering(stage, 3);
      // The namespace does not go with the client.
      (await stage.connect(3, { nsp: cast.nsp })).answer("question", "beside");
      const asked = stage
        .at(0)
        .of<[unknown, unknown]>(cast.nsp, (nsp) => nsp.timeout(waitedMs).emit("question", callback));
      await cast.clients[3].ear.take("question");
      await stage.leave(cast.clients[3]);
      const [error, responses] = await asked;
      assertTimedOut(error);
      assert.deepEqual(sorted(responses), [0, 1, 2, "beside"]);
    });

    test("an answer after the timeout changes nothing, and the next broadcast is answered as ever", async () => {
      const cast = await gatherAnswering(stage, 2);
      let acknowledge: (value: unknown) => void = () => {};
      const late = cast.clients[2] as ModernClient;
      late.socket.on("question", (give: (value: unknown) => void) => {
        acknowledge = give;
      });
      const [error] = await stage
        .at(0)
        .of<[unknown]>(cast.nsp, (nsp) => nsp.timeout(waitedMs).emit("question", callback));
      assertTimedOut(error);
      acknowledge("late");
      late.answer("again", 2);
      for (const slot of [0, 1, 3] as const) cast.clients[slot].answer("again", slot);
      const responses = await stage.at(0).of(cast.nsp, (nsp) => nsp.timeout(longMs).emitWithAck("again"));
      assert.deepEqual(sorted(responses), [0, 1, 2, 3]);
    });

    test("a server that does not answer ends the wait with an error and the responses of the others", async () => {
      const { nsp, event } = await listen(stage, 1, 3);
      const [error, responses] = await stage
        .at(0)
        .of<[unknown, number[]]>(nsp, (namespace) => namespace.serverSideEmit(event, callback));
      assert.ok(error instanceof Error, `no error: ${error}`);
      assert.match(error.message, /timeout|timed out/);
      assert.deepEqual(responses.toSorted(), stage.allBut(0, 2));
    });

    test("serverSideEmitWithAck then rejects, with the responses of the others in the error", async () => {
      const { nsp, event } = await listen(stage, 1, 2);
      await assert.rejects(
        stage.at(3).of(nsp, (namespace) => namespace.serverSideEmitWithAck(event)),
        (error) => {
          assert.ok(error instanceof CommandError, `no answer: ${error}`);
          assert.match(error.message, /timeout|timed out/);
          assert.deepEqual((error.responses as number[]).toSorted(), stage.allBut(0, stage.slotOf(3)));
          return true;
        },
      );
    });

    testLimited(stage, "acknowledgements after a close", {
      holds: async () => {
        const { error, responses } = await askWithoutTheClosed(stage);
        assert.equal(error, null);
        assert.deepEqual(responses, [0, 1, 2]);
      },
      instead: async () => {
        const { error, responses } = await askWithoutTheClosed(stage);
        assert.equal((error as Error).message, "operation has timed out");
        assert.deepEqual(responses, [0, 1, 2]);
      },
    });
  },
};

describeFabrics("Waiting", [timeouts], { serverOptions: { cleanupEmptyChildNamespaces: true }, isConcurrent: true });
