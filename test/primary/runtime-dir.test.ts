import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { ListenError, RuntimeDirError } from "../../src/errors.js";
import { prepareRuntimeDir } from "../../src/primary/runtime-dir.js";
import type { RuntimePaths } from "../../src/primary/runtime-paths.js";
import { isSomebodyListening } from "../../src/unix-sockets.js";

const uid = process.getuid?.() ?? 0;
let directory = "";
let paths: RuntimePaths = { baseDir: "", instanceDir: "", controlSocketPath: "", routerSocketPath: "" };

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "sbx-dir-"));
  const baseDir = join(directory, "base");
  const instanceDir = join(baseDir, "host");
  paths = {
    baseDir,
    instanceDir,
    controlSocketPath: join(instanceDir, "control.sock"),
    routerSocketPath: join(instanceDir, "router.sock"),
  };
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

async function listenOn(path: string): Promise<Server> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(path, resolve);
  });
  return server;
}

/** A socket file as a killed process leaves it: closing the listener would take it away. */
async function leaveStaleSocket(path: string): Promise<void> {
  const hidden = `${path}.live`;
  const server = await listenOn(path);
  renameSync(path, hidden);
  await new Promise((resolve) => server.close(resolve));
  renameSync(hidden, path);
}

function readMode(path: string): number {
  return lstatSync(path).mode & 0o777;
}

test("the directory of a host is made for its user alone, with those above it", async () => {
  await prepareRuntimeDir(paths, uid);
  assert.equal(readMode(paths.baseDir), 0o700);
  assert.equal(readMode(paths.instanceDir), 0o700);
});

test("a second start in the same place is fine once nobody answers there", async () => {
  await prepareRuntimeDir(paths, uid);
  // Of a process that cannot exist: pids end below.
  writeFileSync(join(paths.instanceDir, "lock"), "99999999");
  await prepareRuntimeDir(paths, uid);
  assert.deepEqual(readdirSync(paths.instanceDir), ["lock"]);
});

test("sockets that a killed host left are removed, and other files are not", async () => {
  await prepareRuntimeDir(paths, uid);
  await leaveStaleSocket(paths.controlSocketPath);
  await leaveStaleSocket(join(paths.instanceDir, "w0-123.sock"));
  writeFileSync(join(paths.instanceDir, "notes.txt"), "");
  await prepareRuntimeDir(paths, uid);
  assert.deepEqual(readdirSync(paths.instanceDir).sort(), ["lock", "notes.txt"]);
});

test("of two starts in the same moment one gets the place, and the other leaves it alone", async () => {
  const starts = await Promise.allSettled([
    prepareRuntimeDir(paths, uid).then(async () => await listenOn(paths.controlSocketPath)),
    prepareRuntimeDir(paths, uid),
  ]);
  const [winner, loser] = starts;
  assert.equal(winner?.status, "fulfilled");
  assert.equal(loser?.status, "rejected");
  assert.deepEqual(readdirSync(paths.instanceDir).sort(), ["control.sock", "lock"]);
  if (winner.status === "fulfilled") winner.value.close();
});

test("a host that answers on its control socket is left alone", async () => {
  await prepareRuntimeDir(paths, uid);
  const server = await listenOn(paths.controlSocketPath);
  try {
    await assert.rejects(prepareRuntimeDir(paths, uid), (error) => {
      assert.ok(error instanceof ListenError);
      assert.equal(error.code, "SIGNALBOX_ALREADY_RUNNING");
      assert.ok(error.message.includes(paths.controlSocketPath));
      return true;
    });
    assert.ok(existsSync(paths.controlSocketPath));
  } finally {
    server.close();
  }
});

test("a host's directory that others may enter is closed to them, and the base is left as it was", async () => {
  mkdirSync(paths.instanceDir, { recursive: true });
  for (const path of [paths.baseDir, paths.instanceDir]) chmodSync(path, 0o755);
  await prepareRuntimeDir(paths, uid);
  assert.equal(readMode(paths.instanceDir), 0o700);
  assert.equal(readMode(paths.baseDir), 0o755);
});

describe("it is refused when its place is taken by", () => {
  const isUnsafe = (error: unknown): boolean => {
    assert.ok(error instanceof RuntimeDirError);
    assert.equal(error.code, "SIGNALBOX_RUNTIME_DIR_UNSAFE");
    assert.match(error.message, /SIGNALBOX_RUNTIME_DIR/);
    return true;
  };

  test("a directory of somebody else", async () => {
    mkdirSync(paths.instanceDir, { recursive: true });
    await assert.rejects(prepareRuntimeDir(paths, uid + 1), isUnsafe);
  });

  test("a base directory that neither this user nor root owns", {
    skip: uid !== 0 && "only root can make one",
  }, async () => {
    mkdirSync(paths.baseDir);
    chownSync(paths.baseDir, 12_345, 12_345);
    await assert.rejects(prepareRuntimeDir(paths, uid), isUnsafe);
  });

  test("a symbolic link", async () => {
    const elsewhere = join(directory, "elsewhere");
    mkdirSync(elsewhere);
    symlinkSync(elsewhere, paths.baseDir);
    await assert.rejects(prepareRuntimeDir(paths, uid), isUnsafe);
    assert.deepEqual(readdirSync(elsewhere), []);
  });

  test("a symbolic link to nowhere", async () => {
    symlinkSync(join(directory, "nowhere"), paths.baseDir);
    await assert.rejects(prepareRuntimeDir(paths, uid), isUnsafe);
  });

  test("a file", async () => {
    writeFileSync(paths.baseDir, "");
    await assert.rejects(prepareRuntimeDir(paths, uid), isUnsafe);
  });

  test("a file where a directory above it should be", async () => {
    writeFileSync(join(directory, "file"), "");
    const baseDir = join(directory, "file", "base");
    await assert.rejects(prepareRuntimeDir({ ...paths, baseDir }, uid), isUnsafe);
  });
});

test("at the end what was made goes, the base last of all", async () => {
  const removeFirst = await prepareRuntimeDir(paths, uid);
  const other = { ...paths, instanceDir: join(paths.baseDir, "other") };
  const removeOther = await prepareRuntimeDir(other, uid);
  removeOther();
  assert.deepEqual(readdirSync(paths.baseDir), ["host"]);
  removeFirst();
  assert.equal(existsSync(paths.baseDir), false);
  assert.doesNotThrow(removeFirst);
});

test("at the end a base in which another host lives stays", async () => {
  const removeFirst = await prepareRuntimeDir(paths, uid);
  await prepareRuntimeDir({ ...paths, instanceDir: join(paths.baseDir, "other") }, uid);
  removeFirst();
  assert.deepEqual(readdirSync(paths.baseDir), ["other"]);
});

test("at the end a base that was there before stays", async () => {
  mkdirSync(paths.baseDir);
  const remove = await prepareRuntimeDir(paths, uid);
  remove();
  assert.deepEqual(readdirSync(paths.baseDir), []);
});

test("somebody listens on a live socket, and nobody on a stale one, a file or nothing", async () => {
  const live = join(directory, "live.sock");
  const stale = join(directory, "stale.sock");
  const file = join(directory, "file.sock");
  const server = await listenOn(live);
  await leaveStaleSocket(stale);
  writeFileSync(file, "");
  try {
    assert.equal(await isSomebodyListening(live), true);
    assert.equal(await isSomebodyListening(stale), false);
    assert.equal(await isSomebodyListening(file), false);
    assert.equal(await isSomebodyListening(join(directory, "none.sock")), false);
  } finally {
    server.close();
  }
});
