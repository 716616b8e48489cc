/** Units that `signalbox systemd` writes for other installations, under a real systemd: several applications, a home directory. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fixturePath } from "../support/host.js";
import { projectInside, type SystemdSandbox, startSandbox } from "../support/systemd-sandbox.js";

const skip = process.env["TEST_SIZE"] === "full" ? false : "at full size";
const app = readFileSync(fixturePath("systemd/service-app.mjs"), "utf8");
const cli = `${projectInside}/dist/cli/main.js`;

async function writeUnits(sandbox: SystemdSandbox, args: readonly string[]): Promise<void> {
  await sandbox.check(["node", cli, "systemd", ...args, "--check", "--out", "/etc/systemd/system"]);
  await sandbox.check(["sh", "-c", "mkdir -p /etc/signalbox && mv /etc/systemd/system/*.env /etc/signalbox/"]);
  await sandbox.check(["systemctl", "daemon-reload"]);
}

async function ask(sandbox: SystemdSandbox, where: readonly string[]): Promise<Record<string, unknown>> {
  return JSON.parse(await sandbox.check(["curl", "-sS", "--max-time", "15", ...where])) as Record<string, unknown>;
}

test("two instances of a template: each its application, socket, user and host key", { skip }, async (t) => {
  await using sandbox = await startSandbox(t);
  if (sandbox === undefined) return;
  await writeUnits(sandbox, ["--template", "--workers", "1", "--fabric", "stock"]);
  for (const name of ["one", "two"]) {
    sandbox.write(`/srv/${name}/app.js`, app);
    sandbox.write(`/srv/${name}/package.json`, '{ "type": "module" }\n');
    sandbox.write(`/etc/signalbox/${name}.env`, "SIGNALBOX_WORKERS=1\n");
    await sandbox.check(["systemctl", "start", `signalbox@${name}.service`]);
    await ask(sandbox, ["--unix-socket", `/run/signalbox-${name}.sock`, "http://host/facts"]);
  }
  const keys = new Set<string | undefined>();
  for (const name of ["one", "two"]) {
    assert.equal(await sandbox.show(`signalbox@${name}.service`, "ActiveState"), "active");
    const said = (await sandbox.readJournal(`signalbox@${name}.service`)).map((entry) => entry.MESSAGE).join("\n");
    keys.add(/host key (\S{4})/.exec(said)?.[1]);
    const pid = await sandbox.show(`signalbox@${name}.service`, "MainPID");
    assert.equal((await sandbox.check(["ps", "-o", "user:32=", "-p", pid])).trim(), `signalbox-${name}`);
  }
  assert.equal(keys.size, 2);
  assert.ok(!keys.has(undefined));
});

test("an application in a private home directory, as a user that exists, at a Unix socket", { skip }, async (t) => {
  await using sandbox = await startSandbox(t);
  if (sandbox === undefined) return;
  await sandbox.check(["useradd", "--create-home", "ann"]);
  await sandbox.check(["useradd", "--create-home", "bob"]);
  sandbox.write("/home/ann/my app/app.mjs", app);
  await sandbox.check(["sh", "-c", "chown -R ann: /home/ann && chmod 700 /home/ann '/home/ann/my app'"]);
  const address = ["--listen", "/run/chat.sock", "--socket-group", "www-data"];
  await writeUnits(sandbox, [
    "--app",
    "/home/ann/my app/app.mjs",
    "--name",
    "chat",
    "--user",
    "ann",
    "--workers",
    "1",
    ...address,
  ]);
  await sandbox.check(["systemctl", "start", "chat.service"]);
  const facts = await ask(sandbox, ["--unix-socket", "/run/chat.sock", "http://host/facts"]);
  assert.deepEqual(facts["home"], ["ann"], "bob's home is not to be seen");
  assert.equal((await sandbox.check(["stat", "-c", "%a %G", "/run/chat.sock"])).trim(), "660 www-data");
});

test("releases behind a link: a reload brings the workers to the new one, and the old one can be removed", {
  skip,
}, async (t) => {
  await using sandbox = await startSandbox(t);
  if (sandbox === undefined) return;
  const release = async (name: string): Promise<void> => {
    sandbox.write(`/srv/chat/releases/${name}/app.mjs`, app.replace('release = "first"', `release = "${name}"`));
    await sandbox.check(["ln", "-sfn", `/srv/chat/releases/${name}`, "/srv/chat/current"]);
  };
  await release("1");
  await writeUnits(sandbox, ["--app", "/srv/chat/current/app.mjs", "--workers", "1", "--drain-timeout-ms", "500"]);
  await sandbox.check(["systemctl", "start", "signalbox.service"]);
  for (const name of ["1", "2", "3"]) {
    if (name !== "1") {
      await release(name);
      await sandbox.check(["systemctl", "reload", "signalbox.service"]);
      await sandbox.check(["rm", "-r", `/srv/chat/releases/${Number(name) - 1}`]);
    }
    const { release: running, directory } = await ask(sandbox, ["http://127.0.0.1:3000/facts"]);
    assert.deepEqual([running, directory], [name, `/srv/chat/releases/${name}`]);
  }
});
