/**
 * Requests that await answers of other workers: who is killed or stalled is not waited for, who never answers ends in a
 * timeout with the answers of the others, and what cannot be sent is an error at once.
 */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { CommandError } from "../contract/fabric/support/control-server.js";
import { FabricHost } from "../support/fabric-host.js";
import type { LightSocket } from "../support/light-socket.js";
import { timed } from "../support/stopwatch.js";

const isFull = process.env["TEST_SIZE"] === "full";
const rounds = isFull ? 5 : 1;
/** Meant to be within 200 ms; a loaded machine gets three times as much. */
const endLimitMs = 600;
/** A worker is stalled 2 s after a ping, which comes every half second; a loaded machine gets more. */
const stallLimitMs = 4_500;
const askerSlot = 0;
const doomedSlot = 3;
const livingSlots = [0, 1, 2];

type Ask = (host: FabricHost) => Promise<unknown[]>;

/** Answers questions of the server with what `value` gives; undefined is no answer. */
function answerQuestions(socket: LightSocket, value: unknown): void {
  socket.webSocket.on("message", (data: Buffer) => {
    const ackId = /^42(\d+)\["question"/.exec(data.toString())?.[1];
    if (ackId !== undefined && value !== undefined) socket.webSocket.send(`43${ackId}${JSON.stringify([value])}`);
  });
}

const idOf = async (socket: LightSocket): Promise<string> => await socket.call<string>("id");

/** One kind of request whose answer the doomed worker owes. */
interface Kind {
  readonly title: string;
  readonly ask: Ask;
  /** Sees to it that there will be no answer. Resolves with what resolves when the question has been asked. */
  readonly prepare: (host: FabricHost, doomed: LightSocket) => Promise<() => Promise<unknown>>;
  readonly expected: (living: readonly LightSocket[]) => Promise<unknown[]>;
}

const askSockets: Ask = async (host) => await host.ask<string[]>(askerSlot, "fetch");
const askServers: Ask = async (host) => await host.ask<number[]>(askerSlot, "askServers", { event: "which-slot" });
const askServersButOne: Ask = async (host) =>
  await host.ask<number[]>(askerSlot, "askServers", { event: "which-slot-but-one", args: [doomedSlot] });
const askClients: Ask = async (host) => await host.ask<string[]>(askerSlot, "askClients", { timeoutMs: 15_000 });

const kinds: readonly Kind[] = [
  {
    title: "fetchSockets",
    ask: askSockets,
    prepare: async (host) => {
      await host.ask(doomedSlot, "block", { milliseconds: 20_000 });
      return async () => await host.awaitPassage(askerSlot, 1);
    },
    expected: async (living) => await Promise.all(living.map(idOf)),
  },
  {
    title: "serverSideEmitWithAck",
    ask: askServersButOne,
    prepare: async (host) => {
      const asked = host.worker(doomedSlot).waitForNote(({ kind }) => kind === "asked", "the question");
      return async () => await asked;
    },
    expected: async () => [1, 2],
  },
  {
    title: "emitWithAck",
    ask: askClients,
    prepare: async (_host, doomed) => {
      const asked = new Promise((resolve) => doomed.on("said", (name) => name === "question" && resolve(undefined)));
      return async () => await asked;
    },
    expected: async () => livingSlots.map((slot) => `client of ${slot}`),
  },
];

async function gather(host: FabricHost): Promise<{ living: LightSocket[]; doomed: LightSocket }> {
  const sockets = await host.openOn(host.slots);
  for (const slot of livingSlots) answerQuestions(sockets[slot] as LightSocket, `client of ${slot}`);
  return { living: sockets.slice(0, doomedSlot), doomed: sockets[doomedSlot] as LightSocket };
}

const sorted = (values: readonly unknown[]): unknown[] => [...values].sort();

describe("Requests of the routed fabric", { timeout: 180_000 }, () => {
  let host: FabricHost;
  before(async () => {
    // The same worker is killed again and again.
    host = await FabricHost.start({ env: { SIGNALBOX_RESTART_BACKOFF_MAX_MS: "100" } });
  });
  after(async () => await host[Symbol.asyncDispose]());

  for (const { title, ask, prepare, expected } of kinds) {
    test(`${title} does not wait for a worker that is killed: it ends at once with the answers of the living`, async (t) => {
      const times: number[] = [];
      for (let round = 0; round < rounds; round++) {
        const { living, doomed } = await gather(host);
        const answers = sorted(await expected(living));
        const awaitQuestion = await prepare(host, doomed);
        const asking = ask(host);
        await awaitQuestion();
        const killed = host.signal(doomedSlot, "SIGKILL");
        const { value, ms } = await timed(asking, endLimitMs, "the end of the request");
        times.push(ms);
        assert.deepEqual(sorted(value), answers);
        await host.waitUntilReplaced(doomedSlot, killed);
        for (const socket of living) socket.close();
        await host.waitForNoSessions();
      }
      t.diagnostic(`${title} ended ${times.join(", ")} ms after the kill`);
    });
  }

  test("a stopped worker holds requests up until it is known to be stalled, none after that, and takes part again", async (t) => {
    const { living, doomed } = await gather(host);
    const ids = sorted(await Promise.all(living.map(idOf)));
    const allIds = sorted([...ids, await idOf(doomed)]);
    answerQuestions(doomed, "client of 3");
    const stopped = host.signal(doomedSlot, "SIGSTOP");
    const known = host.host.waitForLog(({ msg }) => msg.startsWith("worker 3 does not answer the router"), "the stall");
    const askAll = async (limitMs: number, what: string): Promise<number[]> => {
      const asking = [askSockets(host), askServers(host), askClients(host)];
      const ended = await Promise.all(asking.map(async (request) => await timed(request, limitMs, what)));
      const values = ended.map(({ value }) => sorted(value));
      assert.deepEqual(values, [ids, [1, 2], ["client of 0", "client of 1", "client of 2"]], what);
      return ended.map(({ ms }) => ms);
    };
    const pending = await askAll(stallLimitMs, "requests that were pending when it was found out");
    await known;
    t.diagnostic(`stalled after ${Math.round(performance.now() - stopped.atMs)} ms`);
    const later = await askAll(endLimitMs, "requests after that");
    host.signal(doomedSlot, "SIGCONT");
    await host.host.waitForLog(({ msg }) => msg.startsWith("worker 3 answers the router again"), "its return");
    assert.deepEqual(sorted(await askSockets(host)), allIds);
    assert.deepEqual(sorted(await askServers(host)), [1, 2, 3]);
    assert.equal((await askClients(host)).length, 4);
    t.diagnostic(`pending ended after ${pending.join(", ")} ms, later ones after ${later.join(", ")} ms`);
    for (const socket of [...living, doomed]) socket.close();
    await host.waitForNoSessions();
  });

  test("a handler that never answers: timeout, with the answers of the others", async (t) => {
    const { living, doomed } = await gather(host);
    const startedMs = performance.now();
    const failure = async (asking: Promise<unknown>): Promise<CommandError> =>
      await asking.then(
        () => assert.fail("there was to be a timeout"),
        (error: CommandError) => error,
      );
    const [ofServers, ofClients] = await Promise.all([
      failure(askServersButOne(host)),
      failure(host.ask(askerSlot, "askClients", { timeoutMs: 500 })),
    ]);
    t.diagnostic(
      `over after ${Math.round(performance.now() - startedMs)} ms: ${ofServers.message}; ${ofClients.message}`,
    );
    assert.match(ofServers.message, /timeout reached: only 2 responses received out of 3/);
    assert.deepEqual(sorted(ofServers.responses as unknown[]), [1, 2]);
    assert.match(ofClients.message, /operation has timed out/);
    assert.deepEqual(sorted(ofClients.responses as unknown[]), ["client of 0", "client of 1", "client of 2"]);
    for (const socket of [...living, doomed]) socket.close();
    await host.waitForNoSessions();
  });

  test("what cannot be sent is an error at once, where it is asked and where it is answered", async (t) => {
    const { living, doomed } = await gather(host);
    const failAtOnce = async (asking: Promise<unknown>, what: string): Promise<string> => {
      const outcome = asking.then(
        () => assert.fail(`${what} was to fail`),
        (error: Error) => error.message,
      );
      const { value, ms } = await timed(outcome, endLimitMs, what);
      return `${what}: "${value}" after ${ms} ms`;
    };
    const outcomes = [
      await failAtOnce(host.ask(askerSlot, "askServersWithFunction"), "a question with a function"),
      await failAtOnce(host.ask(askerSlot, "tellServersFunction"), "a server-side event with a function"),
      await failAtOnce(host.ask(askerSlot, "askClientsBigInt"), "a broadcast with acknowledgement and a big integer"),
      await failAtOnce(host.ask(askerSlot, "askServers", { event: "unanswerable" }), "an answer that is a function"),
    ];
    await host.ask(doomedSlot, "setData", { isCloneable: false });
    outcomes.push(await failAtOnce(askSockets(host), "socket.data with a function"));
    for (const outcome of outcomes) assert.match(outcome, /could not be cloned|serialize a BigInt/);
    await host.ask(doomedSlot, "setData", { isCloneable: true });
    assert.equal((await askSockets(host)).length, 4);
    t.diagnostic(outcomes.join("; "));
    for (const socket of [...living, doomed]) socket.close();
    await host.waitForNoSessions();
  });

  test("requests in flight when the router is killed end at once and say so; the next ones work", async (t) => {
    const { living, doomed } = await gather(host);
    await host.ask(doomedSlot, "block", { milliseconds: 500 });
    const asking = [askSockets(host), askServersButOne(host)].map(async (request) => {
      return await request.then(
        () => assert.fail("the router was to be killed first"),
        (error: Error) => error.message,
      );
    });
    await host.awaitPassage(askerSlot, 1);
    await host.killRouter();
    const ended = await Promise.all(asking.map(async (request) => await timed(request, endLimitMs, "the error")));
    for (const { value } of ended) assert.match(value, /the connection to the router was lost: only \d responses/);
    const next = await timed(askSockets(host), 5_000, "the next request");
    assert.equal(next.value.length, 4);
    assert.deepEqual(sorted(await askServers(host)), [1, 2, 3]);
    t.diagnostic(`${ended.map(({ ms }) => ms).join(", ")} ms after the kill; the next answered after ${next.ms} ms`);
    for (const socket of [...living, doomed]) socket.close();
  });
});
