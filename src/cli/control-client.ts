/** Finds the running host through the control sockets in the runtime directory, asks it for its status, and has it reload. */

import { once } from "node:events";
import { readdirSync } from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";
import type { Variables } from "../config/reload-variables.js";
import { describeBriefly, NotRunningError, RuntimeDirError, readErrorCode } from "../errors.js";
import type { HostStatus, ReloadStatus } from "../protocol/host-status.js";

const count = z.number().nonnegative();

const reloadStatusSchema: z.ZodType<ReloadStatus> = z.object({
  state: z.enum(["rolling", "done", "failed"]),
  workersDone: count,
  workers: count,
  sessionsMoved: count,
  seconds: count,
  secondsLeft: count,
  reason: z.string().nullable(),
  restartNeeded: z.array(z.string()),
});

const hostStatusSchema: z.ZodType<HostStatus> = z.object({
  version: z.string(),
  hostKey: z.string(),
  region: z.string(),
  pid: count,
  state: z.enum(["starting", "running", "draining", "closed"]),
  uptimeSeconds: count,
  listen: z.discriminatedUnion("kind", [
    z.object({ kind: z.literal("tcp"), host: z.string(), port: count }),
    z.object({ kind: z.literal("unix"), path: z.string() }),
  ]),
  adminPort: count,
  fabric: z.string(),
  app: z.string(),
  workers: z.array(
    z.object({
      slot: count,
      pid: count.nullable(),
      state: z.enum(["starting", "ready", "draining", "backoff"]),
      sessions: count,
      handedOff: count,
      restarts: count,
      uptimeSeconds: count,
    }),
  ),
  reload: reloadStatusSchema.nullable(),
  router: z
    .object({
      pid: count.nullable(),
      state: z.enum(["starting", "ready", "backoff", "ended"]),
      stateSeconds: count,
      restarts: count,
      queuedBytes: z.record(z.string(), count),
      stalledWorkers: z.array(count),
      lostFrames: count,
      announcedRooms: count,
    })
    .nullable(),
  bus: z
    .object({
      state: z.enum(["up", "down"]),
      stateSeconds: count,
      hasJoined: z.boolean(),
      reason: z.string().nullable(),
      hosts: z.array(
        z.object({
          hostKey: z.string(),
          name: z.string(),
          isReachable: z.boolean(),
          isFlooded: z.boolean(),
          rooms: count,
          queuedBytes: count,
        }),
      ),
      lostFrames: count,
      missedFrames: count,
    })
    .nullable(),
  links: z
    .object({
      regions: z.array(
        z.object({
          region: z.string(),
          isLinked: z.boolean(),
          answers: z.boolean(),
          hostKey: z.string().nullable(),
          absence: z.object({ seconds: z.number(), reason: z.string() }).nullable(),
          isFlooded: z.boolean(),
          rooms: count,
          queuedBytes: count,
          roundTripMs: z.number().nullable(),
        }),
      ),
      accepted: count,
      lostFrames: count,
      missedFrames: count,
    })
    .nullable(),
  counters: z.record(z.string(), z.number()),
});

export interface FindHostOptions {
  /** The socket that the configuration points to. */
  readonly controlSocketPath: string;
  /** The directory that holds a directory for each host. */
  readonly baseDir: string;
  /** For a whole request, from connecting to the end of the answer. */
  readonly timeoutMs: number;
  /** Called before anything is sent to that socket. @throws RuntimeDirError when nothing may be sent there */
  readonly checkSocket?: () => void;
  /** Whether the only other host will do, when that one does not answer. */
  readonly isOtherTaken: boolean;
}

export interface FoundHost {
  readonly socketPath: string;
  readonly status: HostStatus;
}

/**
 * Asks the host at the given control socket, else, if that will do, the only other one that answers.
 * @throws NotRunningError when there is none; RuntimeDirError when the socket is not to be asked
 */
export async function findHost(options: FindHostOptions): Promise<FoundHost> {
  const { controlSocketPath, baseDir, timeoutMs, checkSocket, isOtherTaken } = options;
  let refusal: unknown;
  try {
    checkSocket?.();
    return { socketPath: controlSocketPath, status: await requestStatus(controlSocketPath, timeoutMs) };
  } catch (error) {
    if (error instanceof RuntimeDirError) throw error;
    refusal = error;
  }
  const others = listControlSockets(baseDir).filter((path) => path !== controlSocketPath);
  const answers = await Promise.allSettled(
    others.map(async (socketPath) => ({ socketPath, status: await requestStatus(socketPath, timeoutMs) })),
  );
  const found = answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
  const [only] = found;
  if (isOtherTaken && only !== undefined && found.length === 1) return only;
  throw new NotRunningError(describeAbsence(controlSocketPath, refusal, found), { cause: refusal });
}

/** The status of the host behind a control socket. */
export async function requestStatus(socketPath: string, timeoutMs: number): Promise<HostStatus> {
  const { statusCode, body } = await get(socketPath, "/status", timeoutMs);
  if (statusCode !== 200) throw new Error(`it answered with HTTP status ${statusCode}`);
  let answer: unknown;
  try {
    answer = JSON.parse(body);
  } catch (error) {
    throw new Error("it did not answer with JSON", { cause: error });
  }
  const checked = hostStatusSchema.safeParse(answer);
  if (checked.success) return checked.data;
  const place = checked.error.issues[0]?.path.join(".") ?? "";
  throw new Error(`its status cannot be read (at "${place}"); host and command are probably of different versions`);
}

/**
 * Has the host behind a control socket reload; yields how it goes, and at last how it ended. Ends early when the host does.
 * @param variables that the host is to have in place of its own; undefined: it keeps what it has
 */
export async function* requestReload(
  socketPath: string,
  variables: Variables | undefined,
): AsyncGenerator<ReloadStatus> {
  const outgoing = request({
    socketPath,
    path: "/reload",
    method: "POST",
    agent: false,
    headers: { host: "localhost" },
  });
  outgoing.end(variables === undefined ? "" : JSON.stringify(variables));
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  if (response.statusCode !== 200) {
    throw new NotRunningError(`The host behind ${socketPath} cannot reload: it is of another version.`);
  }
  const lines = createInterface({ input: response });
  // The host ended in between: what it said until then is all there is.
  response.on("error", () => lines.close());
  for await (const line of lines) {
    const checked = reloadStatusSchema.safeParse(JSON.parse(line));
    if (checked.success) yield checked.data;
  }
}

function get(socketPath: string, path: string, timeoutMs: number): Promise<{ statusCode: number; body: string }> {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeoutMs);
    const fail = (error: unknown): void => {
      reject(signal.aborted ? new Error(`it did not answer within ${timeoutMs} ms`, { cause: error }) : error);
    };
    const outgoing = request({ socketPath, path, signal, agent: false, headers: { host: "localhost" } }, (response) => {
      let body = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => {
        body += chunk;
      });
      response.on("error", fail);
      response.on("end", () => resolve({ statusCode: response.statusCode ?? 0, body }));
    });
    outgoing.on("error", fail);
    outgoing.end();
  });
}

/** Control sockets of every host of this user, those left over by a crash included. */
function listControlSockets(baseDir: string): string[] {
  try {
    const entries = readdirSync(baseDir, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => join(baseDir, entry.name, "control.sock"));
  } catch {
    // No such directory, or not ours to read: either way there is no other host to be found in it.
    return [];
  }
}

function describeAbsence(socketPath: string, refusal: unknown, others: readonly FoundHost[]): string {
  const missing = `No host answers on ${socketPath}: ${describeRefusal(refusal)}.`;
  const advice =
    "Give this command the same flags, variables and config file as start; they decide where the socket is.\n" +
    "For a host that systemd runs, name the RuntimeDirectory of its unit, for example --runtime-dir /run/signalbox.";
  if (others.length === 0) return `${missing}\n${advice}`;
  const lines = others.map(({ socketPath: path, status }) => {
    const { listen } = status;
    const address = listen.kind === "unix" ? `--listen ${listen.path}` : `--host ${listen.host} --port ${listen.port}`;
    return `  host ${status.hostKey}, pid ${status.pid}, ${address}, control socket ${path}`;
  });
  return [
    missing,
    others.length === 1 ? "Another host is running:" : `${others.length} other hosts are running:`,
    ...lines,
    "Choose one by its address, with the flags shown. One whose port the system picked is asked with",
    "curl --unix-socket CONTROL_SOCKET http://localhost/status",
  ].join("\n");
}

function describeRefusal(refusal: unknown): string {
  switch (readErrorCode(refusal)) {
    case "ENOENT":
      return "there is no such socket";
    case "ECONNREFUSED":
      return "nothing listens on it (left over by a host that crashed)";
    case "EACCES":
      return "permission denied; run this command as the user that the host runs as";
    default:
      return describeBriefly(refusal);
  }
}
