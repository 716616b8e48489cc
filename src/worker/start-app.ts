/** Brings the application up in this worker: either kind of module, up to the point where it can take sessions. */

import { createServer, type Server as HttpServer } from "node:http";
import type { Server } from "socket.io";
import { AppStartError, describeThrown } from "../errors.js";
import type { WorkerInit } from "../protocol/worker-messages.js";
import type { SignalboxContext } from "./app-contract.js";
import { type LoadedApp, loadApp, loadSocketIo } from "./load-app.js";
import type { WorkerRuntime } from "./worker-runtime.js";

/** How far the application has come: what the message of a start that takes too long says. */
export interface StartProgress {
  stage: "loading" | "starting" | "waiting-for-attach" | "waiting-for-listen" | "done";
}

/**
 * Resolves when the application is ready.
 * @throws AppStartError with the file and the reason.
 */
export async function startApp(init: WorkerInit, runtime: WorkerRuntime, progress: StartProgress): Promise<void> {
  const app = await loadApp(init.appPath);
  // An application that attached its own server may export anything, an Express app (a function) included.
  if (app.start !== undefined && runtime.io === undefined) {
    progress.stage = "starting";
    await startFunction(init, runtime, app, app.start);
  } else {
    progress.stage = runtime.io === undefined ? "waiting-for-attach" : "waiting-for-listen";
  }
  await runtime.bound;
  progress.stage = "done";
}

async function startFunction(
  init: WorkerInit,
  runtime: WorkerRuntime,
  app: LoadedApp,
  start: NonNullable<LoadedApp["start"]>,
): Promise<void> {
  const { Server } = loadSocketIo(init.appPath);
  const httpServer = createServer({ keepAliveTimeout: init.keepAliveTimeoutMs });
  const io = new Server(httpServer, app.serverOptions);
  const context = await adopt(io, init, runtime);
  const listenersBefore = httpServer.listeners("request");
  try {
    await start(io, context);
  } catch (thrown) {
    if (thrown instanceof AppStartError) throw thrown;
    const message = `the default export of ${init.appPath} threw: ${describeThrown(thrown)}`;
    throw new AppStartError("SIGNALBOX_APP_FAILED", message, { cause: thrown });
  }
  const isUnchanged = httpServer.listeners("request").every((listener) => listenersBefore.includes(listener));
  if (isUnchanged) answerNotFound(httpServer, `${io.path()}/`);
  // An application may listen itself; under Signalbox it need not.
  if (!httpServer.listening && !runtime.hasUndecidedListen) httpServer.listen(0);
}

/** What is refused here is wrong in the module's `serverOptions`: the message says which module. */
async function adopt(io: Server, init: WorkerInit, runtime: WorkerRuntime): Promise<SignalboxContext> {
  try {
    return await runtime.adopt(io);
  } catch (thrown) {
    if (!(thrown instanceof AppStartError)) throw thrown;
    throw new AppStartError(thrown.code, `the application ${init.appPath} cannot be run: ${thrown.message}`, {
      cause: thrown,
    });
  }
}

/** Without a listener of the application, requests outside Engine.IO's path would wait for an answer for ever. */
function answerNotFound(httpServer: HttpServer, enginePath: string): void {
  httpServer.on("request", (request, response) => {
    if (request.url?.startsWith(enginePath) === true || response.headersSent) return;
    response.writeHead(404, { "Content-Type": "text/plain", "Content-Length": 10 });
    response.end("Not found\n");
  });
}

/** Why the application is not ready yet, for the message at the time limit. */
export function explainSlowStart(init: WorkerInit, progress: StartProgress): AppStartError {
  const limit = `within ${init.startTimeoutMs} ms (startTimeoutMs)`;
  switch (progress.stage) {
    case "loading":
      return new AppStartError(
        "SIGNALBOX_APP_START_TIMEOUT",
        `the application ${init.appPath} did not finish loading ${limit}: an await at its top level has not resolved.`,
      );
    case "starting":
      return new AppStartError(
        "SIGNALBOX_APP_START_TIMEOUT",
        `the default export of ${init.appPath} did not resolve ${limit}: Signalbox takes sessions only after it has.`,
      );
    case "waiting-for-attach":
      return new AppStartError(
        "SIGNALBOX_APP_NO_EXPORT",
        `the application ${init.appPath} neither exports a function as its default nor called attach(io) ${limit}. ` +
          "Write `export default (io, context) => { … }`, or `await attach(io)` where it makes its own server.",
      );
    case "waiting-for-listen":
    case "done":
      return new AppStartError(
        "SIGNALBOX_APP_START_TIMEOUT",
        `the application ${init.appPath} called attach(io), but its http server's listen() was not called ${limit}.`,
      );
  }
}
