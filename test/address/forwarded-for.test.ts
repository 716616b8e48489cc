import assert from "node:assert/strict";
import { isIP } from "node:net";
import { describe, test } from "node:test";
import fc from "fast-check";
import { findClientAddress } from "../../src/address/forwarded-for.js";
import { TrustedProxies, type TrustedProxySetting } from "../../src/address/trusted-proxies.js";

function find(
  peer: string | undefined,
  forwardedFor: string | undefined,
  setting: TrustedProxySetting = ["loopback", "10.0.0.0/8"],
): string | undefined {
  return findClientAddress(peer, forwardedFor, new TrustedProxies(setting, true));
}

const client = "192.0.2.7";

describe("the client is", () => {
  const cases: [string, Parameters<typeof find>, string | undefined][] = [
    ["the peer without a header", ["127.0.0.1", undefined], "127.0.0.1"],
    ["the peer that is not believed, whatever it writes", ["198.51.100.1", client], "198.51.100.1"],
    ["nobody on a Unix socket without a header", [undefined, undefined], undefined],
    ["who a proxy on a Unix socket names", [undefined, client], client],
    ["the only entry", ["127.0.0.1", client], client],
    ["the last entry, not what the client wrote before it", ["127.0.0.1", `1.1.1.1, 127.0.0.1,${client}`], client],
    ["in front of two believed proxies", ["127.0.0.1", `1.1.1.1, ${client}, 10.0.0.1, 10.0.0.2`], client],
    ["the outermost believed proxy when nobody else is named", ["127.0.0.1", "10.0.0.1, 10.0.0.2"], "10.0.0.1"],
    ["found past empty entries", ["127.0.0.1", `${client}, , ,10.0.0.1,,`], client],
    ["without its port", ["127.0.0.1", `${client}:50000`], client],
    ["IPv6", ["::1", "2001:db8::7"], "2001:db8::7"],
    ["IPv6 in brackets", ["::1", "[2001:db8::7]"], "2001:db8::7"],
    ["IPv6 in brackets with a port", ["::1", "[2001:db8::7]:443"], "2001:db8::7"],
    ["IPv4 as IPv6, as it is written", ["::ffff:127.0.0.1", `::ffff:${client}`], `::ffff:${client}`],
    ["without a zone", ["::1", "fe80::7%eth0"], "fe80::7"],
    ["the proxy that wrote garbage", ["127.0.0.1", `${client}, unknown, 10.0.0.1`], "10.0.0.1"],
    ["the proxy that wrote a name", ["127.0.0.1", "evil.example"], "127.0.0.1"],
    ["the proxy, after an IPv4 in brackets", ["127.0.0.1", `[${client}]`], "127.0.0.1"],
    ["the proxy, after a port that is none", ["127.0.0.1", `${client}:http`], "127.0.0.1"],
    ["the proxy, after markup", ["127.0.0.1", "fe80::1%<script>"], "127.0.0.1"],
    ["one back with 1 hop", ["198.51.100.1", `1.1.1.1, ${client}`, 1], client],
    ["two back with 2 hops", ["198.51.100.1", `1.1.1.1, ${client}, 198.51.100.2`, 2], client],
    ["the leftmost when there are fewer entries than hops", ["198.51.100.1", client, 3], client],
    ["the peer with 0 hops", ["127.0.0.1", client, 0], "127.0.0.1"],
    ["the peer with an empty list", ["127.0.0.1", client, []], "127.0.0.1"],
  ];
  for (const [what, question, expected] of cases) test(what, () => assert.equal(find(...question), expected));
});

const publicAddress = fc.constantFrom("192.0.2.7", "198.51.100.9", "2001:db8::7", "::ffff:192.0.2.7");
const proxyAddress = fc.constantFrom("10.0.0.1", "127.0.0.3", "::1", "::ffff:10.0.0.9");
/** What a client may write: anything that a header can hold. */
const forged = fc.oneof(fc.string({ maxLength: 60 }), fc.array(fc.oneof(publicAddress, proxyAddress)).map(String));

test("whatever a client writes, behind believed proxies it is who it is", () => {
  fc.assert(
    fc.property(forged, publicAddress, fc.array(proxyAddress, { maxLength: 5 }), (written, address, chain) => {
      const [peer = "127.0.0.1", ...further] = chain;
      const header = [written, address, ...further].join(", ");
      assert.equal(find(peer, header), address);
      assert.equal(find(peer, header, further.length + 1), address);
    }),
  );
});

test("whatever an unbelieved peer writes, it is who it is", () => {
  fc.assert(fc.property(forged, publicAddress, (written, peer) => assert.equal(find(peer, written), peer)));
});

test("whatever is written, what comes out is the peer or an address", () => {
  fc.assert(
    fc.property(
      fc.oneof(forged, fc.string()),
      fc.constantFrom<TrustedProxySetting>(3, ["loopback"]),
      (written, setting) => {
        const found = find("127.0.0.1", written, setting);
        assert.ok(found !== undefined && isIP(found) !== 0 && !found.includes("%"));
      },
    ),
  );
});

describe("a header without end costs no more than its bytes", () => {
  const longest = 65_536;
  for (const [what, piece] of [
    ["commas", ","],
    ["believed proxies", "10.0.0.1,"],
    ["blanks", " "],
    ["letters", "x"],
  ] as const) {
    test(what, () => {
      const header = piece.repeat(longest / piece.length);
      const startedMs = performance.now();
      for (let round = 0; round < 20; round++)
        assert.match(find("127.0.0.1", header) ?? "", /^(127\.0\.0\.1|10\.0\.0\.1)$/);
      const perHeaderMs = (performance.now() - startedMs) / 20;
      assert.ok(perHeaderMs < 20, `${perHeaderMs} ms`);
    });
  }
  test("entries beyond the 32nd from the right are not looked at", () => {
    assert.equal(find("127.0.0.1", [client, ...Array<string>(32).fill("10.0.0.1")].join()), "10.0.0.1");
    assert.equal(find("127.0.0.1", [client, ...Array<string>(31).fill("10.0.0.1")].join()), client);
  });
});
