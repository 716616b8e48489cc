/** Finds out, from another thread, where the main thread is, though it runs no event loop. */

import type { Debugger, Session } from "node:inspector";

/** A main thread that is in native code takes no orders; one that runs JavaScript answers in well under this. */
const patienceMs = 2_000;
const maxFrames = 30;

/**
 * Calls back once: with the main thread's stack, innermost frame first, or undefined where it cannot be had. The main thread
 * stands still from then on. To be called in a worker thread (`Session.connectToMainThread`, Node 12.11 and later).
 */
export function captureMainStack(onStack: (stack: readonly string[] | undefined) => void): void {
  // Not imported: a Node that was built without inspector has no such module.
  const inspector = process.getBuiltinModule("node:inspector") as typeof import("node:inspector") | undefined;
  if (inspector === undefined) {
    onStack(undefined);
    return;
  }
  let isSettled = false;
  const settle = (stack: readonly string[] | undefined): void => {
    if (isSettled) return;
    isSettled = true;
    clearTimeout(timer);
    onStack(stack);
  };
  const timer = setTimeout(() => settle(undefined), patienceMs);
  try {
    pauseMain(new inspector.Session(), (stack) => settle(stack));
  } catch {
    settle(undefined);
  }
}

function pauseMain(session: Session, onStack: (stack: readonly string[]) => void): void {
  const urlByScript = new Map<string, string>();
  session.connectToMainThread();
  session.on("Debugger.scriptParsed", ({ params: { scriptId, url } }) => urlByScript.set(scriptId, url));
  session.on("Debugger.paused", ({ params: { callFrames } }) => {
    onStack(callFrames.slice(0, maxFrames).map((frame) => renderFrame(frame, urlByScript)));
  });
  session.post("Debugger.enable");
  session.post("Debugger.pause");
}

/** As in the stack of an Error. */
function renderFrame({ functionName, location }: Debugger.CallFrame, urlByScript: ReadonlyMap<string, string>): string {
  const url = urlByScript.get(location.scriptId) ?? "<unknown>";
  const place = `${url}:${location.lineNumber + 1}:${(location.columnNumber ?? 0) + 1}`;
  return `    at ${functionName === "" ? place : `${functionName} (${place})`}`;
}
