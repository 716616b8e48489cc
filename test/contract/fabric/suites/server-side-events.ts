/** The contract of the fabrics: what servers say to each other with `serverSideEmit`. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { timed } from "../../../support/stopwatch.js";
import type { Suite } from "../support/describe-fabrics.js";
import { keptValues } from "../support/kept-values.js";
import { callback, named } from "../support/recorded-calls.js";
import type { Stage } from "../support/stage.js";
import type { StageWorker } from "../support/stage-worker.js";

/** How a worker takes an event of another: notes it, notes and answers it, answers it twice. */
type Manner = "note" | "answer" | "twice";

/** What needs no waiting is there by then. */
const promptMs = 2_000;

function isEvent(event: string): (note: { readonly [key: string]: unknown }) => boolean {
  return (note) => note["kind"] === "server-event" && note["event"] === event;
}

/** Makes workers listen to an event of this name; the default is that all but worker 0 answer with their slot. */
async function listen(
  stage: Stage,
  manners: Readonly<Record<number, Manner>>,
  chooseValue: (slot: number) => unknown = (slot) => slot,
  nsp = "/",
): Promise<string> {
  const event = stage.name("event");
  for (const [slot, how] of Object.entries(manners)) {
    const value = chooseValue(Number(slot));
    await stage.at(Number(slot)).process.ask("hearServers", { target: { nsp }, event, how, value });
  }
  return event;
}

const allAnswer = { 0: "answer", 1: "answer", 2: "answer", 3: "answer" } as const;
const allNote = { 0: "note", 1: "note", 2: "note", 3: "note" } as const;

/** The arguments with which a worker has heard the event, once it has. */
async function hear(worker: StageWorker, event: string): Promise<unknown> {
  return (await worker.process.waitForNote(isEvent(event), event))["args"];
}

/** How often each worker has heard the event, once each other worker has heard a later one as well. */
async function countHeard(stage: Stage, event: string): Promise<number[]> {
  const later = await listen(stage, allNote);
  await stage.at(0).io((io) => io.serverSideEmit(later));
  await Promise.all([1, 2, 3].map(async (slot) => await hear(stage.at(slot), later)));
  return stage.workers.map(({ process }) => process.notes.filter(isEvent(event)).length);
}

export const serverSideEvents: Suite = {
  title: "Events between servers",
  define(stage) {
    test("serverSideEmit reaches each other server once, and not the own", async () => {
      const event = await listen(stage, allNote);
      await stage.at(0).io((io) => io.serverSideEmit(event, 1, "two", { three: 3 }));
      for (const slot of [1, 2, 3]) assert.deepEqual(await hear(stage.at(slot), event), [1, "two", { three: 3 }]);
      assert.deepEqual(await countHeard(stage, event), [0, 1, 1, 1]);
    });

    test("serverSideEmit reaches no client", async () => {
      const event = await listen(stage, allNote);
      const client = await stage.connectAnywhere();
      const from = (stage.of(client).slot + 1) % 4;
      await stage.at(from).io((io) => io.serverSideEmit(event));
      await hear(stage.of(client), event);
      assert.deepEqual(await stage.hear(from, [client]), [[]]);
    });

    test("serverSideEmit of a namespace reaches the listeners of that namespace", async () => {
      const event = await listen(stage, allNote, undefined, "/other");
      for (const { slot } of stage.workers) {
        await stage.at(slot).process.ask("hearServers", { target: { nsp: "/" }, event: `${event} main`, how: "note" });
      }
      await stage.at(0).of("/other", (nsp) => nsp.serverSideEmit(`${event} main`));
      await stage.at(0).of("/other", (nsp) => nsp.serverSideEmit(event, 1));
      for (const slot of [1, 2, 3]) assert.deepEqual(await hear(stage.at(slot), event), [1]);
      assert.deepEqual(await countHeard(stage, `${event} main`), [0, 0, 0, 0]);
    });

    test("the callback gets one response from each other server", async () => {
      const event = await listen(stage, allAnswer);
      const [error, responses] = await stage
        .at(2)
        .io<[unknown, number[]]>((io) => io.serverSideEmit(event, "question", callback));
      assert.equal(error, null);
      assert.deepEqual(responses.toSorted(), [0, 1, 3]);
    });

    test("serverSideEmitWithAck resolves with one response from each other server", async () => {
      const event = await listen(stage, allAnswer);
      for (const worker of stage.workers) {
        const responses = await worker.io<number[]>((io) => io.serverSideEmitWithAck(event, "question"));
        assert.deepEqual(
          responses.toSorted(),
          [0, 1, 2, 3].filter((slot) => slot !== worker.slot),
        );
      }
    });

    test("serverSideEmitWithAck of a namespace is answered by its listeners", async () => {
      const event = await listen(stage, allAnswer, (slot) => `other ${slot}`, "/other");
      const responses = await stage.at(0).of<string[]>("/other", (nsp) => nsp.serverSideEmitWithAck(event));
      assert.deepEqual(responses.toSorted(), ["other 1", "other 2", "other 3"]);
    });

    test("a server that answers twice has answered once", async () => {
      const event = await listen(stage, { 1: "twice", 2: "answer", 3: "twice" });
      const responses = await stage.at(0).io<unknown[]>((io) => io.serverSideEmitWithAck(event));
      assert.deepEqual(responses.toSorted(), [1, 2, 3]);
    });

    test("many questions at once get their own responses", async () => {
      const events = await Promise.all(
        Array.from({ length: 20 }, async (_, index) => await listen(stage, allAnswer, (slot) => `${index} of ${slot}`)),
      );
      await Promise.all(
        events.map(async (event, index) => {
          const from = index % 4;
          const responses = await stage.at(from).io<string[]>((io) => io.serverSideEmitWithAck(event));
          const others = [0, 1, 2, 3].filter((slot) => slot !== from);
          assert.deepEqual(
            responses.toSorted(),
            others.map((slot) => `${index} of ${slot}`),
          );
        }),
      );
    });

    test("events of one server are heard in their order", async () => {
      const event = await listen(stage, allNote);
      const count = 200;
      await stage.at(0).io((io) => {
        for (let index = 0; index < count; index++) io.serverSideEmit(event, index);
      });
      assert.deepEqual(await countHeard(stage, event), [0, count, count, count]);
      for (const slot of [1, 2, 3]) {
        const heard = stage.at(slot).process.notes.filter(isEvent(event));
        assert.deepEqual(
          heard.map(({ args }) => args),
          Array.from({ length: count }, (_, index) => [index]),
        );
      }
    });

    test("reserved event names are refused", async () => {
      for (const event of ["connect", "connection", "new_namespace"]) {
        const refused = { message: `"${event}" is a reserved event name` };
        await assert.rejects(
          stage.at(0).io((io) => io.serverSideEmit(event as never)),
          refused,
        );
        await assert.rejects(
          stage.at(0).of("/other", (nsp) => nsp.serverSideEmit(event as never)),
          refused,
        );
      }
    });

    test("serverCount is the number of workers, in each namespace that each of them has", async () => {
      for (const { slot } of stage.workers) {
        assert.equal(await stage.countServers(slot), 4);
        assert.equal(await stage.countServers(slot, "/other"), 4);
      }
    });

    test("the values of an event are what they were, for each other server", async () => {
      const event = await listen(stage, allNote);
      const sent = Object.values(keptValues);
      await stage.at(0).io((io) => io.serverSideEmit(event, ...sent));
      for (const slot of [1, 2, 3]) {
        const args = (await hear(stage.at(slot), event)) as unknown[];
        for (const [index, what] of Object.keys(keptValues).entries()) assert.deepEqual(args[index], sent[index], what);
        assert.equal(args.length, sent.length);
      }
    });

    test("the values of a response are what they were", async () => {
      for (const [what, value] of Object.entries(keptValues)) {
        const event = await listen(stage, allAnswer, () => value);
        const asked = stage.at(0).io((io) => io.serverSideEmitWithAck(event));
        const { value: responses } = await timed(asked, promptMs, `the responses with ${what}`);
        assert.deepEqual(responses, [value, value, value], what);
      }
    });

    test("an object of a class is its own properties, whatever it would be in JSON", async () => {
      const event = await listen(stage, allNote);
      await stage.at(0).io((io) => io.serverSideEmit(event, named("with toJSON")));
      assert.deepEqual(await hear(stage.at(1), event), [{ cents: 250 }]);
    });

    test("an object that holds itself does so in the other server", async () => {
      const event = await listen(stage, allNote);
      const cycle: { self?: unknown } = {};
      cycle.self = cycle;
      await stage.at(0).io((io) => io.serverSideEmit(event, cycle));
      assert.deepEqual(await hear(stage.at(1), event), [cycle]);
    });
  },
};
