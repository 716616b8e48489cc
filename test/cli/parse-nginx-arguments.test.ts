import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseArguments } from "../../src/cli/parse-arguments.js";
import type { NginxCommandLine } from "../../src/cli/parse-nginx-arguments.js";
import { renderHelp } from "../../src/cli/render-help.js";
import type { SiteOptions } from "../../src/nginx/read-site.js";

function parse(...argv: string[]): NginxCommandLine {
  const parsed = parseArguments(["nginx", ...argv]);
  assert.ok(parsed.kind === "nginx-command");
  return parsed;
}

const nothing: SiteOptions = {
  hosts: [],
  draining: [],
  areAddressesPaths: false,
  serverNames: [],
  path: undefined,
  listen: undefined,
  tls: undefined,
  hasLink: false,
  handshakeLimit: undefined,
  nginxVersion: undefined,
};

describe("signalbox nginx", () => {
  const cases: [argv: string, options: Partial<SiteOptions>, rest?: Partial<NginxCommandLine>][] = [
    ["--host a=b:1 --host=c=d:2", { hosts: ["a=b:1", "c=d:2"] }],
    ["--tls c.pem k.pem --host a=b:1", { tls: ["c.pem", "k.pem"], hosts: ["a=b:1"] }],
    ["--tls=c.pem k.pem", { tls: ["c.pem", "k.pem"] }],
    ["--unix --host a=/b --drain a", { areAddressesPaths: true, hosts: ["a=/b"], draining: ["a"] }],
    [
      "--server-name a --server-name b --path /p --listen 8080",
      { serverNames: ["a", "b"], path: "/p", listen: "8080" },
    ],
    [
      "--link --handshake-limit 1r/s --nginx-version 1.22.1",
      { hasLink: true, handshakeLimit: "1r/s", nginxVersion: "1.22.1" },
    ],
    ["--out x --check", {}, { outPath: "x", isCheckWanted: true }],
  ];
  for (const [argv, options, rest] of cases) {
    test(argv, () => {
      const { options: found, outPath, isCheckWanted, faults } = parse(...argv.split(" "));
      assert.deepEqual(found, { ...nothing, ...options });
      assert.deepEqual({ outPath, isCheckWanted }, { outPath: undefined, isCheckWanted: false, ...rest });
      assert.deepEqual(faults, []);
    });
  }

  const mistakes: [argv: string, faults: readonly string[]][] = [
    ["--host", ["the flag --host needs a value: KEY=ADDRESS"]],
    ["--host=", ["the flag --host needs a value: KEY=ADDRESS"]],
    ["--tls c.pem --check", ["the flag --tls needs 2 values: CERT KEY"]],
    ["--check=yes", ["the flag --check needs no value"]],
    ["--path /a --path /b", ["the flag --path is given twice"]],
    ["example.com", ['the argument "example.com" is one too many for nginx']],
    ["--hots a=b:1", ["--hots is not a flag of nginx; did you mean --host?"]],
    ["--workers 4", ["--workers is not a flag of nginx", 'the argument "4" is one too many for nginx']],
  ];
  for (const [argv, faults] of mistakes) {
    test(`${argv} is a mistake`, () => assert.deepEqual(parse(...argv.split(" ")).faults, faults));
  }

  test("has a help that names every flag with its values", () => {
    assert.deepEqual(parseArguments(["nginx", "--host", "--help"]), { kind: "help", command: "nginx" });
    for (const line of ["--host KEY=ADDRESS", "--tls CERT KEY", "--unix", "--check", "--out FILE", "--help"]) {
      assert.ok(renderHelp("nginx").includes(line), line);
    }
  });
});
