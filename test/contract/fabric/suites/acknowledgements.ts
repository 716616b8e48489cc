/** The contract of the fabrics: a broadcast gathers the acknowledgements of the clients of all workers. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { timed } from "../../../support/stopwatch.js";
import type { Transport } from "../support/client.js";
import type { Suite } from "../support/describe-fabrics.js";
import type { ModernClient } from "../support/modern-client.js";
import { callback } from "../support/recorded-calls.js";
import type { Cast, ClientOptions, Four, Stage } from "../support/stage.js";

/** Longer than any answer takes. */
const longMs = 10_000;
/** A time that is waited for to its end. */
const _shortMs = 150;
/** What needs no waiting is there by then. */
const promptMs = 2_000;

/** Four clients that answer "question" with their slot; `silent` ones do not answer. */
async function gatherAnswering(
  stage: Stage,
  options: ClientOptions & { silent?: readonly number[]; transports?: Four<Transport> } = {},
): Promise<Cast> {
  const { silent = [], ...rest } = options;
  const cast = await stage.gather(rest);
  for (const [slot, client] of cast.clients.entries()) if (!silent.includes(slot)) client.answer("question", slot);
  return cast;
}

/** Answers come in no order. */
function sorted(responses: unknown): unknown {
  assert.ok(Array.isArray(responses), `no list of responses: ${JSON.stringify(responses)}`);
  return responses.toSorted();
}

export const acknowledgements: Suite = {
  title: "Acknowledgements of broadcasts",
  define(stage) {
    test("the callback gets one response per client, of all workers", async () => {
      await gatherAnswering(stage);
      const [error, responses] = await stage
        .at(0)
        .io<[unknown, unknown]>((io) => io.timeout(longMs).emit("question", 1, callback));
      assert.equal(error, null);
      assert.deepEqual(sorted(responses), [0, 1, 2, 3]);
    });

    test("emitWithAck resolves with one response per client, from each worker", async () => {
      const cast = await gatherAnswering(stage);
      for (const worker of stage.workers) {
        const responses = await worker.io((io) => io.timeout(longMs).emitWithAck("question", worker.slot));
        assert.deepEqual(sorted(responses), [0, 1, 2, 3]);
        for (const client of cast.clients) assert.equal((await client.ear.take("question"))[0], worker.slot);
      }
    });

    test("two clients of one worker are two responses", async () => {
      await gatherAnswering(stage);
      const beside = await stage.connect(2);
      beside.answer("question", "beside");
      const responses = await stage.at(0).io((io) => io.timeout(longMs).emitWithAck("question"));
      assert.deepEqual(sorted(responses), [0, 1, 2, 3, "beside"]);
    });

    test("rooms and exceptions choose who is asked", async () => {
      const cast = await gatherAnswering(stage);
      const room = stage.name("room");
      for (const slot of [1, 2, 3]) await stage.at(slot).socket(cast.clients[slot as 1], (socket) => socket.join(room));
      const ask = async (from: number): Promise<unknown> =>
        sorted(
          await stage
            .at(from)
            .io((io) => io.to(room).except(cast.clients[3].id).timeout(longMs).emitWithAck("question")),
        );
      assert.deepEqual(await ask(0), [1, 2]);
      assert.deepEqual(await ask(1), [1, 2]);
      const byId = await stage.at(0).io((io) => io.to(cast.clients[3].id).timeout(longMs).emitWithAck("question"));
      assert.deepEqual(byId, [3]);
    });

    test("a socket's broadcast asks all but itself", async () => {
      const cast = await gatherAnswering(stage);
      const responses = await stage
        .at(1)
        .socket(cast.clients[1], (socket) => socket.broadcast.timeout(longMs).emitWithAck("question"));
      assert.deepEqual(sorted(responses), [0, 2, 3]);
    });

    test("a namespace's broadcast asks its own clients", async () => {
      await gatherAnswering(stage);
      const cast = await stage.gather({ nsp: "/other" });
      for (const client of cast.clients) client.answer("question", "other");
      const responses = await stage.at(0).of("/other", (nsp) => nsp.timeout(longMs).emitWithAck("question"));
      assert.deepEqual(responses, ["other", "other", "other", "other"]);
    });

    test("clients of every transport and of Engine.IO 3 answer", async () => {
      await gatherAnswering(stage, { transports: ["polling", "upgraded", "old websocket", "old polling"] });
      const responses = await stage.at(0).io((io) => io.timeout(longMs).emitWithAck("question"));
      assert.deepEqual(sorted(responses), [0, 1, 2, 3]);
    });

    test("an answer with nothing is undefined, and a broadcast that asks may carry anything", async () => {
      const cast = await gatherAnswering(stage, { silent: [0, 1, 2, 3] });
      const answers = [null, undefined, Buffer.from([0, 255]), { deep: [Buffer.from("in an object")] }];
      for (const [slot, client] of cast.clients.entries()) {
        if (slot === 1) (client as ModernClient).answer("question");
        else client.answer("question", answers[slot]);
      }
      const sent = [Buffer.from([1, 2, 3]), { nested: Buffer.from("deep") }];
      const responses = await stage.at(3).io<unknown[]>((io) => io.timeout(longMs).emitWithAck("question", ...sent));
      assert.equal(responses.length, answers.length);
      for (const answer of answers)
        assert.ok(
          responses.some((each) => isDeepStrictEqual(each, answer)),
          String(answer),
        );
      for (const client of cast.clients) assert.deepEqual((await client.ear.take("question")).slice(0, 2), sent);
    });

    test("a broadcast to nobody is answered at once, with no responses", async () => {
      const ask = stage.at(0).io((io) => io.to(stage.name("empty")).timeout(longMs).emitWithAck("question"));
      const { value } = await timed(ask, promptMs, "the answer of nobody");
      assert.deepEqual(value, []);
    });

    test("many broadcasts at once from all workers each get their own responses", async () => {
      const cast = await gatherAnswering(stage);
      for (const [slot, client] of cast.clients.entries()) {
        (client as ModernClient).socket.on("echo", (value: unknown, acknowledge: (back: unknown) => void) => {
          acknowledge(`${value} ${slot}`);
        });
      }
      await Promise.all(
        Array.from({ length: 100 }, async (_, index) => {
          const responses = await stage.at(index % 4).io((io) => io.timeout(longMs).emitWithAck("echo", index));
          assert.deepEqual(sorted(responses), [`${index} 0`, `${index} 1`, `${index} 2`, `${index} 3`]);
        }),
      );
    });

    test("a socket's own emitWithAck on one worker is not mixed up with broadcasts of another", async () => {
      const cast = await gatherAnswering(stage);
      const [one] = cast.clients;
      one.answer("alone", "mine");
      // Acknowledgement ids are counted in each worker: both workers use the same ones here.
      for (let round = 0; round < 20; round++) {
        const [own, all] = await Promise.all([
          stage.at(0).socket(one, (socket) => socket.timeout(longMs).emitWithAck("alone")),
          stage.at(3).io((io) => io.timeout(longMs).emitWithAck("question")),
        ]);
        assert.equal(own, "mine");
        assert.deepEqual(sorted(all), [0, 1, 2, 3]);
      }
    });
  },
};
