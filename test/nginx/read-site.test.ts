import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { readSite, type SiteOptions } from "../../src/nginx/read-site.js";
import { plainOptions, readFaults, readGoodSite } from "./example-site.js";

describe("addresses", () => {
  const good: [given: string, address: string][] = [
    ["127.0.0.1:3000", "127.0.0.1:3000"],
    ["app-1.example.com:1", "app-1.example.com:1"],
    ["app_1:65535", "app_1:65535"],
    ["[::1]:3000", "[::1]:3000"],
    ["[2001:db8::1]:3000", "[2001:db8::1]:3000"],
    ["unix:/run/signalbox/http.sock", "unix:/run/signalbox/http.sock"],
  ];
  for (const [given, address] of good) {
    test(`${given} is one`, () => {
      assert.equal(readGoodSite({ hosts: [`h001=${given}`] }).hosts[0]?.address, address);
    });
  }

  const bad = [
    ...[
      "",
      "3000",
      "127.0.0.1",
      "127.0.0.1:0",
      "127.0.0.1:65536",
      "127.0.0.1:",
      ":3000",
      "::1:3000",
      "[::1]",
      "[::g]:1",
    ],
    ...[
      "300.0.0.1:80",
      "[::1]x:80",
      "a b:80",
      "a;b:80",
      "a{:80",
      "$host:80",
      "a\n:80",
      'a":80',
      "a#:80",
      "http://a:80",
    ],
    ...["unix:", "unix:run/x", "unix:/a b", "unix:/a;b", "unix:/a$b", "unix:/a\nb", `unix:/${"a".repeat(107)}`],
    ...["bücher.example:80", "-a:80", "a-:80", "127.0.0.1:3000 backup", "127.0.0.1:3000;"],
  ];
  for (const given of bad) {
    test(`${JSON.stringify(given)} is none`, () => assert.equal(readFaults({ hosts: [`h001=${given}`] }).length, 1));
  }

  test("are paths of Unix sockets with --unix, with or without its prefix", () => {
    const hosts = ["h001=/run/1.sock", "h002=unix:/run/2.sock"];
    const site = readGoodSite({ hosts, areAddressesPaths: true });
    assert.deepEqual(
      site.hosts.map(({ address }) => address),
      ["unix:/run/1.sock", "unix:/run/2.sock"],
    );
    assert.equal(readFaults({ hosts: ["h001=127.0.0.1:3000"], areAddressesPaths: true }).length, 1);
  });
});

describe("a site is refused", () => {
  const cases: [why: string, options: Partial<SiteOptions>, fault: RegExp][] = [
    ["without a host", { hosts: [] }, /^no host is given; name each with --host KEY=ADDRESS/],
    ["with a host without a key", { hosts: ["127.0.0.1:80"] }, /^--host "127\.0\.0\.1:80" does not begin with a host/],
    ["with a key that is too short", { hosts: ["h01=a:80"] }, /4 characters of A-Z a-z 0-9 - _/],
    ["with a key that nginx would read otherwise", { hosts: ["h.01=a:80"] }, /does not begin with a host key/],
    ["with a key twice", { hosts: ["h001=a:80", "h001=b:80"] }, /^the host key h001 is given twice$/],
    [
      "with one address twice",
      { hosts: ["h001=a:80", "h002=a:80"] },
      /^the hosts h001 and h002 have one address, a:80$/,
    ],
    ["when a host drains that is not there", { draining: ["h003"] }, /^--drain "h003" is not the key of any --host$/],
    ["when every host drains", { draining: ["h001", "h002"] }, /^every host is to drain/],
    ["with a name of two words", { serverNames: ["a b"] }, /^--server-name "a b" is not a name/],
    ["with a name that ends its directive", { serverNames: ["a;"] }, /^--server-name "a;"/],
    ["with a regular expression for a name", { serverNames: ["~^a$"] }, /^--server-name/],
    ["with a variable for a name", { serverNames: ["$host"] }, /^--server-name/],
    ["with a path that opens a block", { path: "/a{" }, /^--path "\/a\{" is not a path/],
    ["with a path that is everything", { path: "/" }, /^--path "\/"/],
    ["with a path that nginx resolves", { path: "/a/../b/" }, /^--path/],
    ["with a path that nginx merges", { path: "/a//b/" }, /^--path/],
    ["with a relative path", { path: "socket.io" }, /^--path/],
    ["with a variable in a certificate's path", { tls: ["/a$b", "/c"] }, /^--tls "\/a\$b" is not an absolute path/],
    ["with a quote in a key's path", { tls: ["/a", '/b"'] }, /^--tls "\/b\\"" is not/],
    ["with a relative certificate", { tls: ["a.pem", "/b"] }, /^--tls "a\.pem"/],
    ["with a line break in a key's path", { tls: ["/a", "/b\nc"] }, /^--tls "\/b\\nc"/],
    ["with a name with an empty label", { serverNames: ["a..b"] }, /^--server-name "a\.\.b" is not a name/],
    ["with a wildcard with an empty label", { serverNames: ["*.a..b"] }, /^--server-name/],
    ["with a part of an address", { hosts: ["h001=1.2.3:80"] }, /^the address "1\.2\.3:80" is not host:port/],
    ["listening on a part of an address", { listen: "1.2:8081" }, /^--listen "1\.2:8081" is not a port/],
    ["listening on IPv4 as IPv6", { listen: "[::ffff:127.0.0.1]:8081" }, /^--listen/],
    ["with a rate without a unit", { handshakeLimit: "20" }, /^--handshake-limit "20" is not a rate like/],
    ["with a rate of nothing", { handshakeLimit: "0r/s" }, /^--handshake-limit/],
    ["with a rate that goes on", { handshakeLimit: "1r/s; x" }, /^--handshake-limit/],
    ["with a port that is none", { listen: "70000" }, /^--listen "70000"/],
    ["with a port that goes on", { listen: "80 default_server" }, /^--listen/],
    ["with a host that is no address to listen on", { listen: "a.example:80" }, /^--listen/],
    ["with a version that is none", { nginxVersion: "latest" }, /^--nginx-version "latest" is not a version/],
    [
      "with a version that is too old",
      { nginxVersion: "1.17.10" },
      /names 1\.17\.10; the oldest supported is 1\.18\.0$/,
    ],
  ];
  for (const [why, options, fault] of cases) {
    test(why, () => {
      const faults = readFaults(options);
      assert.equal(faults.length, 1, faults.join("\n"));
      assert.match(faults[0] ?? "", fault);
      assert.doesNotMatch(faults[0] ?? "", /\n/);
    });
  }

  test("with all that is wrong with it, together", () => {
    const faults = readFaults({
      hosts: ["x", "h001=y", "h001=a:1"],
      path: "x",
      serverNames: ["a;", "b;"],
      listen: "x",
    });
    assert.equal(faults.length, 6, faults.join("\n"));
  });
});

describe("what is not said", () => {
  test("is the path of Socket.IO, port 80, every name, no limit", () => {
    const site = readGoodSite();
    assert.deepEqual(
      [site.path, site.listen, site.redirectFrom, site.serverNames, site.handshakeLimit],
      ["/socket.io/", "80", undefined, [], undefined],
    );
  });

  test("is port 443 with TLS, and port 80 redirects; neither when a port is named", () => {
    const tls = ["/c.pem", "/k.pem"] as const;
    const site = readGoodSite({ tls });
    assert.deepEqual([site.listen, site.redirectFrom], ["443", "80"]);
    const named = readGoodSite({ tls, listen: "[::1]:8443" });
    assert.deepEqual([named.listen, named.redirectFrom], ["[::1]:8443", undefined]);
  });

  test("is the final slash of the path, which Socket.IO adds too", () => {
    assert.equal(readGoodSite({ path: "/chat" }).path, "/chat/");
  });

  test("is the version that is installed, else the oldest", () => {
    const options = { ...plainOptions, nginxVersion: undefined };
    const read = (installed: readonly [number, number, number] | undefined) => {
      const site = readSite(options, installed);
      return site.kind === "site" ? site.site.version : site.faults;
    };
    assert.deepEqual(read([1, 22, 1]), [1, 22, 1]);
    assert.deepEqual(read(undefined), [1, 18, 0]);
    assert.deepEqual(read([1, 14, 2]), ["the nginx installed here is 1.14.2; the oldest supported is 1.18.0"]);
  });
});

test("keys that differ only in case are two hosts", () => {
  assert.equal(readGoodSite({ hosts: ["AbCd=a:1", "abcd=b:1"] }).hosts.length, 2);
});
