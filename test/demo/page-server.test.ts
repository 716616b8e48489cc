/** What the demo answers to plain HTTP requests. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import { readPageFiles, servePage } from "../../src/demo/page-server.js";

describe("the page server", () => {
  const server = createServer();

  before(async () => {
    servePage(server, await readPageFiles());
    // Stands for Socket.IO, which answers its own path on the same server.
    server.on("request", (request, response) => {
      if (request.url?.startsWith("/socket.io/")) response.end("socket.io");
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
  });

  after(() => {
    server.closeAllConnections();
    server.close();
  });

  /** Sends the path as it is, dots included; `fetch` would tidy it first. */
  function ask(path: string, method = "GET", headers: Record<string, string> = {}) {
    type Answer = { status: number | undefined; headers: IncomingHttpHeaders; body: string };
    return new Promise<Answer>((resolve, reject) => {
      const { port } = server.address() as AddressInfo;
      const request = httpRequest({ host: "127.0.0.1", port, path, method, headers }, (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          body += chunk;
        });
        response.on("end", () => resolve({ status: response.statusCode, headers: response.headers, body }));
      });
      request.on("error", reject);
      request.end();
    });
  }

  it("gives the page at / whatever the query, under a policy that allows only its own files", async () => {
    const { status, headers, body } = await ask("/?room=lobby");
    assert.equal(status, 200);
    assert.equal(headers["content-type"], "text/html; charset=utf-8");
    assert.equal(headers["cache-control"], "no-cache");
    assert.match(String(headers["content-security-policy"]), /^default-src 'self'; connect-src 'self' ws: wss:/);
    assert.match(body, /<title>/);
  });

  it("gives every file that the page names", async () => {
    const { body } = await ask("/");
    const paths = [...body.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map((match) => match[1] ?? "");
    assert.ok(paths.length >= 3);
    for (const path of paths) assert.equal((await ask(path)).status, 200, path);
  });

  it("answers HEAD with the headers alone", async () => {
    const { status, headers, body } = await ask("/style.css", "HEAD");
    assert.deepEqual([status, body], [200, ""]);
    assert.ok(Number(headers["content-length"]) > 0);
  });

  it("answers 304 to a browser that has the file", async () => {
    const etag = (await ask("/chat.js")).headers.etag ?? "";
    assert.equal((await ask("/chat.js", "GET", { "If-None-Match": etag })).status, 304);
  });

  it("answers 405 to other methods", async () => {
    const { status, headers } = await ask("/", "POST");
    assert.deepEqual([status, headers.allow], [405, "GET, HEAD"]);
  });

  for (const path of ["/missing", "/../app.ts", "/%2e%2e/app.ts", "//style.css", "/page/chat.js", "/socket.iox", "*"]) {
    it(`answers 404 to ${path}`, async () => {
      assert.equal((await ask(path)).status, 404);
    });
  }

  it("leaves the path of Socket.IO to Socket.IO", async () => {
    assert.deepEqual((await ask("/socket.io/?EIO=4&transport=polling")).body, "socket.io");
  });
});
