/** setupPrimary(): a router beside a program that forks its own workers, and that does not notice it otherwise. */

import assert from "node:assert/strict";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, test } from "node:test";
import { type AdapterProgram, startAdapterProgram } from "../support/adapter-program.js";
import { findFreePorts } from "../support/cli-process.js";
import { pause, waitUntilGone } from "../support/host.js";

function readEnvironment(pid: number): Readonly<Record<string, string>> {
  const pairs = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
}

/** The one router of a program whose workers have met. */
function readRouter(program: AdapterProgram): number {
  const [router, ...others] = program.routers;
  assert.deepEqual(others, [], "one router");
  assert.ok(router !== undefined);
  return router;
}

for (const serialization of ["json", "advanced"]) {
  test(`workers of a program with ${serialization} serialization reach each other`, async () => {
    await using program = startAdapterProgram({ APP_SERIALIZATION: serialization, APP_WORKERS: "3" });
    const places = await Promise.all([1, 2, 3].map(async (worker) => await program.waitForPlace(worker)));
    assert.deepEqual(await program.meet(1, 3), [2, 3]);
    assert.deepEqual(await program.meet(3, 3), [1, 2]);
    assert.deepEqual(places.map(({ slot }) => slot).sort(), [0, 1, 2]);
    for (const { hostKey, socketPath } of places) {
      assert.match(hostKey, /^[\w-]{4}$/);
      assert.deepEqual([hostKey, socketPath], [places[0]?.hostKey, places[0]?.socketPath]);
    }
    const socketPath = places[0]?.socketPath ?? "";
    assert.equal(statSync(socketPath).mode & 0o777, 0o600);
    assert.equal(statSync(dirname(socketPath)).mode & 0o777, 0o700);
    assert.equal(dirname(dirname(socketPath)), program.tmpDir);
    assert.equal(program.stderr, "");
  });
}

test("the program's own messages pass as they are, both ways", async () => {
  await using program = startAdapterProgram({ APP_WORKERS: "1" });
  await program.waitForPlace(1);
  const strangers = [
    { type: "hello" },
    { source: "_sio_adapter", type: "hello" },
    { source: "_signalbox_adapter_of_mine", type: "hello" },
    { source: "_signalbox_adapter", type: "bye" },
    "text",
    [1, 2],
  ];
  for (const stranger of strangers) {
    program.command("tell", 1, { say: stranger });
    await program.waitFor(({ message }) => JSON.stringify(message) === JSON.stringify(stranger), "the message");
  }
  const places = program.events.filter(({ message }) => message?.place !== undefined);
  assert.equal(places.length, 1, "nothing of it was taken for a question");
});

test("setupPrimary() may come after the workers were forked, and a second call does nothing", async () => {
  await using after = startAdapterProgram({ APP_SETUP: "after" });
  assert.deepEqual(await after.meet(1, 2), [2]);
  await using twice = startAdapterProgram({ APP_SETUP: "twice" });
  assert.deepEqual(await twice.meet(1, 2), [2]);
  readRouter(twice);
  assert.equal(twice.directories.length, 1);
});

test("setupPrimary() may come long after the workers have asked for their places", async () => {
  await using program = startAdapterProgram({ APP_SETUP: "told" });
  for (const worker of [1, 2]) {
    await program.waitFor(
      ({ from, message }) => from === worker && message?.source === "_signalbox_adapter",
      "a question",
    );
  }
  program.command("setup");
  assert.deepEqual(await program.meet(1, 2), [2]);
});

test("setupPrimary() in a worker is refused with words that say where it belongs", async () => {
  await using program = startAdapterProgram();
  await program.waitForPlace(2);
  program.command("tell", 2, { ask: "setup" });
  const { message } = await program.waitFor(({ message }) => message?.refusal !== undefined, "the refusal");
  assert.deepEqual([message?.refusal?.name, message?.refusal?.code], ["NotPrimaryError", "SIGNALBOX_NOT_PRIMARY"]);
  assert.match(message?.refusal?.message ?? "", /was called in a worker\. Call it in the primary only/);
});

test("the slot of a worker that has ended is the next one's, and the router forgets the old one", async () => {
  await using program = startAdapterProgram({ APP_WORKERS: "3" });
  const places = await Promise.all([1, 2, 3].map(async (worker) => await program.waitForPlace(worker)));
  await program.meet(1, 3);
  program.command("kill", 2);
  await program.waitFor(({ exit }) => exit === 2, "its end");
  assert.deepEqual(await program.meet(1, 2), [3]);
  program.command("fork");
  assert.equal((await program.waitForPlace(4)).slot, places[1]?.slot);
  assert.deepEqual(await program.meet(1, 3), [3, 4]);
});

test("a router that dies is replaced, which the program's owner can read on stderr", async () => {
  await using program = startAdapterProgram();
  await program.meet(1, 2);
  const former = readRouter(program);
  process.kill(former, "SIGKILL");
  await program.waitForStderr(/^signalbox: the router ended \(SIGKILL\); started again in 500 ms \(restart 1\)/m);
  assert.deepEqual(await waitUntilGone([former], 2_000), []);
  assert.deepEqual(await program.meet(1, 2), [2]);
  assert.notEqual(readRouter(program), former);
});

test("a new router waits for the workers that the former one had, and for nobody else; its warnings name them", async () => {
  await using program = startAdapterProgram({ APP_WORKERS: "3", APP_UNUSED: "3" });
  assert.deepEqual(await program.meet(1, 2), [2]);
  await program.waitForPlace(3);
  // The router reports once a second whom it has.
  await pause(2_500);
  const former = readRouter(program);
  program.command("pause", 2);
  process.kill(former, "SIGKILL");
  await program.waitForStderr(/^signalbox: worker 2 \(pid \d+\) has not come back to the router/m);
  assert.doesNotMatch(program.stderr, /worker 3|worker that has ended/);
  program.command("resume", 2);
  assert.deepEqual(await program.meet(1, 2), [2]);
});

test("an inspector that NODE_OPTIONS asks for is the program's, not the router's", async () => {
  // node:cluster counts on from it for the workers.
  const port = await findFreePorts(3);
  await using program = startAdapterProgram({ NODE_OPTIONS: `--inspect=${port}` });
  assert.deepEqual(await program.meet(1, 2), [2]);
  assert.equal(readEnvironment(readRouter(program)).NODE_OPTIONS, undefined);
  assert.doesNotMatch(program.stderr, /^signalbox:/m);
});

describe("the router and its directory are gone", () => {
  async function assertNothingLeft(program: AdapterProgram, router: number): Promise<void> {
    assert.deepEqual(await waitUntilGone([router], 5_000), []);
    assert.deepEqual(program.directories, []);
  }

  test("when the program ends because it has nothing left to do: the router does not keep it", async () => {
    await using program = startAdapterProgram();
    await program.meet(1, 2);
    const router = readRouter(program);
    program.command("end");
    assert.deepEqual(await program.exited, { code: 0, signal: null });
    await assertNothingLeft(program, router);
  });

  for (const signal of ["SIGTERM", "SIGKILL"] as const) {
    test(`when the program's primary ends by ${signal}`, async () => {
      await using program = startAdapterProgram();
      await program.meet(1, 2);
      const router = readRouter(program);
      program.process.kill(signal);
      assert.deepEqual(await program.exited, { code: null, signal });
      await assertNothingLeft(program, router);
    });
  }
});

describe("a temporary directory that cannot be used", () => {
  test("is refused with advice when a socket's path in it would be cut", async () => {
    await using parent = startAdapterProgram();
    const long = join(parent.tmpDir, "d".repeat(100));
    mkdirSync(long);
    await using program = startAdapterProgram({ TMPDIR: long });
    await program.waitForStderr(/RuntimeDirError: the temporary directory .* Set TMPDIR to a shorter directory\./);
    assert.equal((await program.exited).code, 1);
  });

  test("is refused with advice when it is not there", async () => {
    await using program = startAdapterProgram({ TMPDIR: "/nonexistent" });
    await program.waitForStderr(
      /RuntimeDirError: no directory for the router's socket .* Set TMPDIR to one where it can/,
    );
    assert.equal((await program.exited).code, 1);
  });
});
