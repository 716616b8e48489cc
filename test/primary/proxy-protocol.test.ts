import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type ProxyVerdict, readProxyHeader } from "../../src/primary/proxy-protocol.js";
import { unnamedPeer } from "../../src/protocol/peer.js";
import { renderProxyBinary } from "../support/proxy-header.js";

const request = Buffer.from("GET / HTTP/1.1\r\n\r\n");
const tcp4 = "PROXY TCP4 192.0.2.7 198.51.100.1 56324 443\r\n";
const ipv4Block = Buffer.from([192, 0, 2, 7, 198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb]);
const ipv6Block = Buffer.from(
  "20010db8000000000000000000000007" + "20010db8000000000000000000000001" + "dc04" + "01bb",
  "hex",
);
const unixBlock = Buffer.alloc(216);
const vector = Buffer.from([0x04, 0, 2, 1, 2]);

function complete(header: Buffer, client?: string): ProxyVerdict {
  const isAddress = client !== undefined && client !== unnamedPeer;
  return { kind: "complete", length: header.length, client: isAddress ? { address: client, port: 56_324 } : client };
}

const good: [string, string | Buffer, string | undefined][] = [
  ["version 1, TCP4", tcp4, "192.0.2.7"],
  ["version 1, TCP6", "PROXY TCP6 2001:db8::7 2001:db8::1 56324 443\r\n", "2001:db8::7"],
  [
    "version 1, TCP6 in full and capitals",
    "PROXY TCP6 2001:0DB8:0000:0000:0000:0000:0000:0007 2001:db8::1 56324 443\r\n",
    "2001:db8::7",
  ],
  ["version 1, UNKNOWN", "PROXY UNKNOWN\r\n", unnamedPeer],
  [
    "version 1, UNKNOWN at its longest",
    `PROXY UNKNOWN ${"ffff:".repeat(7)}ffff ${"ffff:".repeat(7)}ffff 65535 65535\r\n`,
    unnamedPeer,
  ],
  ["version 2, TCP over IPv4", renderProxyBinary({ kind: 0x11, block: ipv4Block }), "192.0.2.7"],
  ["version 2, TCP over IPv6", renderProxyBinary({ kind: 0x21, block: ipv6Block }), "2001:db8::7"],
  [
    "version 2 with more behind the addresses",
    renderProxyBinary({ kind: 0x11, block: Buffer.concat([ipv4Block, vector]) }),
    "192.0.2.7",
  ],
  [
    "version 2 at its longest",
    renderProxyBinary({ kind: 0x11, block: Buffer.concat([ipv4Block, Buffer.alloc(4_096 - 28)]) }),
    "192.0.2.7",
  ],
  ["version 2, LOCAL", renderProxyBinary({ command: 0x20, kind: 0, block: Buffer.alloc(0) }), undefined],
  ["version 2, LOCAL with addresses", renderProxyBinary({ command: 0x20, kind: 0x11, block: ipv4Block }), undefined],
  ["version 2, LOCAL of a family to come", renderProxyBinary({ command: 0x20, kind: 0xff, block: vector }), undefined],
  ["version 2, UNSPEC", renderProxyBinary({ kind: 0, block: vector }), unnamedPeer],
  ["version 2, UDP", renderProxyBinary({ kind: 0x12, block: ipv4Block }), unnamedPeer],
  ["version 2, a Unix socket", renderProxyBinary({ kind: 0x31, block: unixBlock }), unnamedPeer],
];

for (const [what, header, client] of good) {
  describe(what, () => {
    const bytes = Buffer.from(header as string);
    const expected = complete(bytes, client);

    test("is read, and what follows is left", () => {
      assert.deepEqual(readProxyHeader(bytes), expected);
      assert.deepEqual(readProxyHeader(Buffer.concat([bytes, request])), expected);
    });

    test("is waited for at every byte before its last", () => {
      for (let end = 0; end < bytes.length; end++) {
        assert.deepEqual(readProxyHeader(bytes.subarray(0, end)), { kind: "incomplete" }, `after ${end} bytes`);
      }
    });
  });
}

const bad: [string, string | Buffer, "missing" | "malformed"][] = [
  ["a request", request, "missing"],
  ["a request whose method begins alike", "PROXYING / HTTP/1.1\r\n\r\n", "missing"],
  ["a method in small letters", "proxy TCP4", "missing"],
  ["TLS", Buffer.from([0x16, 3, 1]), "missing"],
  ["a signature with one byte wrong", Buffer.from("\r\n\r\n\0\r\nQUIZ\n", "latin1"), "missing"],
  ["an unknown protocol", "PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n", "malformed"],
  ["no words", "PROXY \r\n", "malformed"],
  ["two blanks", "PROXY TCP4  192.0.2.7 198.51.100.1 1 2\r\n", "malformed"],
  ["an address of the other family", "PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n", "malformed"],
  ["the other way round", "PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n", "malformed"],
  ["a zero in front of a number", "PROXY TCP4 192.0.02.7 198.51.100.1 1 2\r\n", "malformed"],
  ["a zone", "PROXY TCP6 fe80::7%eth0 fe80::1 1 2\r\n", "malformed"],
  ["a port too high", "PROXY TCP4 192.0.2.7 198.51.100.1 65536 2\r\n", "malformed"],
  ["a port with a zero in front", "PROXY TCP4 192.0.2.7 198.51.100.1 01 2\r\n", "malformed"],
  ["no ports", "PROXY TCP4 192.0.2.7 198.51.100.1\r\n", "malformed"],
  ["a word too many", "PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n", "malformed"],
  ["a blank at the end", "PROXY TCP4 192.0.2.7 198.51.100.1 1 2 \r\n", "malformed"],
  ["a bare line feed", "PROXY TCP4 192.0.2.7 198.51.100.1 1 2\n", "malformed"],
  ["a line feed inside", "PROXY UNKNOWN a\nb\r\n", "malformed"],
  ["a line without end", `PROXY UNKNOWN ${"x".repeat(93)}`, "malformed"],
  ["a line one byte too long", `PROXY UNKNOWN ${"x".repeat(92)}\r\n`, "malformed"],
  ["version 1 in the binary form", renderProxyBinary({ command: 0x11, kind: 0x11, block: ipv4Block }), "malformed"],
  ["an unknown command", renderProxyBinary({ command: 0x22, kind: 0x11, block: ipv4Block }), "malformed"],
  ["an unknown family", renderProxyBinary({ kind: 0x41, block: ipv4Block }), "malformed"],
  ["an unknown transport", renderProxyBinary({ kind: 0x13, block: ipv4Block }), "malformed"],
  ["IPv4 cut short", renderProxyBinary({ kind: 0x11, block: ipv4Block.subarray(1) }), "malformed"],
  ["IPv6 cut short", renderProxyBinary({ kind: 0x21, block: ipv6Block.subarray(1) }), "malformed"],
  ["a Unix socket cut short", renderProxyBinary({ kind: 0x31, block: unixBlock.subarray(1) }), "malformed"],
  ["a length beyond the bound", renderProxyBinary({ kind: 0x11, block: Buffer.alloc(4_081) }), "malformed"],
];

for (const [what, bytes, fault] of bad) {
  test(`${what} is refused: ${fault}`, () => {
    const expected = { kind: "refuse", reason: `proxy-header-${fault}` };
    assert.deepEqual(readProxyHeader(Buffer.from(bytes as string)), expected);
  });
}

test("a length beyond the bound is refused before its bytes come", () => {
  const head = renderProxyBinary({ kind: 0x11, block: Buffer.alloc(65_535) }).subarray(0, 16);
  assert.equal(readProxyHeader(head).kind, "refuse");
});

test("whatever comes, there is a verdict within the bounds, and more bytes do not take it back", () => {
  const beginning = fc.constantFrom(
    "",
    "PROXY ",
    "PROXY TCP4 1.2.3.4 ",
    "\r\n\r\n\0\r\nQUIT\n",
    "\r\n\r\n\0\r\nQUIT\n\x21\x11",
  );
  fc.assert(
    fc.property(
      beginning,
      fc.uint8Array({ maxLength: 200 }),
      fc.uint8Array({ maxLength: 20 }),
      (start, middle, more) => {
        const bytes = Buffer.concat([Buffer.from(start, "latin1"), middle]);
        const verdict = readProxyHeader(bytes);
        if (verdict.kind === "complete") assert.ok(verdict.length <= bytes.length);
        if (verdict.kind !== "incomplete") assert.deepEqual(readProxyHeader(Buffer.concat([bytes, more])), verdict);
        else assert.ok(bytes.length < 4_096);
      },
    ),
  );
});

test("every client that a proxy can name is read from both versions alike", () => {
  fc.assert(
    fc.property(fc.ipV6(), fc.integer({ min: 0, max: 65_535 }), (address, port) => {
      const text = readProxyHeader(Buffer.from(`PROXY TCP6 ${address} ::1 ${port} 1\r\n`));
      assert.equal(text.kind, "complete");
      if (text.kind !== "complete" || typeof text.client !== "object") return;
      const groups = expand(text.client.address);
      const block = Buffer.alloc(36);
      for (const [index, group] of groups.entries()) block.writeUInt16BE(group, index * 2);
      block.writeUInt16BE(port, 32);
      const binary = readProxyHeader(renderProxyBinary({ kind: 0x21, block }));
      assert.deepEqual(binary.kind === "complete" && binary.client, text.client);
    }),
  );
});

/** The eight numbers of an IPv6 address. */
function expand(address: string): number[] {
  const hexadecimal = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_whole, ...parts) => {
    const [a = 0, b = 0, c = 0, d = 0] = parts.slice(0, 4).map(Number);
    return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
  });
  const [left = "", right] = hexadecimal.split("::");
  const read = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  if (right === undefined) return read(left);
  const [before, after] = [read(left), read(right)];
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}
