/** `signalbox nginx` as it is run: what it prints, writes and refuses, and what the nginx installed here says of it. */

import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { checkSite, findNginx } from "../../src/cli/nginx-program.js";
import { readGoodSite } from "../nginx/example-site.js";
import { runCli } from "../support/cli-process.js";
import { isNginxMissing, makeCertificate } from "../support/nginx.js";
import { findProgram, skipOrFail } from "../support/prerequisite.js";

const directory = mkdtempSync(join(tmpdir(), "sbx-nginx-"));
after(() => rmSync(directory, { recursive: true }));

/** As many as nobody has, with keys that differ in case too. */
function nameHosts(count: number): string[] {
  return Array.from({ length: count }, (_, index) => [
    "--host",
    `${index % 2 === 0 ? "h" : "H"}${String(index >> 1).padStart(3, "0")}=10.0.${index >> 8}.${index & 255}:3000`,
  ]).flat();
}

describe("signalbox nginx", { timeout: 60_000, concurrency: 2 }, () => {
  for (const count of [1, 2, 50, 500]) {
    test(`writes what nginx takes, for ${count} hosts`, (t) => {
      if (isNginxMissing(t)) return;
      const hosts = nameHosts(count).filter((word) => word !== "--host");
      checkSite(readGoodSite({ hosts, handshakeLimit: "20r/s", hasLink: true, nginxVersion: "1.22.1" }), findNginx());
      checkSite(readGoodSite({ hosts, draining: hosts.slice(1, 2).map((host) => host.slice(0, 4)) }), findNginx());
    });
  }

  test("writes for the nginx installed here, has it check TLS and sockets, and leaves nothing behind", async (t) => {
    if (isNginxMissing(t)) return;
    if (findProgram("openssl") === undefined) return skipOrFail(t, "openssl is not installed");
    const { certificatePath, keyPath } = await makeCertificate(directory);
    const out = join(directory, "site.conf");
    const flags = [
      "--unix",
      "--host",
      "h001=/run/1.sock",
      "--host",
      "h002=/run/2.sock",
      "--server-name",
      "*.example.com",
    ];
    const env = { TMPDIR: mkdtempSync(join(directory, "tmp-")) };
    const { code, stdout, stderr } = await runCli(
      ["nginx", ...flags, "--tls", certificatePath, keyPath, "--check", "--out", out],
      env,
    );
    assert.deepEqual({ code, stdout, stderr }, { code: 0, stdout: "", stderr: "" });
    const text = readFileSync(out, "utf8");
    assert.match(text, /^# nginx 1\.\d+\.\d+ or later in front of 2 Signalbox hosts\./);
    assert.match(text, /listen 443 ssl/);
    assert.match(text, /access_log \/var\/log\/nginx\/signalbox\.log/);
    assert.deepEqual(readdirSync(env.TMPDIR), []);
  });

  test("with --check says what nginx has against it, and writes nothing", async (t) => {
    if (isNginxMissing(t)) return;
    const out = join(directory, "refused.conf");
    const args = ["nginx", "--host", "h001=a:1", "--tls", "/nowhere/c.pem", "/nowhere/k.pem", "--check", "--out", out];
    const { code, stdout, stderr } = await runCli(args);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(
      stderr,
      /^signalbox: nginx refuses this configuration:\n[\s\S]*(host not found|cannot load certificate)/,
    );
    assert.ok(!readdirSync(directory).includes("refused.conf"));
  });

  test("with --check says when there is no nginx", () => {
    assert.throws(() => checkSite(readGoodSite(), findNginx(["/nowhere/nginx"])), {
      code: "SIGNALBOX_NGINX_CHECK_FAILED",
      message: /^--check needs nginx, which is not installed here/,
    });
  });

  test("prints the same for the same, and names all that is wrong at once", async () => {
    const args = ["nginx", ...nameHosts(2), "--nginx-version", "1.18.0"];
    const [first, second] = await Promise.all([runCli(args), runCli(args)]);
    assert.deepEqual([first.code, first.stderr, first.stdout], [0, "", second.stdout]);

    const wrong = await runCli(["nginx", "--host", "h001=a:1;", "--path", "/x{", "--hots", "--out", "/nowhere/x"]);
    assert.deepEqual([wrong.code, wrong.stdout], [2, ""]);
    assert.match(wrong.stderr, /^signalbox: The nginx configuration cannot be written; 3 faults:\n( {2}- .*\n){3}$/);

    const unwritable = await runCli([...args, "--out", "/nowhere/x"]);
    assert.deepEqual([unwritable.code, unwritable.stdout], [2, ""]);
    assert.match(unwritable.stderr, /^signalbox: --out: the file cannot be written \(ENOENT/);
  });
});
