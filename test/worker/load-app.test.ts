import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { AppStartError, type SignalboxErrorCode } from "../../src/errors.js";
import { type LoadedApp, loadApp, loadSocketIo } from "../../src/worker/load-app.js";

const directory = mkdtempSync(join(tmpdir(), "sbx-app-"));
after(() => rmSync(directory, { recursive: true, force: true }));

let written = 0;

/** Writes a module under a name of its own: Node loads each path once. */
function writeApp(extension: string, text: string): string {
  written++;
  const path = join(directory, `app-${written}${extension}`);
  writeFileSync(path, text);
  return path;
}

async function runApp(app: LoadedApp): Promise<unknown> {
  assert.ok(app.start !== undefined);
  return await (app.start as unknown as (io: string) => unknown)("io");
}

async function rejectsWith(code: SignalboxErrorCode, path: string, message: RegExp): Promise<void> {
  await assert.rejects(loadApp(path), (error) => {
    assert.ok(error instanceof AppStartError);
    assert.equal(error.code, code);
    assert.match(error.message, message);
    assert.ok(error.message.includes(path));
    return true;
  });
}

const compiledFromEsm = `Object.defineProperty(exports, "__esModule", { value: true });
exports.serverOptions = { pingInterval: 7 };
exports.default = (io) => io + "!";`;

describe("the default export and the server options are found in", () => {
  const cases: [string, string, string][] = [
    ["an .mjs module", ".mjs", 'export default (io) => io + "!"; export const serverOptions = { pingInterval: 7 };'],
    [
      "an async function",
      ".mjs",
      'export default async (io) => io + "!"; export const serverOptions = { pingInterval: 7 };',
    ],
    [
      "a .ts module",
      ".ts",
      'export default (io: string): string => io + "!"; export const serverOptions = { pingInterval: 7 };',
    ],
    [
      "an .mts module",
      ".mts",
      'export default (io: string): string => io + "!"; export const serverOptions = { pingInterval: 7 };',
    ],
    [
      "a .cts module",
      ".cts",
      'export default (io: string): string => io + "!"; export const serverOptions = { pingInterval: 7 };',
    ],
    [
      "a CommonJS module whose export is a function",
      ".cjs",
      'module.exports = (io) => io + "!"; module.exports.serverOptions = { pingInterval: 7 };',
    ],
    ["a CommonJS module compiled from ESM", ".cjs", compiledFromEsm],
    ["a .js module of a package without a type", ".js", compiledFromEsm],
  ];
  for (const [what, extension, text] of cases) {
    test(what, async () => {
      const app = await loadApp(writeApp(extension, text));
      assert.equal(await runApp(app), "io!");
      assert.deepEqual(app.serverOptions, { pingInterval: 7 });
    });
  }

  test("a .js module of an ESM package", async () => {
    const packageDir = mkdtempSync(join(directory, "package-"));
    writeFileSync(join(packageDir, "package.json"), '{"type":"module"}');
    const path = join(packageDir, "app.js");
    writeFileSync(path, 'export default (io) => io + "!"; export const serverOptions = { pingInterval: 7 };');
    const app = await loadApp(path);
    assert.equal(await runApp(app), "io!");
    assert.deepEqual(app.serverOptions, { pingInterval: 7 });
  });

  test("a path with characters that a URL must encode", async () => {
    const path = join(directory, "my app #1 100%.mjs");
    writeFileSync(path, 'export default (io) => io + "!";');
    assert.equal(await runApp(await loadApp(path)), "io!");
  });
});

describe("a module without a function to call has no start:", () => {
  const cases: [string, string, string][] = [
    ["no export at all", ".mjs", ""],
    ["no default export", ".mjs", "export const app = () => {};"],
    ["a default export that is an object", ".mjs", "export default { start() {} };"],
    ["an empty CommonJS module", ".cjs", ""],
    ["a default export that is null", ".mjs", "export default null;"],
  ];
  for (const [what, extension, text] of cases) {
    test(what, async () => {
      assert.deepEqual(await loadApp(writeApp(extension, text)), { start: undefined, serverOptions: {} });
    });
  }

  test("server options that are no object are none", async () => {
    const app = await loadApp(writeApp(".mjs", "export default () => {}; export const serverOptions = 3;"));
    assert.deepEqual(app.serverOptions, {});
  });
});

describe("a module that cannot be loaded is refused with its path and the reason:", () => {
  test("it does not exist", async () => {
    await rejectsWith("SIGNALBOX_APP_NOT_FOUND", join(directory, "none.js"), /does not exist/);
  });

  const cases: [string, string, string, RegExp][] = [
    ["it throws", ".mjs", 'throw new Error("no database");', /threw while it was loaded: .*no database/s],
    ["it throws what is no error", ".mjs", 'throw "no database";', /threw while it was loaded: no database/],
    ["its promise rejects", ".mjs", 'await Promise.reject(new Error("no database"));', /no database/],
    ["a CommonJS module throws", ".cjs", 'throw new Error("no database");', /no database/],
    ["it imports what is not there", ".mjs", 'import "not-installed-anywhere";', /not-installed-anywhere/],
    ["it cannot be parsed", ".mjs", "export default (;", /threw while it was loaded/],
    ["TypeScript that cannot be parsed", ".ts", "export default (;", /threw while it was loaded/],
  ];
  for (const [what, extension, text, message] of cases) {
    test(what, async () => await rejectsWith("SIGNALBOX_APP_FAILED", writeApp(extension, text), message));
  }

  test("and the thrown error is its cause", async () => {
    const path = writeApp(".mjs", 'throw new TypeError("no database");');
    await assert.rejects(loadApp(path), (error) => error instanceof AppStartError && error.cause instanceof TypeError);
  });
});

describe("the Socket.IO that is used", () => {
  const own = createRequire(import.meta.url)("socket.io") as unknown;

  test("is the application's own, when it has one", () => {
    const appDir = mkdtempSync(join(directory, "own-"));
    const packageDir = join(appDir, "node_modules", "socket.io");
    writeTree(packageDir, { "package.json": '{"main":"index.js"}', "index.js": "exports.Server = class Other {};" });
    const found = loadSocketIo(join(appDir, "app.js")) as unknown as { Server: { name: string } };
    assert.equal(found.Server.name, "Other");
  });

  test("is the one beside Signalbox, when the application has none", () => {
    assert.equal(loadSocketIo(join(directory, "app.js")), own);
  });

  test("is not replaced when the application's own is broken", () => {
    const appDir = mkdtempSync(join(directory, "broken-"));
    const packageDir = join(appDir, "node_modules", "socket.io");
    writeTree(packageDir, { "package.json": '{"main":"index.js"}', "index.js": 'throw new Error("broken copy");' });
    assert.throws(() => loadSocketIo(join(appDir, "app.js")), /broken copy/);
  });
});

function writeTree(root: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(root, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
}
