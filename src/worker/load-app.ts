/** Loads the application module of a worker and finds out which of the two kinds it is. */

import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { extname } from "node:path";
import { pathToFileURL } from "node:url";
import type * as SocketIo from "socket.io";
import { AppStartError, describeThrown } from "../errors.js";
import type { SignalboxApp, SignalboxServerOptions } from "./app-contract.js";

/** What a module offers; `start` is undefined for one that makes its own server and calls `attach`. */
export interface LoadedApp {
  readonly start: SignalboxApp | undefined;
  readonly serverOptions: SignalboxServerOptions;
}

const typeScriptExtensions: ReadonlySet<string> = new Set([".ts", ".mts", ".cts"]);

/**
 * Imports the module.
 * @throws AppStartError with the file's path and the reason.
 */
export async function loadApp(appPath: string): Promise<LoadedApp> {
  if (!existsSync(appPath)) {
    throw new AppStartError("SIGNALBOX_APP_NOT_FOUND", `the application ${appPath} does not exist.`);
  }
  if (typeScriptExtensions.has(extname(appPath))) await prepareTypeScript(appPath);
  let namespace: Record<string, unknown>;
  try {
    namespace = (await import(pathToFileURL(appPath).href)) as Record<string, unknown>;
  } catch (thrown) {
    throw new AppStartError(
      "SIGNALBOX_APP_FAILED",
      `the application ${appPath} threw while it was loaded: ${describeThrown(thrown)}`,
      {
        cause: thrown,
      },
    );
  }
  // A CommonJS module compiled from ESM sits whole in `default`.
  const compiled = namespace.default;
  const exported = isRecord(compiled) && typeof compiled.default === "function" ? compiled : namespace;
  const start = exported.default;
  const serverOptions =
    exported.serverOptions ??
    (isRecord(compiled) || typeof compiled === "function" ? readProperty(compiled, "serverOptions") : undefined);
  return {
    start: typeof start === "function" ? (start as SignalboxApp) : undefined,
    serverOptions: isRecord(serverOptions) ? (serverOptions as SignalboxServerOptions) : {},
  };
}

/**
 * The Socket.IO that the application itself uses: two copies in one process would not share the adapter's classes.
 * @throws AppStartError when it is not installed.
 */
export function loadSocketIo(appPath: string): typeof SocketIo {
  for (const from of [appPath, import.meta.url]) {
    try {
      return createRequire(from)("socket.io") as typeof SocketIo;
    } catch (thrown) {
      if (!isRecord(thrown) || thrown.code !== "MODULE_NOT_FOUND") throw thrown;
    }
  }
  throw new AppStartError(
    "SIGNALBOX_APP_FAILED",
    `socket.io is not installed where ${appPath} can find it. Run: npm install socket.io`,
  );
}

/** tsx where the application (or this package's checkout) has it, else Node's own type stripping (22.18 and later). */
async function prepareTypeScript(appPath: string): Promise<void> {
  for (const from of [appPath, import.meta.url]) {
    let loader: string;
    try {
      // What `node --import tsx` loads. Its `tsx/esm/api` is no way in: found by `require`, it looks for its hooks in the
      // wrong directory (tsx 4.23).
      loader = createRequire(from).resolve("tsx");
    } catch {
      // Not installed there.
      continue;
    }
    await import(pathToFileURL(loader).href);
    return;
  }
  if ("typescript" in process.features && process.features.typescript !== false) return;
  throw new AppStartError(
    "SIGNALBOX_APP_UNSUPPORTED",
    `the application ${appPath} is TypeScript, which Node ${process.versions.node} does not run by itself. ` +
      "Run: npm install tsx (or compile it and start the .js file)",
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function readProperty(value: object | ((...values: never[]) => unknown), name: string): unknown {
  return name in value ? (value as Record<string, unknown>)[name] : undefined;
}
