import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";
import fc from "fast-check";
import { readSite, type SiteOptions } from "../../src/nginx/read-site.js";
import { renderSite } from "../../src/nginx/render-site.js";
import { projectDir } from "../support/host.js";
import { type Directive, findDirectives, outline, readDirectives } from "./directives.js";
import { plainOptions, readCommand, readGoodSite } from "./example-site.js";

function render(options: Partial<SiteOptions> = {}): Directive[] {
  return readDirectives(renderSite(readGoodSite(options)));
}

function one(directives: readonly Directive[], ...words: string[]): Directive {
  const found = findDirectives(directives, words[0] ?? "").filter((each) =>
    words.every((word, index) => each.words[index] === word),
  );
  assert.equal(found.length, 1, `${words.join(" ")} is there once`);
  return found[0] as Directive;
}

/** The group that a map of the text gives for a value. */
function lookUp(map: Directive, value: string): string {
  const entries = (map.block ?? []).map(({ words: [key = "", result = ""] }) => ({ key, result }));
  const fallback = entries.find(({ key }) => key === "default")?.result ?? "";
  const exact = entries.find(({ key }) => key !== "default" && !key.startsWith("~") && key === value);
  const pattern = entries.find(({ key }) => key.startsWith("~") && new RegExp(key.slice(1)).test(value));
  return (exact ?? pattern)?.result ?? fallback;
}

function serversOf(directives: readonly Directive[], group: string): string[] {
  return findDirectives(one(directives, "upstream", group).block ?? [], "server").map(({ words }) =>
    words.slice(1).join(" "),
  );
}

const keys = fc.stringMatching(/^[A-Za-z0-9_-]{4}$/);

describe("which host gets a request", () => {
  test("the one whose key its session id begins with, and that one alone", () => {
    fc.assert(
      fc.property(fc.uniqueArray(keys, { minLength: 1, maxLength: 20 }), fc.string(), (hostKeys, rest) => {
        const text = render({ hosts: hostKeys.map((key, index) => `${key}=10.0.0.1:${index + 1}`) });
        const map = one(text, "map", "$arg_sid");
        for (const [index, key] of hostKeys.entries()) {
          assert.deepEqual(serversOf(text, lookUp(map, key + rest)), [`10.0.0.1:${index + 1} max_fails=0`]);
        }
      }),
    );
  });

  test("any of them, when there is no session id, or that of a host that is not there", () => {
    const text = render();
    const map = one(text, "map", "$arg_sid");
    for (const sid of ["", "H001AAAAAAAAAAAAAAAA", "xh001AAAAAAAAAAAAAAA", "h003"]) {
      const servers = serversOf(text, lookUp(map, sid));
      assert.deepEqual(servers, [
        "10.0.0.1:3000 max_fails=5 fail_timeout=5s",
        "10.0.0.2:3000 max_fails=5 fail_timeout=5s",
      ]);
    }
  });

  test("no new session for one that drains, and its own sessions still", () => {
    const text = render({ draining: ["h002"] });
    assert.deepEqual(serversOf(text, "signalbox_sessions")[1], "10.0.0.2:3000 max_fails=5 fail_timeout=5s down");
    assert.deepEqual(serversOf(text, "signalbox_pages")[1], "10.0.0.2:3000 max_fails=0 down");
    const group = lookUp(one(text, "map", "$arg_sid"), "h002AAAAAAAAAAAAAAAA");
    assert.deepEqual(serversOf(text, group), ["10.0.0.2:3000 max_fails=0"]);
  });

  test("with the path that the application has", () => {
    const path = one(render({ path: "/chat" }), "location", "=", "/chat/");
    assert.deepEqual(path.block?.[0]?.words, ["proxy_pass", "http://$signalbox_upstream"]);
  });
});

describe("what the versions of nginx know", () => {
  const tls = ["/c.pem", "/k.pem"] as const;
  const cases: [version: string, listen: string, hasDirective: boolean][] = [
    ["1.18.0", "listen 443 ssl http2", false],
    ["1.25.0", "listen 443 ssl http2", false],
    ["1.25.1", "listen 443 ssl", true],
    ["1.31.3", "listen 443 ssl", true],
  ];
  for (const [nginxVersion, listen, hasDirective] of cases) {
    test(`${nginxVersion}: ${listen}${hasDirective ? " and http2 on" : ""}`, () => {
      const text = render({ tls, nginxVersion });
      const servers = findDirectives(text, "server").filter(({ block }) => block !== undefined);
      const listens = findDirectives(servers.at(-1)?.block ?? [], "listen").map(({ words }) => words.join(" "));
      assert.deepEqual(listens, [listen]);
      assert.equal(findDirectives(text, "http2").length, hasDirective ? 1 : 0);
      assert.deepEqual(one(text, "return", "308").words, ["return", "308", "https://$host$request_uri"]);
    });
  }

  test("without TLS all get the same", () => {
    assert.deepEqual(outline(render({ nginxVersion: "1.18.0" })), outline(render({ nginxVersion: "1.31.3" })));
  });
});

describe("options that are off", () => {
  test("the link of regions is closed, and open with --link", () => {
    const find = (text: Directive[]) => one(text, "location", "=", "/signalbox/link").block?.map(({ words }) => words);
    assert.deepEqual(find(render()), [["return", "404"]]);
    assert.deepEqual(find(render({ hasLink: true })), [["proxy_pass", "http://signalbox_links"]]);
  });

  test("there is no limit on handshakes, and with --handshake-limit for whatever path nginx makes of a request", () => {
    assert.deepEqual(findDirectives(render(), "limit_req"), []);
    const text = render({ handshakeLimit: "20r/s" });
    assert.equal(one(text, "limit_req_zone").words[3], "rate=20r/s");
    const site = text.find(({ words }) => words[0] === "server");
    const limit = site?.block?.find(({ words }) => words[0] === "limit_req");
    assert.deepEqual(limit?.words.slice(1), ["zone=signalbox_handshakes", "burst=20", "nodelay"]);
  });

  test("TLS is 1.2 or later, and its sessions are forgotten with their process", () => {
    const text = render({ tls: ["/c", "/k"] });
    assert.deepEqual(one(text, "ssl_protocols").words.slice(1), ["TLSv1.2", "TLSv1.3"]);
    assert.deepEqual(one(text, "ssl_session_tickets").words.slice(1), ["off"]);
  });

  test("whatever the limit lets pass uncounted has a session id for Engine.IO as well", () => {
    const map = one(render({ handshakeLimit: "20r/s" }), "map", "$request_uri");
    assert.equal(lookUp(map, "/socket.io/?EIO=4&transport=polling&t=x&sid=h001AAAAAAAAAAAAAAAA"), "");
    assert.equal(lookUp(map, "/socket.io/?EIO=4&transport=websocket&sid=h001AAAAAAAAAAAAAAAA"), "");
    assert.equal(lookUp(map, "/page"), "");
    assert.equal(lookUp(map, "/socketAio/?EIO=4"), "");
    for (const target of [
      "/socket.io/?EIO=4",
      "/socket.io/",
      "/socket.io/x",
      "/socket.io/../x?EIO=4",
      "/socket.io/%2e%2e/x?EIO=4",
    ]) {
      assert.equal(lookUp(map, target), "$binary_remote_addr", target);
    }
    const part = fc.constantFrom("sid", "SID", "s%69d", "=", "&", "x", "EIO=4", "#", "%", "+", "h001AAAAAAAAAAAAAAAA");
    fc.assert(
      fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
        const args = parts.join("");
        if (lookUp(map, `/socket.io/?${args}`) !== "") return;
        // As Engine.IO reads it (engine.io 6.6, `server.js`).
        const query = Object.fromEntries(new URL(`http://host/socket.io/?${args}`).searchParams.entries());
        assert.ok(query["sid"], args);
      }),
      { numRuns: 3_000 },
    );
  });
});

describe("what is written", () => {
  /** A good value for one option, and where it goes. */
  const places: [good: string, put: (text: string) => Partial<SiteOptions>][] = [
    ["a.example:80", (text) => ({ hosts: [`h001=${text}`] })],
    ["unix:/run/a.sock", (text) => ({ hosts: [`h001=${text}`] })],
    ["h001=a:1", (text) => ({ hosts: [text] })],
    ["*.example.com", (text) => ({ serverNames: [text] })],
    ["/socket.io/", (text) => ({ path: text })],
    ["127.0.0.1:8443", (text) => ({ listen: text })],
    ["/etc/c.pem", (text) => ({ tls: [text, "/k"] })],
    ["/etc/k.pem", (text) => ({ tls: ["/c", text] })],
    ["20r/s", (text) => ({ handshakeLimit: text })],
  ];
  const insertions = fc.oneof(
    fc.string({ unit: fc.constantFrom(...`ab1.:;{}$"'\\# \n\t=~*/-_`), maxLength: 4 }),
    fc.string({ unit: "binary", maxLength: 4 }),
    fc.constantFrom("; }", "\n}", '";', "$x", "#", "\\;", "\0"),
  );

  for (const [good, put] of places) {
    test(`has the same directives whatever is put into ${good}`, () => {
      const base: Partial<SiteOptions> = {
        hosts: ["h001=a:1"],
        tls: ["/c", "/k"],
        listen: "1",
        handshakeLimit: "1r/s",
      };
      const expected = JSON.stringify(outline(render({ ...base, ...put(good) })));
      let accepted = 0;
      fc.assert(
        fc.property(insertions, fc.nat(good.length), (insertion, at) => {
          const options = { ...plainOptions, ...base, ...put(good.slice(0, at) + insertion + good.slice(at)) };
          const read = readSite(options, undefined);
          if (read.kind === "faults") return;
          accepted++;
          assert.equal(JSON.stringify(outline(readDirectives(renderSite(read.site)))), expected);
        }),
        { numRuns: 300 },
      );
      assert.ok(accepted > 0);
    });
  }

  test("says the command that writes it again", () => {
    const options: Partial<SiteOptions> = {
      hosts: ["h001=10.0.0.1:3000", "hh-_=unix:/run/x.sock"],
      draining: ["h001"],
      serverNames: ["example.com", "www.example.com"],
      path: "/chat",
      listen: "8443",
      tls: ["/c.pem", "/k.pem"],
      hasLink: true,
      handshakeLimit: "20r/s",
      nginxVersion: "1.22.1",
    };
    for (const text of [renderSite(readGoodSite(options)), renderSite(readGoodSite())]) {
      assert.equal(renderSite(readCommand(text).site), text);
    }
  });
});

test("nginx/signalbox.conf is what the command in its head writes", () => {
  const path = join(projectDir, "nginx/signalbox.conf");
  const text = readFileSync(path, "utf8");
  const { command, site } = readCommand(text);
  const hint = `It is written by: node dist/cli/main.js ${command} --out nginx/signalbox.conf`;
  assert.equal(text, renderSite(site), hint);
  assert.deepEqual(
    site.hosts.map(({ hostKey }) => hostKey),
    ["h001", "h002"],
  );
});
