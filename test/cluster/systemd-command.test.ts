import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { runCli } from "../support/cli-process.js";
import { findProgram, skipOrFail } from "../support/prerequisite.js";

const directory = mkdtempSync(join(tmpdir(), "sbx-systemd-"));
after(() => rmSync(directory, { recursive: true }));

/** Of a machine that is not this one. */
const elsewhere = ["--node", "/usr/bin/node", "--signalbox", "/opt/signalbox"];

describe("signalbox systemd", { concurrency: 3 }, () => {
  test("prints the units and the settings, for the paths and settings that are given", async () => {
    const settings = ["--port", "8080", "--drain-timeout-ms", "60000"];
    const env = { SIGNALBOX_WORKERS: "2" };
    const { code, stdout, stderr } = await runCli(
      ["systemd", "--app", "/srv/chat/app.js", ...settings, ...elsewhere],
      env,
    );
    assert.deepEqual({ code, stderr }, { code: 0, stderr: "" });
    assert.match(stdout, /^ExecStart=\/usr\/bin\/node \/opt\/signalbox\/dist\/cli\/main\.js start$/m);
    assert.match(stdout, /^WorkingDirectory=\/srv\/chat$/m);
    assert.match(stdout, /^ListenStream=127\.0\.0\.1:8080$/m);
    assert.match(stdout, /^TimeoutStopSec=70$/m);
    assert.match(stdout, /^TimeoutStartSec=630$/m);
    const printed = stdout.slice(stdout.indexOf("/etc/signalbox/signalbox.env\n#")).match(/^SIGNALBOX_.*$/gm);
    assert.deepEqual(printed, [
      "SIGNALBOX_APP=/srv/chat/app.js",
      "SIGNALBOX_HOST=127.0.0.1",
      "SIGNALBOX_PORT=8080",
      "SIGNALBOX_WORKERS=2",
      "SIGNALBOX_DRAIN_TIMEOUT_MS=60000",
    ]);
  });

  test("writes them; the settings only once, and for their owner alone", async () => {
    const out = join(directory, "out");
    const args = [
      "systemd",
      "--app",
      "/srv/chat/app.js",
      "--name",
      "chat",
      "--user",
      "chat",
      "--out",
      out,
      ...elsewhere,
    ];
    assert.equal((await runCli(args)).code, 0);
    assert.deepEqual(readdirSync(out).sort(), ["chat.env", "chat.service", "chat.socket"]);
    assert.equal(statSync(join(out, "chat.env")).mode & 0o777, 0o600);
    assert.match(readFileSync(join(out, "chat.service"), "utf8"), /^User=chat$/m);
    writeFileSync(join(out, "chat.env"), "SIGNALBOX_PORT=1\n");
    const { stderr } = await runCli(args);
    assert.match(stderr, /chat\.env is there already, and stays/);
    assert.equal(readFileSync(join(out, "chat.env"), "utf8"), "SIGNALBOX_PORT=1\n");
  });

  test("an application under a home directory is seen, and nothing else of the homes", async (t) => {
    const home = mkdtempSync(join(homedir(), "sbx-home-"));
    t.after(() => rmSync(home, { recursive: true }));
    if (!home.startsWith("/home/") && !home.startsWith("/root/"))
      return t.skip(`${home} is no home directory of Linux`);
    mkdirSync(join(home, "app/node_modules"), { recursive: true });
    mkdirSync(join(home, "app/src"));
    writeFileSync(join(home, "app/src/main.js"), "", { mode: 0o600 });
    const { stdout, stderr } = await runCli(["systemd", "--app", join(home, "app/src/main.js"), ...elsewhere]);
    assert.match(stdout, /^ProtectHome=tmpfs$/m);
    assert.deepEqual(stdout.match(/^BindReadOnlyPaths=.*$/gm), [`BindReadOnlyPaths=${home}/app`]);
    assert.match(stdout, new RegExp(`^WorkingDirectory=${home}/app$`, "m"));
    assert.match(stderr, /Under a home directory: .*\/app\./);
    assert.match(stderr, /main\.js cannot be read by other users/);
  });

  test("takes over what the application has in an env file, and lets the service see the certificates of Redis", async () => {
    const envFile = join(directory, "chat-variables");
    writeFileSync(envFile, "DATABASE_URL='postgres://a b'\nSIGNALBOX_WORKERS=3\nKEY=\"one\ntwo\"\n");
    const settings = ["--redis-url", "rediss://redis", "--redis-ca", "/home/ann/ca.pem", "--env-file", envFile];
    const { stdout, stderr } = await runCli(["systemd", "--app", "/srv/chat/app.js", ...settings, ...elsewhere]);
    assert.match(stdout, /^DATABASE_URL="postgres:\/\/a b"$/m, stderr);
    assert.match(stdout, /^KEY="one\ntwo"$/m);
    assert.match(stdout, /^SIGNALBOX_WORKERS=3$/m);
    assert.match(stdout, /^BindReadOnlyPaths=\/home\/ann\/ca\.pem$/m);
  });

  test("takes over the secrets of links, and lets the service see their certificates", async () => {
    const secrets = ["first", "second"].map((name) => name.padEnd(32, "x")).join(",");
    const links = ["--region", "eu", "--links", "us=wss://us.example.com/signalbox/link"];
    const files = [
      "--link-ca",
      "/home/ann/ca.pem",
      "--link-certificate",
      "/home/ann/a.pem",
      "--link-key",
      "/home/ann/a.key",
    ];
    const args = ["systemd", "--app", "/srv/chat/app.js", ...links, ...files, ...elsewhere];
    const { stdout, stderr } = await runCli(args, { SIGNALBOX_LINK_SECRETS: secrets });
    assert.ok(stdout.includes(`\nSIGNALBOX_LINK_SECRETS=${secrets}\n`), stderr);
    const seen = stdout.match(/^BindReadOnlyPaths=.*$/gm);
    assert.deepEqual(
      seen,
      ["a.key", "a.pem", "ca.pem"].map((name) => `BindReadOnlyPaths=/home/ann/${name}`),
    );
  });

  test("says every fault, of the settings and of its own flags", async () => {
    const { code, stderr } = await runCli(["systemd", "--port", "x", "--out"]);
    assert.equal(code, 2);
    assert.match(stderr, /the flag --out needs a value/);
    assert.match(stderr, /port: "x" is not a whole number/);
    const missing = await runCli(["systemd", ...elsewhere]);
    assert.match(missing.stderr, /--app is missing/);
    assert.equal(missing.code, 2);
  });

  test("--check has systemd look at the units", async (t) => {
    if (findProgram("systemd-analyze") === undefined) {
      return skipOrFail(t, "systemd-analyze is missing; apt-get install systemd installs it");
    }
    const args = ["systemd", "--check", "--app", "/srv/chat/app.js", "--signalbox", "/opt/signalbox"];
    const { code, stderr } = await runCli([...args, "--node", process.execPath]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /Overall exposure level for signalbox\.service: [01]\.\d/);
    const refused = await runCli([...args, "--node", "/nowhere/node", "--out", join(directory, "refused")]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /\/nowhere\/node/);
    assert.throws(() => readdirSync(join(directory, "refused")));
  });
});
