/** Settings of links to other regions: from file, environment and flags, and what is wrong with them together. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { SignalboxConfig } from "../../src/config/config.js";
import { renderConfigTable } from "../../src/config/render-config.js";
import { resolveConfig } from "../../src/config/resolve-config.js";
import { ConfigError } from "../../src/errors.js";

const secret = "0123456789abcdefghijklmnopqrstuv";
const good = { SIGNALBOX_REGION: "eu", SIGNALBOX_LINK_SECRETS: secret };

function resolve(environment: Record<string, string>, values?: Record<string, unknown>): SignalboxConfig {
  const file = values === undefined ? undefined : { path: "x.json", values };
  return resolveConfig({ flags: {}, environment, file }).config;
}

function findFaults(environment: Record<string, string>, values?: Record<string, unknown>): string {
  try {
    resolve(environment, values);
  } catch (error) {
    if (error instanceof ConfigError) return error.faults.join("\n");
    throw error;
  }
  return "";
}

test("links are an object in the file and pairs elsewhere", () => {
  const links = [
    { region: "us", url: "wss://us.example.com/signalbox/link" },
    { region: "ap", url: "ws://10.0.0.1:9465" },
  ];
  const text = "us=wss://us.example.com/signalbox/link, ap=ws://10.0.0.1:9465";
  assert.deepEqual(resolve({ ...good, SIGNALBOX_LINKS: text }).links, links);
  const values = { links: { us: { url: links[0]?.url }, ap: { url: links[1]?.url } } };
  assert.deepEqual(resolve(good, values).links, links);
  assert.equal(resolve({}).links, undefined);
});

test("a link's URL holds no secret and nothing but an address", () => {
  for (const url of [
    "https://us.example.com",
    "wss://user:pass@us.example.com",
    "wss://us.example.com/?secret=1",
    "wss://us.example.com/#a",
    "us.example.com",
    "ws+unix:relative",
    "",
  ]) {
    assert.match(findFaults({ ...good, SIGNALBOX_LINKS: `us=${url}` }), /links: .* is not a list of regions/, url);
  }
  assert.equal(findFaults({ ...good, SIGNALBOX_LINKS: "us=ws+unix:/run/us.sock:/signalbox/link" }), "");
});

test("a name of a region that is none, twice the same, or the own one is refused", () => {
  assert.match(findFaults({ ...good, SIGNALBOX_LINKS: "US=ws://a" }), /is not a list of regions/);
  assert.match(findFaults({ ...good, SIGNALBOX_LINKS: "us=ws://a,us=ws://b" }), /is not a list of regions/);
  assert.match(findFaults({ ...good, SIGNALBOX_LINKS: "eu=ws://a" }), /this host's own region/);
});

test("where links are taken", () => {
  const table: [string, unknown][] = [
    ["public", { kind: "public" }],
    ["/run/link.sock", { kind: "unix", path: "/run/link.sock" }],
    ["0.0.0.0:9465", { kind: "tcp", host: "0.0.0.0", port: 9465 }],
    ["[::1]:0", { kind: "tcp", host: "::1", port: 0 }],
  ];
  for (const [text, expected] of table) {
    assert.deepEqual(resolve({ ...good, SIGNALBOX_LINK_LISTEN: text }).linkListen, expected);
  }
  for (const text of ["9465", "localhost:1", "1.2.3.4:70000", "relative", "1.2.3.4:"]) {
    assert.match(findFaults({ ...good, SIGNALBOX_LINK_LISTEN: text }), /linkListen: .* is not "public"/, text);
  }
});

test("links without secrets, with the fabric stock, or with half a certificate are refused", () => {
  assert.match(findFaults({ SIGNALBOX_LINKS: "us=ws://a" }), /links .* needs linkSecrets/);
  assert.match(findFaults({ SIGNALBOX_LINK_LISTEN: "public" }), /linkListen .* needs linkSecrets/);
  assert.match(findFaults({ ...good, SIGNALBOX_LINKS: "us=ws://a", SIGNALBOX_FABRIC: "stock" }), /is stock/);
  assert.match(findFaults({ SIGNALBOX_LINK_KEY: "/k" }), /belong together/);
});

test("secrets are long enough, several, and never shown", () => {
  const two = `${secret},${secret}x`;
  assert.deepEqual(resolve({ SIGNALBOX_LINK_SECRETS: two }).linkSecrets, [secret, `${secret}x`]);
  const faults = findFaults({ SIGNALBOX_LINK_SECRETS: "tooshort" });
  assert.match(faults, /linkSecrets: the secret value is not/);
  assert.doesNotMatch(faults, /tooshort/);
  assert.doesNotMatch(renderConfigTable(resolveConfig({ flags: {}, environment: good })), /0123456789abc/);
});

test("a socket's path that the system would cut is refused", () => {
  const [longest, tooLong] = [`/${"d".repeat(106)}`, `/${"d".repeat(107)}`];
  assert.equal(findFaults({ ...good, SIGNALBOX_LINK_LISTEN: longest }), "");
  assert.match(findFaults({ ...good, SIGNALBOX_LINK_LISTEN: tooLong }), /linkListen: .* 107 bytes at most/);
  assert.equal(findFaults({ ...good, SIGNALBOX_LINKS: `us=ws+unix:${longest}:/signalbox/link` }), "");
  assert.match(findFaults({ ...good, SIGNALBOX_LINKS: `us=ws+unix:${tooLong}:/` }), /is not a list of regions/);
});

test("links are not taken where something else of the host is", () => {
  const taking = (place: string, more: Record<string, string>): string =>
    findFaults({ ...good, SIGNALBOX_LINK_LISTEN: place, ...more });
  assert.match(taking("/run/app.sock", { SIGNALBOX_LISTEN: "/run/app.sock" }), /are the same socket/);
  assert.match(taking("127.0.0.1:3000", { SIGNALBOX_PORT: "3000" }), /have both the port 3000/);
  assert.match(taking("[::]:9464", { SIGNALBOX_LISTEN: "/run/app.sock" }), /adminPort.* have both the port 9464/);
  assert.equal(taking("127.0.0.1:3000", { SIGNALBOX_LISTEN: "/run/app.sock" }), "");
  assert.equal(taking("10.0.0.1:3000", { SIGNALBOX_PORT: "3000" }), "");
});

test("a password in a URL that is refused is not told again", () => {
  const faults = findFaults({ ...good, SIGNALBOX_LINKS: "us=wss://user:hunter2@us.example.com" });
  assert.match(faults, /us=wss:\/\/…@us\.example\.com/);
});
