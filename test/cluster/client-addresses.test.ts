/** Whose address a session has: its client's, as far as it is told by a proxy that is trusted, and nobody else. */

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { enginePath, PollingSession, readHandshake } from "../support/engine-polling.js";
import { fixturePath, startHost, type TestHost } from "../support/host.js";
import { renderProxyBinary } from "../support/proxy-header.js";
import { cutAt, RawConnection, renderRequest } from "../support/raw-http.js";

const app = fixturePath("echo-app.mjs");
/** The one trusted peer in these tests; the loopback network has others. */
const trusted = "127.0.0.1";
const stranger = "127.0.0.2";
const client = "192.0.2.7";

/** Begins a session on the connection, as the proxy for that client would. */
async function openFor(connection: RawConnection, forwardedFor?: string): Promise<PollingSession> {
  const headers = forwardedFor === undefined ? {} : { "X-Forwarded-For": forwardedFor };
  const response = await connection.exchange(renderRequest({ path: enginePath(), headers }));
  const session = new PollingSession(readHandshake(response), connection);
  await session.join();
  return session;
}

let host: TestHost;
before(async () => {
  host = await startHost({
    app,
    env: { SIGNALBOX_TRUST_PROXY: `${trusted},10.0.0.0/8`, SIGNALBOX_PROXY_PROTOCOL: "true" },
  });
});
after(async () => await host[Symbol.asyncDispose]());

const line = (source: string): string => `PROXY TCP4 ${source} 198.51.100.1 56324 443\r\n`;
/** Says that the connection is the proxy's own. */
const local = renderProxyBinary({ command: 0x20, kind: 0, block: Buffer.alloc(0) });

async function openProxied(header: string | Buffer): Promise<RawConnection> {
  const connection = await RawConnection.open(host, trusted);
  connection.send(header);
  return connection;
}

/** What a session is told its address to be, over a connection of its own. */
async function askAddress(from: string, forwardedFor: string): Promise<string | undefined> {
  const connection = from === trusted ? await openProxied(local) : await RawConnection.open(host, from);
  const { address } = await (await openFor(connection, forwardedFor)).who();
  connection.destroy();
  return address;
}

describe("X-Forwarded-For", { timeout: 60_000 }, () => {
  test("names the client of each session on a shared connection, also of sessions on the other worker", async () => {
    const connection = await openProxied(local);
    const workers = new Set<number>();
    for (let index = 1; index <= 6; index++) {
      const { worker, address } = await (await openFor(connection, `192.0.2.${index}`)).who();
      workers.add(worker);
      assert.equal(address, `192.0.2.${index}`);
    }
    assert.equal(workers.size, 2, "some were forwarded to a sibling");
    connection.destroy();
  });

  test("is read from the right, past trusted proxies, never into what the client has written", async () => {
    assert.equal(await askAddress(trusted, `203.0.113.1, 127.0.0.1, ${client}`), client);
    assert.equal(await askAddress(trusted, `203.0.113.1, ${client}, 10.0.0.9`), client);
    assert.equal(await askAddress(trusted, `${client}, unknown`), trusted);
  });

  test("of a peer that is not trusted is not looked at", async () => {
    assert.equal(await askAddress(stranger, client), stranger);
    assert.equal(await askAddress(stranger, `${client}, 10.0.0.9, 127.0.0.1`), stranger);
    const connection = await RawConnection.open(host, stranger);
    const workers = new Set<number>();
    for (let index = 0; index < 4; index++) {
      const { worker, address } = await (await openFor(connection, client)).who();
      workers.add(worker);
      assert.equal(address, stranger);
    }
    assert.equal(workers.size, 2, "forwarded to a sibling it is no more believed");
    connection.destroy();
  });

  test("leaves what plain HTTP handlers see", async () => {
    const connection = await openProxied(local);
    const { body } = await connection.exchange(renderRequest({ path: "/", headers: { "X-Forwarded-For": client } }));
    assert.equal((JSON.parse(body.toString()) as { address: string }).address, trusted);
    connection.destroy();
  });
});

describe("the PROXY protocol", { timeout: 60_000 }, () => {
  const block = Buffer.concat([
    Buffer.from([192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb]),
    Buffer.from([0x04, 0, 1, 0]),
  ]);

  async function countRefused(reason: string): Promise<number> {
    return (await host.readStatus()).counters[`signalbox_connections_refused_total{reason="${reason}"}`] ?? 0;
  }

  const headers: [string, string | Buffer, string][] = [
    ["version 1", line(client), client],
    ["version 1 with IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n", "2001:db8::7"],
    ["version 1 without an address", "PROXY UNKNOWN\r\n", trusted],
    ["version 2", renderProxyBinary({ kind: 0x11, block }), client],
    ["version 2 of the proxy itself", local, trusted],
  ];
  for (const [what, header, address] of headers) {
    test(`${what}: sessions of both workers, and plain HTTP, have that address`, async () => {
      const connection = await openProxied(header);
      const { body } = await connection.exchange(renderRequest({ path: "/" }));
      assert.equal((JSON.parse(body.toString()) as { address: string }).address, address);
      const workers = new Set<number>();
      for (let index = 0; index < 4; index++) {
        const who = await (await openFor(connection)).who();
        workers.add(who.worker);
        assert.equal(who.address, address);
      }
      assert.equal(workers.size, 2);
      connection.destroy();
    });
  }

  test("a header may come in pieces, and with the request behind it", async () => {
    const request = renderRequest({ path: "/" });
    for (const header of [Buffer.from(line(client)), renderProxyBinary({ kind: 0x11, block })]) {
      for (const cuts of [[1, 13, 20], [header.length - 1], [header.length + 5], []]) {
        const connection = await RawConnection.open(host, trusted);
        await connection.sendPieces(cutAt(Buffer.concat([header, request]), ...cuts));
        const { body } = await connection.readResponse();
        assert.equal((JSON.parse(body.toString()) as { address: string }).address, client);
        connection.destroy();
      }
    }
  });

  test("of a header that names nobody, X-Forwarded-For is the client's own and not looked at", async () => {
    const connection = await openProxied("PROXY UNKNOWN\r\n");
    const workers = new Set<number>();
    for (let index = 0; index < 4; index++) {
      const who = await (await openFor(connection, "203.0.113.1")).who();
      workers.add(who.worker);
      assert.equal(who.address, trusted);
    }
    assert.equal(workers.size, 2, "forwarded to a sibling it is no more believed");
    connection.destroy();
  });

  test("its address is the peer whose X-Forwarded-For is judged", async () => {
    const direct = await openProxied(line(client));
    assert.equal((await (await openFor(direct, "203.0.113.1")).who()).address, client, "no proxy, so not believed");
    const proxied = await openProxied(line("10.0.0.5"));
    assert.equal((await (await openFor(proxied, "203.0.113.1, 192.0.2.9")).who()).address, "192.0.2.9");
    for (const connection of [direct, proxied]) connection.destroy();
  });

  test("a trusted peer that sends none, or a broken one, is refused and counted", async () => {
    const refused: [string | Buffer, string][] = [
      [renderRequest({ path: "/" }), "proxy-header-missing"],
      ["PROXY TCP4 192.0.2.7\r\nGET / HTTP/1.1\r\n\r\n", "proxy-header-malformed"],
      [renderProxyBinary({ command: 0x2f, kind: 0x11, block }), "proxy-header-malformed"],
      ["PROXY UNKNOWN ".padEnd(200, "x"), "proxy-header-malformed"],
    ];
    for (const [bytes, reason] of refused) {
      const before = await countRefused(reason);
      const connection = await openProxied(bytes);
      assert.match((await connection.readToEnd()).toString(), new RegExp(`^HTTP/1.1 400 [\\s\\S]*${reason}$`));
      assert.equal((await countRefused(reason)) - before, 1, reason);
    }
  });

  test("a peer that is not trusted is served without one, and refused with one", async () => {
    assert.equal(await askAddress(stranger, client), stranger);
    for (const header of [line(client), renderProxyBinary({ kind: 0x11, block })]) {
      const before = await countRefused("garbage");
      const connection = await RawConnection.open(host, stranger);
      connection.send(header);
      assert.match((await connection.readToEnd()).toString(), /^HTTP\/1.1 400 /);
      assert.equal((await countRefused("garbage")) - before, 1);
    }
  });
});
