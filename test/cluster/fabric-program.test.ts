/**
 * A program that forks its own workers, written for @socket.io/cluster-adapter: it runs as it is, and with one import
 * changed. What goes between its processes besides is its own, and so is the moment of its end.
 */

import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import { io as connectClient, type Socket } from "socket.io-client";
import { ForkedProgram } from "../support/forked-program.js";
import { fixturePath, pause } from "../support/host.js";
import { timed } from "../support/stopwatch.js";

type Serialization = "advanced" | "json";

const workers = 3;
const patienceMs = 15_000;
/** Meant to be at once; a loaded machine gets this. */
const endLimitMs = 5_000;
const ownMessages = 50;
/** Said when a loaded machine takes long to start everything at once. */
const slowStartPattern = /^signalbox: the router is not ready after|^signalbox: the primary does not answer/;

interface Surroundings {
  readonly adapter: "@socket.io/cluster-adapter" | "signalbox/adapter";
  readonly serialization: Serialization;
}

class Session {
  readonly program: ForkedProgram;
  readonly #isSticky: boolean;
  clients: Socket[] = [];

  constructor({ adapter, serialization }: Surroundings) {
    this.#isSticky = serialization === "advanced";
    this.program = new ForkedProgram(fixturePath("fabric/program.cjs"), {
      PROGRAM_ADAPTER: adapter,
      PROGRAM_SERIALIZATION: serialization,
    });
  }

  /** Resolves with the pids of the workers when so many have been ready. */
  async waitForWorkers(count: number): Promise<number[]> {
    const lines = await this.program.waitForLines(({ ready }) => ready !== undefined, count);
    return lines.map(({ ready }) => Number(ready));
  }

  /** A client on the worker of that pid. */
  async connect(pid: number): Promise<Socket> {
    const strays: Socket[] = [];
    for (;;) {
      const client = connectClient(`http://127.0.0.1:${await this.#findPort(pid)}`, {
        transports: this.#isSticky ? ["polling", "websocket"] : ["websocket"],
        forceNew: true,
        reconnectionDelay: 50,
      });
      // The primary of @socket.io/sticky loses a request now and then: it is made again, until it is answered.
      await new Promise<void>((resolve) => client.once("connect", resolve));
      client.io.reconnection(false);
      if ((await ask<number>(client, "pid")) !== pid) {
        strays.push(client);
        continue;
      }
      for (const stray of strays) stray.disconnect();
      this.clients.push(client);
      return client;
    }
  }

  async #findPort(pid: number): Promise<number> {
    const has = this.#isSticky ? undefined : pid;
    const [line] = await this.program.waitForLines(({ port, ready }) => port !== undefined && ready === has);
    return Number(line?.["port"]);
  }

  /** Resolves when these clients have heard what the first of all has told. */
  async tell(room: string | null, listeners: readonly Socket[], ...args: unknown[]): Promise<void> {
    const heard = listeners.map(hear);
    this.clients[0]?.emit("tell", room, ...args);
    for (const told of (await timed(Promise.all(heard), patienceMs, "the event")).value) assert.deepEqual(told, args);
  }

  async waitForServers(count: number): Promise<void> {
    const deadlineMs = performance.now() + patienceMs;
    for (;;) {
      const counts = await Promise.all(this.clients.map(async (client) => await ask<number>(client, "count-servers")));
      if (counts.every((each) => each === count)) return;
      if (performance.now() > deadlineMs) throw new Error(`workers count ${counts.join(", ")} servers`);
      await pause(20);
    }
  }
}

/** Resolves with what the client is told next. */
async function hear(client: Socket): Promise<unknown[]> {
  return await new Promise((resolve) => client.once("told", (...told: unknown[]) => resolve(told)));
}

async function ask<Answer>(client: Socket, event: string, ...args: unknown[]): Promise<Answer> {
  return (await client.timeout(patienceMs).emitWithAck(event, ...args)) as Answer;
}

/** Uses everything that the adapter has, and the program's own messages meanwhile. */
async function useProgram(session: Session, pids: readonly number[]): Promise<void> {
  for (const pid of pids) await session.connect(pid);
  const { clients } = session;
  await session.waitForServers(workers);
  const own = Promise.all(
    Array.from({ length: ownMessages }, async (_, number) => {
      const value = { number, text: "é", list: [null] };
      const client = clients[number % clients.length] as Socket;
      const { asked } = await ask<{ asked: unknown }>(client, "ask-primary", value);
      assert.deepEqual(asked, value);
    }),
  );
  await session.tell(null, clients, "news", { nested: ["é", 1] });
  const [first, outsider, last] = clients as [Socket, Socket, Socket];
  for (const member of [first, last]) await ask(member, "join", "room");
  const heardOutside = hear(outsider);
  await session.tell("room", [first, last], "news of the room");
  await session.tell(null, clients, "news for all");
  assert.deepEqual(await heardOutside, ["news for all"]);
  const sockets = await ask<[string, number][]>(outsider, "sockets");
  assert.deepEqual(new Map(sockets), new Map(clients.map((client, index) => [client.id, pids[index]])));
  const answers = await ask<number[]>(first, "ask-servers");
  assert.deepEqual(answers.sort(), pids.slice(1).sort());
  await own;
}

/** Kills a worker; the one that the program forks in its place takes part. */
async function replaceWorker(session: Session, pids: readonly number[], areRequestsUsed: boolean): Promise<void> {
  const [, doomed] = pids as [number, number];
  process.kill(doomed, "SIGKILL");
  const all = await session.waitForWorkers(workers + 1);
  const heir = all.at(-1) as number;
  session.clients.splice(1, 1);
  await session.connect(heir);
  const [first, , last] = session.clients as [Socket, Socket, Socket];
  await ask(last, "join", "room");
  if (areRequestsUsed) await session.waitForServers(workers);
  await session.tell("room", [first, last], "after the kill");
  if (!areRequestsUsed) return;
  assert.deepEqual((await ask<number[]>(first, "ask-servers")).sort(), [pids[2], heir].sort());
  assert.equal((await ask<unknown[]>(last, "sockets")).length, workers);
}

/** Lets the program end, which it does by itself. */
async function endProgram(t: TestContext, session: Session, processes: number): Promise<void> {
  assert.equal(session.program.readPids().length, processes, "its processes");
  session.clients[0]?.emit("stop");
  const { value: code, ms } = await timed(session.program.exited, endLimitMs, "the end of the program");
  const warnings = session.program.stderr.split("\n").filter((line) => !slowStartPattern.test(line));
  assert.deepEqual([code, warnings], [0, [""]]);
  assert.deepEqual(await session.program.waitUntilGone(endLimitMs), []);
  assert.deepEqual(session.program.files, []);
  assert.deepEqual(session.program.lines.at(-1), { ownMessages });
  t.diagnostic(`${processes} processes ended by themselves ${ms} ms after it was told to`);
}

describe("A program that forks its own workers", { timeout: 180_000, concurrency: 2 }, () => {
  for (const serialization of ["advanced", "json"] as const) {
    const how = `with the serialization ${serialization}`;

    test(`runs with @socket.io/cluster-adapter ${how}`, async (t) => {
      const session = new Session({ adapter: "@socket.io/cluster-adapter", serialization });
      await using _program = session.program;
      const pids = await session.waitForWorkers(workers);
      await useProgram(session, pids);
      if (serialization === "advanced") await session.tell(null, session.clients, Buffer.from([0, 1, 255]));
      // That adapter waits for dead workers: its requests fail for a while.
      await replaceWorker(session, pids, false);
      await endProgram(t, session, 1 + workers);
    });

    test(`runs with signalbox/adapter instead ${how}`, async (t) => {
      const session = new Session({ adapter: "signalbox/adapter", serialization });
      await using _program = session.program;
      const pids = await session.waitForWorkers(workers);
      await useProgram(session, pids);
      await session.tell(null, session.clients, Buffer.from([0, 1, 255]), { deep: [Buffer.alloc(70_000, 3)] });
      await replaceWorker(session, pids, true);
      await endProgram(t, session, 2 + workers);
    });
  }

  test("leaves nothing when its primary is killed: no worker, no router, no file", async (t) => {
    const session = new Session({ adapter: "signalbox/adapter", serialization: "advanced" });
    await using program = session.program;
    const pids = await session.waitForWorkers(workers);
    for (const pid of pids) await session.connect(pid);
    await session.waitForServers(workers);
    assert.equal(program.readPids().length, 2 + workers);
    assert.equal(program.files.length, 1);
    process.kill(program.pid, "SIGKILL");
    const startedMs = performance.now();
    assert.deepEqual(await program.waitUntilGone(endLimitMs), []);
    assert.deepEqual(program.files, []);
    t.diagnostic(`all gone ${Math.round(performance.now() - startedMs)} ms after the kill`);
    for (const client of session.clients) client.disconnect();
  });
});
