/** An application that makes its own HTTP server works under Signalbox, and the same file under plain node. */

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { describe, test } from "node:test";
import { findFreePorts } from "../support/cli-process.js";
import { cleanEnvironment, fetchText, fixturePath, startHost, type TestHost } from "../support/host.js";
import { useSockets } from "../support/use-sockets.js";

/** What the application printed when its `listen()` called back. */
async function readAnnounced(host: TestHost): Promise<{ address: string; family: string; port: number }> {
  const { msg } = await host.waitForLog((record) => record.msg.startsWith("listening on "), "the listen callback");
  return JSON.parse(msg.slice("listening on ".length)) as { address: string; family: string; port: number };
}

/** Runs a file with plain node, on a port from the system, and ends it. */
async function withPlainNode(file: string, use: (url: string) => Promise<void>, env = {}): Promise<void> {
  const child = spawn(process.execPath, [file], {
    env: cleanEnvironment({ PORT: "0", ...env }),
    stdio: ["ignore", "pipe", "inherit"],
  });
  try {
    const ended = once(child, "exit").then(() => {
      throw new Error(`${file} ended under plain node`);
    });
    ended.catch(() => {});
    const announced = (async () => {
      for await (const line of createInterface({ input: child.stdout })) {
        if (line.startsWith("listening on ")) return JSON.parse(line.slice("listening on ".length)) as { port: number };
      }
      throw new Error("it said nothing");
    })();
    announced.catch(() => {});
    const { port } = await Promise.race([announced, ended]);
    await use(`http://localhost:${port}`);
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
}

const attaching = {
  "an Express application": { file: "express.mjs", routes: { "/hello": "hello" } },
  "a Fastify application": { file: "fastify.mjs", routes: { "/hello": "hello" } },
  "a Fastify application that attaches late": { file: "fastify-attach-late.mjs", routes: { "/hello": "hello" } },
  "new Server(port)": { file: "constructor-listens.mjs", routes: {} },
  "attach before listen": { file: "attach-before-listen.mjs", routes: { "/hello": "hello" } },
  "attach long after listen": { file: "attach-after-listen.mjs", routes: { "/hello": "hello" } },
  "io.listen after attach": { file: "io-listens-later.mjs", routes: {} },
  "a main() that nobody awaits": { file: "unawaited-main.mjs", routes: { "/hello": "hello" } },
  "several request listeners": {
    file: "several-listeners.mjs",
    routes: { "/hello": "hello", "/other": "other", "/third": "third" },
  },
};

describe("an application that makes its own server", { concurrency: 2 }, () => {
  for (const [what, { file, routes }] of Object.entries(attaching)) {
    test(`${what}: under Signalbox and under plain node`, async () => {
      const app = fixturePath(`kinds/${file}`);
      const use = async (url: string, workers: number): Promise<void> => {
        for (const [route, body] of Object.entries(routes)) {
          const answer = await fetchText(`${url}${route}`);
          assert.deepEqual([answer.status, answer.body], [200, body]);
        }
        await useSockets(url, workers);
      };
      {
        await using host = await startHost({ app, workers: 2, env: { PORT: "4321" } });
        assert.equal((await readAnnounced(host)).port, 4321, "server.address() says what was asked");
        await use(host.url, 2);
      }
      await withPlainNode(app, async (url) => await use(url, 1));
    });
  }

  test("a further http server of the application listens on its own port", async () => {
    const app = fixturePath("kinds/with-metrics-server.mjs");
    const METRICS_PORT = String(await findFreePorts(1));
    const use = async (url: string, workers: number): Promise<void> => {
      assert.equal((await fetchText(`http://127.0.0.1:${METRICS_PORT}/metrics`)).body, "up 1\n");
      assert.equal((await fetchText(`${url}/hello`)).body, "hello");
      await useSockets(url, workers);
    };
    {
      await using host = await startHost({ app, workers: 2, env: { PORT: "4321", METRICS_PORT } });
      await use(host.url, 2);
      assert.equal((await host.stop()).code, 0);
    }
    await withPlainNode(app, async (url) => await use(url, 1), { METRICS_PORT });
  });
});
