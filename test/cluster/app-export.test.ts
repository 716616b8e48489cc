/** An application that exports a function, in every kind of module, gets what it is promised. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { fetchText, fixturePath, startHost } from "../support/host.js";
import { awaitEvent, connectOver, useSockets } from "../support/use-sockets.js";

describe("an application that exports a function", { concurrency: 2 }, () => {
  test("gets a context with all that is promised", async () => {
    const env = { SIGNALBOX_HOST_KEY: "Ab_9", SIGNALBOX_REGION: "north" };
    await using host = await startHost({ app: fixturePath("kinds/esm-options.mjs"), workers: 2, env });
    for (const workerSlot of [0, 1]) {
      const { msg } = await host.waitForLog(({ msg, worker }) => msg.startsWith("context ") && worker === workerSlot);
      assert.deepEqual(JSON.parse(msg.slice("context ".length)), {
        workerSlot,
        hostKey: "Ab_9",
        region: "north",
        httpServer: "Server",
        log: "function",
        onDrain: "function",
        runOnce: "function",
      });
    }
  });

  test("has its serverOptions honoured: path, cors, maxHttpBufferSize", async () => {
    await using host = await startHost({ app: fixturePath("kinds/esm-options.mjs"), workers: 2 });
    await useSockets(host.url, 2, "/live");
    const polling = `${host.url}/live/?EIO=4&transport=polling`;
    const { status, headers } = await fetchText(polling, { headers: { Origin: "https://page.example" } });
    assert.deepEqual([status, headers["access-control-allow-origin"]], [200, "https://page.example"]);
    assert.equal((await fetchText(`${host.url}/socket.io/?EIO=4&transport=polling`)).status, 404);
    assert.equal((await fetchText(`${host.url}/anything`)).status, 404, "what nobody answers is not left hanging");

    const client = await connectOver(host.url, ["websocket"], "/live");
    const closed = awaitEvent(client, "disconnect");
    client.emit("echo", "x".repeat(2_000), () => {});
    assert.equal(await closed, "transport close");
  });

  test("may be CommonJS, options included", async () => {
    await using host = await startHost({ app: fixturePath("kinds/commonjs.cjs"), workers: 2 });
    await useSockets(host.url, 2, "/live");
  });

  for (const type of ["module", "commonjs"]) {
    test(`may be TypeScript with an enum and type imports, in a package of type ${type}`, async () => {
      const directory = mkdtempSync(join(tmpdir(), "sbx-app-"));
      try {
        writeFileSync(join(directory, "package.json"), JSON.stringify({ type }));
        writeFileSync(join(directory, "app.ts"), typeScriptApp);
        writeFileSync(
          join(directory, "events.ts"),
          'export enum Event { Who = "who", TellAll = "tell-all", Told = "told" }\n',
        );
        await using host = await startHost({ app: join(directory, "app.ts"), workers: 2 });
        await useSockets(host.url, 2, "/typed");
      } finally {
        rmSync(directory, { recursive: true });
      }
    });
  }
});

const typeScriptApp = `
import type { Server, Socket } from "socket.io";
import { Event } from "./events.js";

interface Context { readonly workerSlot: number }

export const serverOptions = { path: "/typed" };

export default function start(io: Server, context: Context): void {
  io.on("connection", (socket: Socket) => {
    socket.on(Event.Who, (ack: (place: object) => void) => ack({ worker: context.workerSlot, pid: process.pid }));
    socket.on(Event.TellAll, (value: string, ack: () => void) => {
      io.emit(Event.Told, value);
      ack();
    });
  });
}
`;
