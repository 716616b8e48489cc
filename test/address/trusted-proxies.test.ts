import assert from "node:assert/strict";
import { isIPv4 } from "node:net";
import { describe, test } from "node:test";
import fc from "fast-check";
import { isProxyEntry, TrustedProxies, type TrustedProxySetting } from "../../src/address/trusted-proxies.js";

function trusts(setting: TrustedProxySetting, address: string | undefined, hop = 0): boolean {
  return new TrustedProxies(setting, true).trusts(address, hop);
}

describe("an entry", () => {
  const cases: [string, boolean][] = [
    ["loopback", true],
    ["10.1.2.3", true],
    ["10.0.0.0/8", true],
    ["0.0.0.0/0", true],
    ["fd00::/8", true],
    ["::1", true],
    ["::ffff:10.0.0.0/104", true],
    ["", false],
    ["10.0.0.0/33", false],
    ["10.0.0.0/", false],
    ["10.0.0.0/-1", false],
    ["10.0.0.0/8/8", false],
    ["10.0.0/8", false],
    ["fd00::/129", false],
    ["fe80::1%eth0", false],
    ["proxy.example", false],
    ["[::1]", false],
    ["10.0.0.1:80", false],
  ];
  for (const [text, isEntry] of cases) {
    test(`"${text}" is ${isEntry ? "one" : "none"}`, () => {
      assert.equal(isProxyEntry(text), isEntry);
      if (isEntry) assert.ok(new TrustedProxies([text], true));
      else assert.throws(() => new TrustedProxies([text], true));
    });
  }
});

describe("is believed", () => {
  const cases: [string, TrustedProxySetting, string | undefined, number, boolean][] = [
    ["127.0.0.1 by loopback", ["loopback"], "127.0.0.1", 0, true],
    ["all of 127.0.0.0/8 by loopback", ["loopback"], "127.9.8.7", 0, true],
    ["::1 by loopback", ["loopback"], "::1", 0, true],
    ["IPv4 loopback written as IPv6", ["loopback"], "::ffff:127.0.0.1", 0, true],
    ["the same in hexadecimal", ["loopback"], "::ffff:7f00:1", 0, true],
    ["a Unix socket by loopback", ["loopback"], undefined, 0, true],
    ["another machine by loopback", ["loopback"], "192.0.2.1", 0, false],
    ["a network, at any hop", ["10.0.0.0/8"], "10.255.0.1", 7, true],
    ["a neighbour of a network", ["10.0.0.0/8"], "11.0.0.0", 0, false],
    ["a Unix socket by another network", ["10.0.0.0/8"], undefined, 0, false],
    ["IPv4 in a network written as IPv6", ["::ffff:10.0.0.0/104"], "10.1.1.1", 0, true],
    ["an address with a zone", ["fe80::/10"], "fe80::1%eth0", 0, true],
    ["text that is no address", ["0.0.0.0/0", "::/0"], "unknown", 0, false],
    ["anybody by an empty list", [], "127.0.0.1", 0, false],
    ["anybody by 0", 0, "127.0.0.1", 0, false],
    ["the first hop of 1", 1, "192.0.2.1", 0, true],
    ["the second hop of 1", 1, "127.0.0.1", 1, false],
  ];
  for (const [what, setting, address, hop, expected] of cases) {
    test(`${what}: ${expected ? "yes" : "no"}`, () => assert.equal(trusts(setting, address, hop), expected));
  }
});

test("with TCP a peer without an address has gone, and is not believed", () => {
  assert.equal(new TrustedProxies(["loopback"], false).trusts(undefined, 0), false);
});

test("a network holds the addresses that share its first bits, and no others", () => {
  const address = fc.ipV4();
  fc.assert(
    fc.property(address, address, fc.integer({ min: 0, max: 32 }), (network, candidate, length) => {
      const toBits = (text: string): string =>
        text
          .split(".")
          .map((part) => Number(part).toString(2).padStart(8, "0"))
          .join("");
      fc.pre(isIPv4(network) && isIPv4(candidate));
      const isInside = toBits(network).slice(0, length) === toBits(candidate).slice(0, length);
      assert.equal(trusts([`${network}/${length}`], candidate), isInside);
      assert.equal(trusts([`${network}/${length}`], `::ffff:${candidate}`), isInside);
    }),
  );
});
