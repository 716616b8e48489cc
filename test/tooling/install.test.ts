/** install.mjs and uninstall.mjs below a directory, as for a package; on a machine with systemd: cluster/systemd-service.test.ts. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { runProgram } from "../support/cli-process.js";
import { projectDir } from "../support/host.js";

const skip = process.env["TEST_SIZE"] === "full" ? false : "at full size";
const directory = mkdtempSync(join(tmpdir(), "sbx-install-"));
after(() => rmSync(directory, { recursive: true }));

interface InstallParts {
  readonly nameInside: (clone: string, directory: string) => string;
  readonly readUsers: (shown: string, prefix: string) => string[];
}
const { nameInside, readUsers } = (await import(join(projectDir, "scripts/install-parts.mjs"))) as InstallParts;

async function runScript(name: string, args: readonly string[]) {
  return await runProgram(process.execPath, [join(projectDir, "scripts", name), "--destdir", directory, ...args]);
}

test("what is installed runs, and is taken off again", { skip }, async () => {
  // By somebody whose files are his own.
  const script = join(projectDir, "scripts/install.mjs");
  const args = [script, "--destdir", directory, "--", "--app", "/srv/app/app.js", "--name", "chat"];
  const installed = await runProgram("sh", ["-c", 'umask 077 && exec "$@"', "sh", process.execPath, ...args]);
  assert.equal(installed.code, 0, installed.stderr);
  const root = join(directory, "opt/signalbox");
  // As an application would: with every package that it needs, and none of the clone's.
  const program = `import { Server } from "socket.io"; import "signalbox/adapter"; console.log(typeof Server)`;
  const { stdout, stderr } = await runProgram(process.execPath, ["--input-type=module", "-e", program], { cwd: root });
  assert.deepEqual([stdout, stderr], ["function\n", ""]);
  assert.ok(!existsSync(join(root, "node_modules/typescript")));
  for (const place of ["opt", "etc/systemd/system", "etc/signalbox", "opt/signalbox"]) {
    assert.equal(statSync(join(directory, place)).mode & 0o777, 0o755, place);
  }
  const unreadable = await runProgram("find", [root, "!", "-perm", "-o=r", "-print"]);
  assert.deepEqual([unreadable.stdout, unreadable.stderr], ["", ""]);
  assert.deepEqual(readdirSync(join(directory, "etc/systemd/system")).sort(), ["chat.service", "chat.socket"]);
  assert.equal(statSync(join(directory, "etc/signalbox/chat.env")).mode & 0o777, 0o600);

  const removed = await runScript("uninstall.mjs", ["--name", "chat", "--purge"]);
  assert.equal(removed.code, 0, removed.stderr);
  assert.ok(!existsSync(root));
  assert.deepEqual(readdirSync(join(directory, "etc/systemd/system")), []);
  assert.deepEqual(readdirSync(join(directory, "etc/signalbox")), []);
});

test("a directory that is somebody else's is neither replaced nor removed", async () => {
  const other = join(directory, "opt/other");
  mkdirSync(other, { recursive: true });
  for (const named of ["other/", "mine"]) {
    // What a replacement would put aside, and what it would be replaced by.
    const kept = ["mine.next", "mine.previous"].map((name) => join(directory, "opt", name, "kept"));
    for (const file of kept) {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, "");
    }
    const args = ["--prefix", `/opt/${named}`, "--", "--app", "/srv/app/app.js"];
    const { code, stderr } = await runScript("install.mjs", args);
    assert.equal(code, 1);
    assert.match(stderr, /opt\/(other|mine\.next) is there, and not made by this program/);
    assert.ok(kept.every((file) => existsSync(file)));
  }
  assert.ok(!existsSync(join(directory, "etc/systemd/system/signalbox.service")));
  assert.match(
    (await runScript("uninstall.mjs", ["--prefix", "/opt/other"])).stdout,
    /was not made by install\.mjs, and stays/,
  );
  assert.ok(existsSync(other));
});

test("a fault in what signalbox systemd is to do leaves the machine as it is", async () => {
  const { code, stderr } = await runScript("install.mjs", ["--", "--app", "/srv/app/app.js", "--port", "x"]);
  assert.equal(code, 1);
  assert.match(stderr, /port: "x" is not a whole number/);
  assert.ok(!existsSync(join(directory, "opt/signalbox")));
});

test("Signalbox stays while another service runs from it", async () => {
  const prefix = join(directory, "opt/shared");
  const units = join(directory, "etc/systemd/system");
  for (const place of [prefix, units]) mkdirSync(place, { recursive: true });
  writeFileSync(join(prefix, ".signalbox-installed"), "");
  for (const name of ["one", "two"]) {
    const text = `[Service]\nExecStart=/usr/bin/node /opt/shared/dist/cli/main.js start\n`;
    writeFileSync(join(units, `${name}.service`), text);
  }
  symlinkSync("/nowhere", join(units, "masked.service"));
  const first = await runScript("uninstall.mjs", ["--name", "one", "--prefix", "/opt/shared/"]);
  assert.deepEqual([first.code, first.stderr], [0, ""]);
  assert.match(first.stdout, /opt\/shared stays: two\.service use it/);
  assert.deepEqual([existsSync(join(units, "one.service")), existsSync(prefix)], [false, true]);
  const second = await runScript("uninstall.mjs", ["--name", "two", "--prefix", "/opt/shared"]);
  assert.deepEqual([second.code, second.stderr, existsSync(prefix)], [0, "", false]);
  rmSync(join(units, "masked.service"));
});

test("services that run from a prefix are found by what systemd shows", () => {
  const show = (id: string, state: string, program: string): string =>
    `Id=${id}\nActiveState=${state}\nExecStart={ path=/usr/bin/node ; argv[]=/usr/bin/node ${program} start ; pid=1 }\n`;
  const shown = [
    show("a.service", "active", "/opt/sb/dist/cli/main.js"),
    show("b@one.service", "activating", "/opt/sb/dist/cli/main.js"),
    show("ended.service", "inactive", "/opt/sb/dist/cli/main.js"),
    show("broken.service", "failed", "/opt/sb/dist/cli/main.js"),
    show("other.service", "active", "/opt/sb2/dist/cli/main.js"),
    show("below.service", "active", "/srv/opt/sb/dist/cli/main.js"),
    "Id=without.service\nActiveState=active\n",
  ].join("\n");
  assert.deepEqual(readUsers(shown, "/opt/sb"), ["a.service", "b@one.service"]);
  assert.deepEqual(readUsers(show("c.service", "active", '"/opt/my sb/dist/cli/main.js"'), "/opt/my sb"), [
    "c.service",
  ]);
  assert.deepEqual(readUsers("", "/opt/sb"), []);
});

test("a package that is not below the clone is not copied beside the prefix", () => {
  assert.equal(nameInside("/a/clone", "/a/clone/node_modules/@x/y"), "node_modules/@x/y");
  assert.throws(() => nameInside("/a/clone", "/a/node_modules/ws"), /\/a\/node_modules\/ws is not in \/a\/clone/);
});

test("a prefix that units would have to spell otherwise is refused", async () => {
  for (const prefix of ["opt/signalbox", "/opt/100%", "/opt/$HOME", "/opt/a\nb"]) {
    const { code, stderr } = await runScript("uninstall.mjs", ["--prefix", prefix]);
    assert.equal(code, 2);
    assert.match(stderr, /^--prefix: .* is not an absolute path of letters/);
  }
});
