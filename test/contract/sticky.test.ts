/**
 * Pins what Signalbox relies on in the worker half of `@socket.io/sticky`: the shape of the message that carries a
 * connection, and that what Signalbox leaves out of it (a listener that closes connections, a message for each session)
 * is all that is left out.
 */

import assert from "node:assert/strict";
import cluster, { type Worker } from "node:cluster";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parseAddress } from "../../src/address/address.js";
import { HostMetrics } from "../../src/metrics/host-metrics.js";
import { HandOff } from "../../src/primary/hand-off.js";
import { readRequestHead } from "../../src/primary/request-head.js";
import { WorkerRecord } from "../../src/primary/worker-record.js";
import { parseMessageToPrimary } from "../../src/protocol/worker-messages.js";

/** Nothing here takes this long; what does has failed. */
const patienceMs = 20_000;

interface Message {
  readonly type: string;
  readonly data?: unknown;
  readonly used?: readonly string[];
  readonly began?: number;
  readonly ended?: number;
  readonly added?: Readonly<Record<string, number>>;
}

/** A forked worker, a listener in front of it, and everything that the worker said. */
class StickyHost {
  readonly worker: Worker;
  readonly messages: Message[] = [];
  readonly #server: Server;
  readonly #handOff: HandOff;
  readonly #watchers = new Set<() => void>();

  constructor(kind: "package" | "signalbox", socketPath: string) {
    cluster.setupPrimary({
      exec: fileURLToPath(new URL("fixtures/sticky-worker.ts", import.meta.url)),
      args: [kind, socketPath],
      execArgv: ["--import", "tsx"],
      serialization: "advanced",
    });
    this.worker = cluster.fork({ NODE_TEST_CONTEXT: "" });
    this.worker.on("message", (message: Message) => {
      this.messages.push(message);
      for (const watch of this.#watchers) watch();
    });
    const record = new WorkerRecord(7, this.worker, socketPath, performance.now());
    record.state = "ready";
    this.#handOff = new HandOff({ hostKey: "host", slowStartMs: 0, maxPendingConnections: 10 }, new HostMetrics());
    this.#handOff.addWorker(record);
    // As the listener does, for heads that come in one piece.
    this.#server = createServer((socket) => {
      socket.once("data", (received: Buffer) => {
        socket.pause();
        const verdict = readRequestHead(received, 0, 16_384);
        assert.equal(verdict.kind, "complete");
        const { sid, isHandshake } = verdict;
        this.#handOff.take({ socket, received, sid, isHandshake, client: undefined, isReturned: false });
      });
    });
  }

  async start(): Promise<Message> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return await this.waitFor((message) => message.type === "test:ready");
  }

  /** Sessions that the worker has reported, in Signalbox's own way. */
  countReported(which: "began" | "ended"): number {
    return this.messages.reduce((sum, message) => sum + (message[which] ?? 0), 0);
  }

  /** A new connection to the host. */
  connect(): Socket {
    const address = this.#server.address();
    assert.ok(typeof address === "object" && address !== null);
    return connect(address.port, "127.0.0.1");
  }

  async waitFor(fits: (message: Message) => boolean): Promise<Message> {
    return await new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        this.worker.off("exit", explainEnd);
        finish();
      };
      const explainEnd = (): void => settle(() => reject(new Error("the worker ended before it said that")));
      const look = (): void => {
        const found = this.messages.find(fits);
        if (found !== undefined) settle(() => resolve(found));
      };
      const timer = setTimeout(() => {
        const said = JSON.stringify(this.messages);
        settle(() => reject(new Error(`the worker did not say it in ${patienceMs} ms, but ${said}`)));
      }, patienceMs);
      this.worker.once("exit", explainEnd);
      this.#watchers.add(look);
      look();
    });
  }

  async end(): Promise<void> {
    this.#handOff.close();
    this.#server.close();
    const exited = once(this.worker, "exit");
    this.worker.process.kill("SIGKILL");
    await exited;
  }
}

/** Sends a request on a connection and reads its answer, whose length the head must tell. */
async function exchange(socket: Socket, head: string): Promise<{ status: number; head: string; body: string }> {
  socket.write(`${head}\r\nHost: localhost\r\n\r\n`);
  let text = "";
  for (;;) {
    const [chunk] = (await once(socket, "data")) as [Buffer];
    text += chunk.toString();
    const headEnd = text.indexOf("\r\n\r\n");
    const length = /^content-length: (\d+)$/im.exec(text)?.[1];
    if (headEnd === -1 || length === undefined) continue;
    const body = text.slice(headEnd + 4);
    if (body.length >= Number(length))
      return { status: Number(text.split(" ")[1]), head: text.slice(0, headEnd), body };
  }
}

const handshake = "GET /socket.io/?EIO=4&transport=polling HTTP/1.1";

function readSid(body: string): string {
  const { sid } = JSON.parse(body.slice(1)) as { sid: string };
  return sid;
}

test("the package is pinned to the version whose shapes are known", () => {
  const read = (path: string): { version: string; dependencies: Record<string, string> } =>
    JSON.parse(readFileSync(new URL(`../../${path}`, import.meta.url), "utf8"));
  assert.equal(read("package.json").dependencies["@socket.io/sticky"], "2.0.1");
  assert.equal(read("node_modules/@socket.io/sticky/package.json").version, "2.0.1");
});

for (const kind of ["package", "signalbox"] as const) {
  const what = kind === "package" ? "the package's worker half" : "Signalbox around the package's worker half";
  describe(what, { timeout: 60_000 }, () => {
    const directory = mkdtempSync(join(tmpdir(), "sbx-"));
    let host: StickyHost;
    let ready: Message;
    let sessions = 0;

    before(async () => {
      host = new StickyHost(kind, join(directory, "w7.sock"));
      ready = await host.start();
    });
    after(async () => {
      await host.end();
      rmSync(directory, { recursive: true, force: true });
    });

    test(kind === "package" ? "adds one request listener and no other" : "adds no request listener", () => {
      const expected = { connection: 0, request: 1, upgrade: 0, checkContinue: 0, close: 0 };
      assert.deepEqual(ready.added, kind === "package" ? expected : { request: 0 });
    });

    test("answers the request that came with a handed-off connection", async () => {
      const socket = host.connect();
      const answer = await exchange(socket, "GET /page HTTP/1.1");
      assert.equal(answer.status, 200);
      assert.equal(answer.body, "of the application");
      socket.destroy();
    });

    test(
      kind === "package" ? "closes the connection after its answer" : "keeps the connection for the next request",
      async () => {
        const socket = host.connect();
        const first = await exchange(socket, "GET /page HTTP/1.1");
        if (kind === "package") {
          assert.match(first.head, /^Connection: close$/m);
          await once(socket, "end");
        } else {
          assert.match(first.head, /^Connection: keep-alive$/m);
          const second = await exchange(socket, handshake);
          sessions++;
          assert.equal(second.status, 200);
          assert.match(second.head, /^Connection: keep-alive$/m);
        }
        socket.destroy();
      },
    );

    test("says when a session begins and when it ends", async () => {
      const socket = host.connect();
      const sid = readSid((await exchange(socket, handshake)).body);
      sessions++;
      socket.destroy();
      if (kind === "package") {
        const began = await host.waitFor(({ data }) => data === sid);
        assert.deepEqual(began, { type: "sticky:connection", data: sid });
      } else {
        assert.deepEqual(parseAddress(sid), { hostKey: "host", workerSlot: 7 });
        const isReport = ({ type }: Message): boolean => type === "signalbox:sessions";
        const report = await host.waitFor((message) => isReport(message) && host.countReported("began") === sessions);
        assert.deepEqual(parseMessageToPrimary(report), report);
      }

      const closing = host.connect();
      const close = `POST /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nContent-Length: 1`;
      closing.write(`${close}\r\nHost: localhost\r\n\r\n1`);
      if (kind === "package") {
        const ended = await host.waitFor(({ type, data }) => data === sid && type !== "sticky:connection");
        assert.deepEqual(ended, { type: "sticky:disconnection", data: sid });
      } else {
        await host.waitFor(() => host.countReported("ended") === 1);
        assert.ok(host.messages.every(({ type }) => !String(type).startsWith("sticky:")));
      }
      closing.destroy();
    });

    test("takes an upgrade with a handed-off connection", async () => {
      const socket = host.connect();
      socket.write(
        "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n" +
          "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      );
      const [chunk] = (await once(socket, "data")) as [Buffer];
      assert.match(chunk.toString("latin1"), /^HTTP\/1\.1 101 /);
      socket.destroy();
    });

    test("survives a connection that was closed on its way", async () => {
      host.worker.send({ type: "sticky:connection", data: Buffer.from(`${handshake}\r\n\r\n`) });
      const socket = host.connect();
      assert.equal((await exchange(socket, handshake)).status, 200);
      socket.destroy();
    });

    if (kind === "package") {
      test("uses nothing of a server but what Signalbox gives it", async () => {
        host.worker.send({ type: "test:report" });
        const { used } = await host.waitFor(({ type }) => type === "test:used");
        assert.deepEqual(used, ["engine.on", "httpServer.emit", "httpServer.prependListener"]);
      });
    }
  });
}
