/** Generated configurations in a real nginx, in front of small servers: who gets which request, and what when one is down. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { describe, test } from "node:test";
import { fetchText } from "../support/host.js";
import { isNginxMissing } from "../support/nginx.js";
import { startSite } from "../support/nginx-site.js";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** Stands for a host: notes each request, and answers with its key. */
class StandIn implements AsyncDisposable {
  readonly hostKey: string;
  readonly requests: IncomingMessage[] = [];
  connections = 0;
  answer: Answer = (_request, response) => response.end(this.hostKey);
  readonly #server: Server;
  #port = 0;

  private constructor(hostKey: string) {
    this.hostKey = hostKey;
    this.#server = createServer({ keepAliveTimeout: 65_000 }, (request, response) => {
      this.requests.push(request);
      request.resume();
      this.answer(request, response);
    });
    this.#server.on("connection", () => {
      this.connections++;
    });
  }

  static async start(hostKey: string): Promise<StandIn> {
    const standIn = new StandIn(hostKey);
    await standIn.open();
    return standIn;
  }

  get address(): string {
    return `127.0.0.1:${this.#port}`;
  }

  async open(): Promise<void> {
    this.#server.listen(this.#port, "127.0.0.1");
    await once(this.#server, "listening");
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  /** Connections are refused from now on. */
  async close(): Promise<void> {
    const closed = once(this.#server, "close");
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#server.listening) await this.close();
  }
}

const polling = "/socket.io/?EIO=4&transport=polling";

function sessionOf(hostKey: string): string {
  return `${polling}&sid=${hostKey}AA${"r".repeat(14)}`;
}

/** Bodies of the answers to so many requests, one after another. */
async function ask(url: string, times: number, method = "GET"): Promise<string[]> {
  const bodies: string[] = [];
  for (let time = 0; time < times; time++) {
    const { status, body } = await fetchText(url, { method });
    bodies.push(status === 200 ? body : String(status));
  }
  return bodies;
}

function count(values: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const value of values) counts[value] = (counts[value] ?? 0) + 1;
  return counts;
}

function addressesOf(...standIns: readonly StandIn[]): Record<string, string> {
  return Object.fromEntries(standIns.map(({ hostKey, address }) => [hostKey, address]));
}

const drain: Answer = (request, response) => {
  if (request.url?.includes("sid=")) response.end("still here");
  else response.writeHead(503, { "Retry-After": "1" }).end();
};

describe("a generated site", { timeout: 60_000, concurrency: 2 }, () => {
  test("sends the requests of a session to its host, keys that differ only in case to their own", async (t) => {
    if (isNginxMissing(t)) return;
    await using upper = await StandIn.start("AbCd");
    await using lower = await StandIn.start("abcd");
    await using nginx = await startSite(addressesOf(upper, lower));
    for (const { hostKey } of [upper, lower, upper, lower]) {
      for (const method of ["GET", "POST"]) {
        assert.deepEqual(await ask(nginx.url + sessionOf(hostKey), 3, method), Array(3).fill(hostKey));
      }
    }
    assert.ok(
      [upper, lower].every(({ connections }) => connections === 1),
      "one connection for all of them",
    );
    // Of a host that is not listed: any may say that it knows no such session.
    assert.equal((await ask(nginx.url + sessionOf("ABCD"), 4)).filter((body) => /^abcd$/i.test(body)).length, 4);
    assert.doesNotMatch(nginx.readLog(), /sid=/);
    assert.deepEqual(nginx.complaints, []);
  });

  test("gives new sessions to the hosts in turn, whatever else visitors ask for in between", async (t) => {
    if (isNginxMissing(t)) return;
    await using one = await StandIn.start("h001");
    await using two = await StandIn.start("h002");
    await using nginx = await startSite(addressesOf(one, two));
    const sessions: string[] = [];
    for (let visitor = 0; visitor < 20; visitor++) {
      await ask(`${nginx.url}/socket.io/socket.io.js`, 1);
      sessions.push(...(await ask(nginx.url + polling, 1)));
    }
    assert.deepEqual(count(sessions), { h001: 10, h002: 10 });
  });

  test("passes a host over that is down, for all but its own sessions, which learn of it at once", async (t) => {
    if (isNginxMissing(t)) return;
    await using one = await StandIn.start("h001");
    await using two = await StandIn.start("h002");
    await using nginx = await startSite(addressesOf(one, two), {}, (site) =>
      // Not the five seconds that it is left alone for: the test waits for their end.
      site.replaceAll("fail_timeout=5s", "fail_timeout=1s"),
    );
    await one.close();
    assert.deepEqual(await ask(nginx.url + polling, 12), Array(12).fill("h002"));
    assert.deepEqual(await ask(`${nginx.url}/page`, 12), Array(12).fill("h002"));
    // Never sent, so it may go elsewhere.
    assert.deepEqual(await ask(`${nginx.url}/page`, 4, "POST"), Array(4).fill("h002"));
    const before = two.requests.length;
    assert.deepEqual(await ask(nginx.url + sessionOf("h001"), 2), ["502", "502"]);
    assert.equal(two.requests.length, before, "no other host was asked");

    await one.open();
    assert.deepEqual(await ask(nginx.url + sessionOf("h001"), 1), ["h001"], "a session's host is never left out");
    const deadlineMs = performance.now() + 15_000;
    while (!(await ask(nginx.url + polling, 2)).includes("h001")) {
      assert.ok(performance.now() < deadlineMs, "the host that is back gets no new sessions");
    }
  });

  test("asks another host for a session when one drains, soon leaves it alone, and keeps its sessions there", async (t) => {
    if (isNginxMissing(t)) return;
    await using one = await StandIn.start("h001");
    await using two = await StandIn.start("h002");
    await using nginx = await startSite(addressesOf(one, two));
    one.answer = drain;
    assert.deepEqual(await ask(nginx.url + polling, 30), Array(30).fill("h002"));
    assert.equal(one.requests.length, 5, "asked no more for a while");
    assert.deepEqual(await ask(nginx.url + sessionOf("h001"), 3), Array(3).fill("still here"));
    assert.deepEqual(await ask(nginx.url + sessionOf("h002"), 3), Array(3).fill("h002"));
  });

  test("never sends a POST twice that a host has had", async (t) => {
    if (isNginxMissing(t)) return;
    await using one = await StandIn.start("h001");
    await using two = await StandIn.start("h002");
    await using nginx = await startSite(addressesOf(one, two));
    for (const standIn of [one, two]) standIn.answer = (request) => request.socket.destroy();
    assert.deepEqual(await ask(`${nginx.url}/order`, 4, "POST"), Array(4).fill("502"));
    assert.equal(one.requests.length + two.requests.length, 4);
    for (const standIn of [one, two]) standIn.answer = (_request, response) => response.writeHead(503).end();
    assert.deepEqual(await ask(`${nginx.url}/order`, 4, "POST"), Array(4).fill("503"));
    assert.equal(one.requests.length + two.requests.length, 8);
  });

  test("is not taken down by a route that fails, or a client that fails once", async (t) => {
    if (isNginxMissing(t)) return;
    await using one = await StandIn.start("h001");
    await using two = await StandIn.start("h002");
    await using nginx = await startSite(addressesOf(one, two));
    for (const standIn of [one, two]) {
      standIn.answer = (request, response) => {
        if (request.url === "/broken") response.writeHead(503).end();
        else if (request.url === "/deadly") request.socket.destroy();
        else response.end(standIn.hostKey);
      };
    }
    assert.deepEqual(await ask(`${nginx.url}/broken`, 20), Array(20).fill("503"));
    assert.deepEqual(await ask(`${nginx.url}/deadly`, 20), Array(20).fill("502"));
    assert.deepEqual(count(await ask(`${nginx.url}/page`, 20)), { h001: 10, h002: 10 });
    assert.deepEqual(count(await ask(nginx.url + polling, 20)), { h001: 10, h002: 10 });

    let failures = 0;
    one.answer = (request, response) => {
      failures++;
      if (failures === 1) request.socket.destroy();
      else response.end("h001");
    };
    const asked = one.requests.length;
    await ask(nginx.url + polling, 20);
    assert.ok(one.requests.length - asked >= 9, "a single failure left the host out");
  });

  test("gives nothing new to a host that is to drain", async (t) => {
    if (isNginxMissing(t)) return;
    await using one = await StandIn.start("h001");
    await using two = await StandIn.start("h002");
    await using nginx = await startSite(addressesOf(one, two), { draining: ["h001"] });
    assert.deepEqual(await ask(nginx.url + polling, 6), Array(6).fill("h002"));
    assert.deepEqual(await ask(`${nginx.url}/page`, 6), Array(6).fill("h002"));
    assert.deepEqual(await ask(nginx.url + sessionOf("h001"), 3), Array(3).fill("h001"));
  });

  test("limits the handshakes of one address, and nothing of those who have a session", async (t) => {
    if (isNginxMissing(t)) return;
    await using one = await StandIn.start("h001");
    await using nginx = await startSite(addressesOf(one), { handshakeLimit: "3r/m" });
    const forged = ["&SID=x", "&sid=x&sid=", "&sid=x&s%69d=", "&#&sid=x"].map((rest) => polling + rest);
    const statuses: string[] = [];
    const hidden = ["/x?", "/../x?", "/%2e%2e/x?"].map((path) => polling.replace("/?", path));
    for (const path of [polling, ...forged, ...hidden, polling]) {
      statuses.push(...(await askRaw(nginx.port, path)));
    }
    assert.deepEqual(statuses, [...Array<string>(4).fill("200"), ...Array<string>(5).fill("429")]);
    assert.deepEqual(await ask(nginx.url + sessionOf("h001"), 10), Array(10).fill("h001"));
    assert.deepEqual(await ask(`${nginx.url}/page`, 10), Array(10).fill("h001"));
  });

  test("tells the hosts who asks, cannot be told otherwise, and opens the link of regions only when asked to", async (t) => {
    if (isNginxMissing(t)) return;
    await using one = await StandIn.start("h001");
    await using nginx = await startSite(addressesOf(one));
    await fetchText(`${nginx.url}/`, { headers: { "X-Forwarded-For": "1.2.3.4", "X-Forwarded-Proto": "https" } });
    const { headers } = one.requests[0] as IncomingMessage;
    assert.deepEqual(
      [headers["x-forwarded-for"], headers["x-forwarded-proto"], headers.host],
      ["127.0.0.1", "http", `127.0.0.1:${nginx.port}`],
    );
    assert.deepEqual(await ask(`${nginx.url}/signalbox/link`, 1), ["404"]);
    await using open = await startSite(addressesOf(one), { hasLink: true });
    assert.deepEqual(await ask(`${open.url}/signalbox/link`, 1), ["h001"]);
  });
});

/** The status of the answer to a target that no HTTP client would send as it is. */
async function askRaw(port: number, target: string): Promise<string[]> {
  const socket = connect(port, "127.0.0.1");
  socket.write(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  let text = "";
  for await (const chunk of socket.setEncoding("utf8")) text += chunk;
  return [text.split(" ")[1] ?? ""];
}
