/** Workers with different parsers: what one encodes for its clients is encoded anew for those of the other. */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { Manager, type Socket } from "socket.io-client";
import messagePackParser from "socket.io-msgpack-parser";
import { parseAddress } from "../../src/address/address.js";
import type { FabricCounts } from "../../src/protocol/worker-messages.js";
import { FabricHost } from "../support/fabric-host.js";
import { timed } from "../support/stopwatch.js";

const patienceMs = 10_000;
/** Values that both parsers give back as they were. */
const values = [
  "text",
  1.5,
  null,
  { list: [true, "😀"], deep: { bytes: Buffer.from([0, 1, 255]) } },
  Buffer.alloc(300, 7),
];

/** Engine.IO's handshake needs no parser: so the worker is known before the first packet of Socket.IO. */
async function connectOn(host: FabricHost, slot: number, isMessagePack: boolean): Promise<Socket> {
  const strays: Manager[] = [];
  for (;;) {
    const manager = new Manager(host.host.url, {
      transports: ["websocket"],
      reconnection: false,
      autoConnect: false,
      ...(isMessagePack && { parser: messagePackParser }),
    });
    await new Promise<void>((resolve, reject) => {
      manager.open((error) => (error === undefined ? resolve() : reject(error)));
    });
    const { id } = manager.engine as { id?: string };
    if (parseAddress(id ?? "")?.workerSlot !== slot) {
      strays.push(manager);
      continue;
    }
    for (const stray of strays) stray.engine.close();
    const socket = manager.socket("/").connect();
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("connect_error", reject);
    });
    return socket;
  }
}

/** A host whose first worker speaks MessagePack, and which that is. */
async function startMixed(firstPath: string): Promise<{ host: FabricHost; oddSlot: number }> {
  const host = await FabricHost.start({ app: "parser-app.mjs", workers: 3, env: { FABRIC_FIRST_PATH: firstPath } });
  const pid = Number(readFileSync(firstPath, "utf8"));
  return { host, oddSlot: host.slots.find((slot) => host.worker(slot).pid === pid) ?? -1 };
}

/** Everybody hears what the worker of a slot emits, with the same values. */
async function tellAll(host: FabricHost, from: number, clients: readonly Socket[]): Promise<void> {
  const heard = clients.map(
    async (client) =>
      await new Promise<unknown[]>((resolve) => {
        client.once("told", (...args: unknown[]) => resolve(args));
      }),
  );
  await host.ask(from, "emit", { rooms: ["all"], event: "told", args: [from, ...values] });
  for (const args of (await timed(Promise.all(heard), patienceMs, "the event")).value) {
    assert.deepEqual(args, [from, ...values]);
  }
}

describe("Workers with different parsers", { timeout: 120_000 }, () => {
  test("reach each other's clients, binary included, and write through again when they have the same", async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "sbx-"));
    const { host: started, oddSlot } = await startMixed(join(directory, "first"));
    await using host = started;
    const clients = await Promise.all(host.slots.map(async (slot) => await connectOn(host, slot, slot === oddSlot)));
    for (const client of clients) await client.timeout(patienceMs).emitWithAck("join", "all");
    for (const slot of host.slots) await tellAll(host, slot, clients);

    for (const client of clients)
      client.on("question", (answer: (value: unknown) => void) => answer(Buffer.from("yes")));
    for (const slot of host.slots) {
      const answers = await host.ask<unknown[]>(slot, "askClients", { timeoutMs: patienceMs });
      assert.deepEqual(answers.map(String), ["yes", "yes", "yes"]);
      assert.equal((await host.ask<string[]>(slot, "fetch")).length, clients.length);
    }
    const counts = await Promise.all(
      host.slots.map(async (slot) => await host.ask<FabricCounts>(slot, "fabricCounts")),
    );
    assert.deepEqual(
      counts.map((count) => count.messagesUnreadable),
      [0, 0, 0],
    );

    // Its replacement has the same parser as the others.
    const killed = host.signal(oddSlot, "SIGKILL");
    await host.waitUntilReplaced(oddSlot, killed);
    clients[oddSlot] = await connectOn(host, oddSlot, false);
    await clients[oddSlot].timeout(patienceMs).emitWithAck("join", "all");
    const readReencoded = async (): Promise<number[]> => {
      const all = await Promise.all(host.slots.map(async (slot) => await host.ask<FabricCounts>(slot, "fabricCounts")));
      return all.map((count) => count.packetsReencoded);
    };
    const before = await readReencoded();
    for (const slot of host.slots) await tellAll(host, slot, clients);
    assert.deepEqual(await readReencoded(), before);
    t.diagnostic(
      `encoded anew while parsers differed: ${counts.map((count) => count.packetsReencoded).join(", ")} packets`,
    );
    for (const client of clients) client.disconnect();
    rmSync(directory, { recursive: true });
  });
});
