import assert from "node:assert/strict";
import {
  chmodSync,
  chownSync,
  lchownSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { RuntimeDirError } from "../../src/errors.js";
import { checkControlSocket } from "../../src/primary/directory-owners.js";

const ownUid = process.getuid?.() ?? 0;
const asRoot = { skip: ownUid !== 0 && "only root can give files to others" };
const serviceUid = 12_345;
const strangerUid = 12_346;

let directory = "";
let server: Server;
let paths = { baseDir: "", instanceDir: "", controlSocketPath: "" };

async function makeIn(parent: string): Promise<void> {
  directory = mkdtempSync(join(parent, "sbx-owner-"));
  const baseDir = join(directory, "base");
  const instanceDir = join(baseDir, "host");
  paths = { baseDir, instanceDir, controlSocketPath: join(instanceDir, "control.sock") };
  mkdirSync(instanceDir, { recursive: true });
  server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(paths.controlSocketPath, resolve);
  });
}

afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true, force: true });
});

function giveTo(uid: number, ...which: readonly (keyof typeof paths)[]): void {
  for (const name of which) chownSync(paths[name], uid, uid);
}

function assertRefused(uid: number, place: keyof typeof paths): void {
  assert.throws(
    () => checkControlSocket(paths, uid),
    (error) => {
      assert.ok(error instanceof RuntimeDirError);
      assert.ok(error.message.startsWith(`${paths[place]} is not a `), error.message);
      return true;
    },
  );
}

describe("in a directory that everybody may write in", () => {
  beforeEach(async () => await makeIn(tmpdir()));

  test("a socket of this user in directories of this user is safe", () => checkControlSocket(paths, ownUid));

  test("the base may be root's, and all else is the user's", asRoot, () => {
    giveTo(serviceUid, "instanceDir", "controlSocketPath");
    checkControlSocket(paths, serviceUid);
    for (const place of ["controlSocketPath", "instanceDir", "baseDir"] as const) {
      giveTo(strangerUid, place);
      assertRefused(serviceUid, place);
    }
  });

  test("somebody else's base is refused for root, whatever is in it", asRoot, () => {
    giveTo(serviceUid, "baseDir", "instanceDir", "controlSocketPath");
    chmodSync(directory, 0o755);
    assertRefused(0, "baseDir");
    giveTo(0, "baseDir");
    assertRefused(0, "instanceDir");
    giveTo(0, "instanceDir");
    assertRefused(0, "controlSocketPath");
  });

  for (const place of ["baseDir", "instanceDir", "controlSocketPath"] as const) {
    test(`a symbolic link is refused as ${place}`, () => {
      const elsewhere = join(directory, "elsewhere");
      renameSync(paths[place], elsewhere);
      symlinkSync(elsewhere, paths[place]);
      lchownSync(paths[place], ownUid, process.getgid?.() ?? 0);
      assertRefused(ownUid, place);
    });
  }

  test("a file is no socket", () => {
    rmSync(paths.controlSocketPath);
    writeFileSync(paths.controlSocketPath, "");
    assertRefused(ownUid, "controlSocketPath");
  });

  test("a socket that is not there is told as the system does", () => {
    assert.throws(() => checkControlSocket({ ...paths, controlSocketPath: join(paths.instanceDir, "none") }, ownUid), {
      code: "ENOENT",
    });
  });
});

describe("in a directory that only root may write in", asRoot, () => {
  beforeEach(async () => {
    await makeIn("/run");
    giveTo(serviceUid, "baseDir", "instanceDir", "controlSocketPath");
  });

  test("root trusts the user whom the base was given to, and nobody else", () => {
    chmodSync(directory, 0o755);
    checkControlSocket(paths, 0);
    assertRefused(strangerUid, "baseDir");
    giveTo(strangerUid, "controlSocketPath");
    assertRefused(0, "controlSocketPath");
    giveTo(strangerUid, "instanceDir");
    assertRefused(0, "instanceDir");
  });

  for (const mode of [0o1777, 0o775]) {
    test(`root trusts nobody else when others may write above the base (mode ${mode.toString(8)})`, () => {
      chmodSync(directory, mode);
      assertRefused(0, "baseDir");
    });
  }

  test("root trusts nobody else when somebody else owns what is above the base", () => {
    chownSync(directory, strangerUid, strangerUid);
    assertRefused(0, "baseDir");
  });
});
