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

/** Makes workers listen to an event of this name, all in one manner or each in its own; they answer with their slot. */
async function listen(
  stage: Stage,
  manners: Manner | Readonly<Record<number, Manner>>,
  chooseValue: (slot: number) => unknown = (slot) => slot,
  nsp = "/",
): Promise<string> {
  const event = stage.name("event");
  for (const { slot, process } of stage.workers) {
    const how = typeof manners === "string" ? manners : manners[slot];
    if (how === undefined) continue;
    await process.ask("hearServers", { target: { nsp }, event, how, value: chooseValue(slot) });
  }
  return event;
}

/** The arguments with which a worker has heard the event, once it has. */
async function hear(worker: StageWorker, event: string): Promise<unknown> {
  return (await worker.process.waitForNote(isEvent(event), event))["args"];
}

/** How often each worker has heard the event, once each other worker has heard a later one as well. */
async function countHeard(stage: Stage, event: string): Promise<number[]> {
  const later = await listen(stage, "note");
  await stage.at(0).io((io) => io.serverSideEmit(later));
  await Promise.all(stage.allBut(0).map(async (slot) => await hear(stage.at(slot), later)));
  return stage.workers.map(({ process }) => process.notes.filter(isEvent(event)).length);
}

export const serverSideEvents: Suite = {
  title: "Events between servers",
  define(stage) {
    test("serverSideEmit reaches each other server once, and not the own", async () => {
      const event = await listen(stage, "note");
      await stage.at(0).io((io) => io.serverSideEmit(event, 1, "two", { three: 3 }));
      for (const slot of stage.allBut(0)) assert.deepEqual(await hear(stage.at(slot), event), [1, "two", { three: 3 }]);
      assert.deepEqual(await countHeard(stage, event), [0, ...stage.allBut(0).map(() => 1)]);
    });

    test("serverSideEmit reaches no client", async () => {
      const event = await listen(stage, "note");
      const client = await stage.connectAnywhere();
      const from = (stage.of(client).slot + 1) % stage.workers.length;
      await stage.at(from).io((io) => io.serverSideEmit(event));
      await hear(stage.of(client), event);
      assert.deepEqual(await stage.hear(from, [client]), [[]]);
    });

    test("serverSideEmit of a namespace reaches the listeners of that namespace", async () => {
      const event = await listen(stage, "note", undefined, "/other");
      for (const { slot } of stage.workers) {
        await stage.at(slot).process.ask("hearServers", { target: { nsp: "/" }, event: `${event} main`, how: "note" });
      }
      await stage.at(0).of("/other", (nsp) => nsp.serverSideEmit(`${event} main`));
      await stage.at(0).of("/other", (nsp) => nsp.serverSideEmit(event, 1));
      for (const slot of stage.allBut(0)) assert.deepEqual(await hear(stage.at(slot), event), [1]);
      assert.deepEqual(
        await countHeard(stage, `${event} main`),
        stage.workers.map(() => 0),
      );
    });

    test("the callback gets one response from each other server", async () => {
      const event = await listen(stage, "answer");
      const [error, responses] = await stage
        .at(2)
        .io<[unknown, number[]]>((io) => io.serverSideEmit(event, "question", callback));
      assert.equal(error, null);
      assert.deepEqual(responses.toSorted(), stage.allBut(2));
    });

    test("serverSideEmitWithAck resolves with one response from each other server", async () => {
      const event = await listen(stage, "answer");
      for (const worker of stage.workers) {
        const responses = await worker.io<number[]>((io) => io.serverSideEmitWithAck(event, "question"));
        assert.deepEqual(responses.toSorted(), stage.allBut(worker.slot));
      }
    });

    test("serverSideEmitWithAck of a namespace is answered by its listeners", async () => {
      const event = await listen(stage, "answer", (slot) => `other ${slot}`, "/other");
      const responses = await stage.at(0).of<string[]>("/other", (nsp) => nsp.serverSideEmitWithAck(event));
      assert.deepEqual(
        responses.toSorted(),
        stage.allBut(0).map((slot) => `other ${slot}`),
      );
    });

    test("a server that answers twice has answered once", async () => {
      const event = await listen(stage, { 1: "twice", 2: "answer", 3: "twice" });
      const responses = await stage.at(0).io<unknown[]>((io) => io.serverSideEmitWithAck(event));
      assert.deepEqual(responses.toSorted(), stage.allBut(0));
    });

    test("many questions at once get their own responses", async () => {
      const events = await Promise.all(
        Array.from({ length: 20 }, async (_, index) => await listen(stage, "answer", (slot) => `${index} of ${slot}`)),
      );
      await Promise.all(
        events.map(async (event, index) => {
          const from = index % stage.workers.length;
          const responses = await stage.at(from).io<string[]>((io) => io.serverSideEmitWithAck(event));
          assert.deepEqual(
            responses.toSorted(),
            stage.allBut(from).map((slot) => `${index} of ${slot}`),
          );
        }),
      );
    });

    test("events of one server are heard in their order", async () => {
      const event = await listen(stage, "note");
      const count = 200;
      await stage.at(0).io((io) => {
        for (let index = 0; index < count; index++) io.serverSideEmit(event, index);
      });
      assert.deepEqual(await countHeard(stage, event), [0, ...stage.allBut(0).map(() => count)]);
      for (const slot of stage.allBut(0)) {
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
        assert.equal(await stage.countServers(slot), stage.workers.length);
        assert.equal(await stage.countServers(slot, "/other"), stage.workers.length);
      }
    });

    test("the values of an event are what they were, for each other server", async () => {
      const event = await listen(stage, "note");
      const sent = Object.values(keptValues);
      await stage.at(0).io((io) => io.serverSideEmit(event, ...sent));
      for (const slot of stage.allBut(0)) {
        const args = (await hear(stage.at(slot), event)) as unknown[];
        for (const [index, what] of Object.keys(keptValues).entries()) assert.deepEqual(args[index], sent[index], what);
        assert.equal(args.length, sent.length);
      }
    });

    test("the values of a response are what they were", async () => {
      for (const [what, value] of Object.entries(keptValues)) {
        const event = await listen(stage, "answer", () => value);
        const asked = stage.at(0).io((io) => io.serverSideEmitWithAck(event));
        const { value: responses } = await timed(asked, promptMs, `the responses with ${what}`);
        assert.deepEqual(
          responses,
          stage.allBut(0).map(() => value),
          what,
        );
      }
    });

    test("an object of a class is its own properties, whatever it would be in JSON", async () => {
      const event = await listen(stage, "note");
      await stage.at(0).io((io) => io.serverSideEmit(event, named("with toJSON")));
      assert.deepEqual(await hear(stage.at(1), event), [{ cents: 250 }]);
    });

    test("an object that holds itself does so in the other server", async () => {
      const event = await listen(stage, "note");
      const cycle: { self?: unknown } = {};
      cycle.self = cycle;
      await stage.at(0).io((io) => io.serverSideEmit(event, cycle));
      assert.deepEqual(await hear(stage.at(1), event), [cycle]);
    });
  },
};
