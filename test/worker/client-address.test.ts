import assert from "node:assert/strict";
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { describe, test } from "node:test";
import { applyPeer, decodePeer, encodePeer, peerHeader, takeHeader } from "../../src/worker/client-address.js";

/** A socket that says it is connected to this client. */
function makeSocket(remoteAddress?: string, remotePort?: number): Socket {
  const socket = new Socket();
  for (const [name, value] of Object.entries({ remoteAddress, remotePort })) {
    Object.defineProperty(socket, name, { value, configurable: true });
  }
  return socket;
}

function makeRequest(rawHeaders: string[]): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  request.rawHeaders = rawHeaders;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    request.headers[rawHeaders[index]?.toLowerCase() ?? ""] ??= rawHeaders[index + 1];
  }
  return request;
}

describe("a client's address arrives as it left", () => {
  const cases: [string, number, string][] = [
    ["192.0.2.7", 50_000, "IPv4"],
    ["::1", 1, "IPv6"],
    ["::ffff:192.0.2.7", 65_535, "IPv6"],
    ["fe80::1%eth0", 80, "IPv6"],
  ];
  for (const [address, port, family] of cases) {
    test(address, () => {
      const receiving = new Socket();
      const peer = decodePeer(encodePeer(makeSocket(address, port)));
      assert.ok(peer !== undefined);
      applyPeer(receiving, peer);
      assert.equal(receiving.remoteAddress, address);
      assert.equal(receiving.remotePort, port);
      assert.equal(receiving.remoteFamily, family);
    });
  }
});

test("a client over a Unix socket has no address, before and after", () => {
  assert.equal(encodePeer(makeSocket()), "");
  assert.equal(decodePeer(""), undefined);
});

test("text that is no address is none", () => {
  for (const text of ["|", "|80", "192.0.2.7"]) assert.equal(decodePeer(text), undefined);
});

test("an address may be set again on the same connection", () => {
  const socket = new Socket();
  applyPeer(socket, { address: "192.0.2.1", port: 1 });
  applyPeer(socket, { address: "192.0.2.2", port: 2 });
  assert.equal(socket.remoteAddress, "192.0.2.2");
});

test("the header is taken off the request in both of its forms, whatever its letters", () => {
  const request = makeRequest(["Host", "a", "X-Signalbox-Peer", "192.0.2.7|80", "Accept", "*/*"]);
  assert.equal(takeHeader(request, peerHeader), "192.0.2.7|80");
  assert.equal(peerHeader in request.headers, false);
  assert.deepEqual(request.rawHeaders, ["Host", "a", "Accept", "*/*"]);
});

test("every copy of the header is taken off", () => {
  const request = makeRequest([peerHeader, "192.0.2.7|80", "Host", "a", peerHeader, "forged|1"]);
  takeHeader(request, peerHeader);
  assert.deepEqual(request.rawHeaders, ["Host", "a"]);
});

test("a header with an empty value is there, and none is not", () => {
  assert.equal(takeHeader(makeRequest([peerHeader, ""]), peerHeader), "");
  const request = makeRequest(["Host", "a"]);
  assert.equal(takeHeader(request, peerHeader), undefined);
  assert.deepEqual(request.rawHeaders, ["Host", "a"]);
});

test("a value that equals the header's name is kept", () => {
  const request = makeRequest(["X-Names", peerHeader, "Host", "a"]);
  assert.equal(takeHeader(request, peerHeader), undefined);
  assert.deepEqual(request.rawHeaders, ["X-Names", peerHeader, "Host", "a"]);
});
