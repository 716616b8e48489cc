/** install.mjs and uninstall.mjs below a directory, as for a package; on a machine with systemd: cluster/systemd-service.test.ts. */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { runProgram } from "../support/cli-process.js";
import { projectDir } from "../support/host.js";

const skip = process.env["TEST_SIZE"] === "full" ? false : "at full size";
const directory = mkdtempSync(join(tmpdir(), "sbx-install-"));
after(() => rmSync(directory, { recursive: true }));

async function runScript(name: string, args: readonly string[]) {
  return await runProgram(process.execPath, [join(projectDir, "scripts", name), "--destdir", directory, ...args]);
}

test("what is installed runs, and is taken off again", { skip }, async () => {
  const installed = await runScript("install.mjs", ["--", "--app", "/srv/app/app.js", "--name", "chat"]);
  assert.equal(installed.code, 0, installed.stderr);
  const root = join(directory, "opt/signalbox");
  // As an application would: with every package that it needs, and none of the clone's.
  const program = `import { Server } from "socket.io"; import "signalbox/adapter"; console.log(typeof Server)`;
  const { stdout, stderr } = await runProgram(process.execPath, ["--input-type=module", "-e", program], { cwd: root });
  assert.deepEqual([stdout, stderr], ["function\n", ""]);
  assert.ok(!existsSync(join(root, "node_modules/typescript")));
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
  const { code, stderr } = await runScript("install.mjs", ["--prefix", "/opt/other", "--", "--app", "/srv/app/app.js"]);
  assert.equal(code, 1);
  assert.match(stderr, /not made by this program/);
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
