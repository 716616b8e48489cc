/** What primary and worker say to each other over Node's IPC channel: control only, never application messages. */

import type { FabricName, LogFormat, LogLevel, SignalboxConfig, StockAdapterName } from "../config/config.js";

/** How the fabric `stock` reaches other hosts. */
export interface StockRedisSettings {
  /** With its password: never to be printed. */
  readonly url: string;
  /** Absolute path of a PEM file. */
  readonly caPath: string | undefined;
  readonly adapter: StockAdapterName;
  /** Beginning of the channels' names. */
  readonly key: string;
}

/** What a worker needs to know to begin. Sent once, in answer to `hello`. */
export interface WorkerInit {
  readonly type: "signalbox:init";
  readonly slot: number;
  readonly hostKey: string;
  readonly region: string;
  /** Absolute path of the application module. */
  readonly appPath: string;
  readonly fabric: FabricName;
  /** With the fabric `stock`; undefined: the workers of this host only. */
  readonly stockRedis: StockRedisSettings | undefined;
  /** Where the router listens; there is one only with the fabric `routed`. */
  readonly routerSocketPath: string;
  /** What may wait for the router. */
  readonly maxOutboxBytes: number;
  /** Beyond it, everything is asked for instead of announcing rooms. */
  readonly maxRoomsPerWorker: number;
  /** Path of the private Unix socket that this worker is to listen on. */
  readonly socketPath: string;
  /** Whose X-Forwarded-For is believed. */
  readonly trustProxy: SignalboxConfig["trustProxy"];
  /** The host listens on a Unix socket. */
  readonly hasUnixPeers: boolean;
  readonly startTimeoutMs: number;
  /** For how long its event loop may be blocked; 0 for ever. */
  readonly hangTimeoutMs: number;
  readonly headTimeoutMs: number;
  readonly maxHeadBytes: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** File descriptor in the worker that is the host's log output. */
  readonly logFd: number;
  readonly isLogColored: boolean;
}

/** Another worker of this host, as seen by the primary. */
export interface Sibling {
  readonly slot: number;
  readonly socketPath: string;
  /** Sessions there, counting handshakes on their way. */
  readonly load: number;
  /** It takes no new sessions: it drains, or is about to. */
  readonly isDraining: boolean;
  /** Its event loop does not run: nothing new for it. */
  readonly isStalled: boolean;
}

/** What a worker counts of its fabric; each is the total since the worker began. */
export interface FabricCounts {
  /** Broadcasts of other workers that had a receiver here. */
  readonly broadcastsReceived: number;
  /** Broadcasts of other workers that had none here: over-delivered, and filtered. */
  readonly broadcastsFiltered: number;
  /** Packets of other workers that were decoded, since a listener wanted them. */
  readonly packetsDecoded: number;
  /** Packets of other workers that were encoded anew: for an acknowledgement, or another parser. */
  readonly packetsReencoded: number;
  /** Messages of this worker that could not be sent to others: too long, too many rooms. */
  readonly messagesRefused: number;
  /** Messages of others that could not be read. */
  readonly messagesUnreadable: number;
  /** Volatile messages of this worker that were dropped. */
  readonly volatileDropped: number;
  /** Messages of this worker that never reached the router. */
  readonly framesUnsent: number;
  /** Messages for this worker that the router gave up. */
  readonly framesMissed: number;
  /** Joins that the router did not acknowledge in time. */
  readonly lateJoins: number;
  /** Messages of this worker that did not reach Redis (fabric `stock` only). */
  readonly publishesFailed: number;
}

/** Another fabric, or nothing yet. */
export const noFabricCounts: FabricCounts = {
  broadcastsReceived: 0,
  broadcastsFiltered: 0,
  packetsDecoded: 0,
  packetsReencoded: 0,
  messagesRefused: 0,
  messagesUnreadable: 0,
  volatileDropped: 0,
  framesUnsent: 0,
  framesMissed: 0,
  lateJoins: 0,
  publishesFailed: 0,
};

/** Counts that a worker adds up and the primary shows; each is the total since the worker began. */
export interface WorkerCounts {
  /** Requests whose sid Engine.IO did not know: dead worker, other host, garbage. */
  readonly unknownSessions: number;
  /** Requests and upgrades sent on to a sibling because their sid named it. */
  readonly forwardedRequests: number;
  /** Handshakes on handed-off connections sent on to a less loaded sibling. */
  readonly forwardedHandshakes: number;
  /** Requests that came from a sibling. */
  readonly receivedRequests: number;
  /** Forwarding attempts that failed because the sibling was gone. */
  readonly forwardFailures: number;
}

export type MessageToWorker =
  | WorkerInit
  /** `takesSessions`: whether new sessions may begin in the worker that is told. */
  | { readonly type: "signalbox:siblings"; readonly siblings: readonly Sibling[]; readonly takesSessions: boolean }
  /** Sessions are closed within `spreadMs`; what is left at the deadline is cut. */
  | { readonly type: "signalbox:drain"; readonly deadlineMs: number; readonly spreadMs: number }
  | { readonly type: "signalbox:run-once-granted"; readonly name: string };

export type MessageToPrimary =
  | { readonly type: "signalbox:hello" }
  | { readonly type: "signalbox:ready" }
  | { readonly type: "signalbox:start-failed"; readonly code: StartFailureCode; readonly message: string }
  | {
      readonly type: "signalbox:counts";
      readonly counts: WorkerCounts;
      readonly fabric: FabricCounts;
      /** Resident memory of the worker. */
      readonly rssBytes: number;
      /** Its debugger is open. */
      readonly isInspected: boolean;
    }
  | { readonly type: "signalbox:run-once-claim"; readonly name: string }
  | { readonly type: "signalbox:run-once-release"; readonly name: string }
  /** Sessions that began and ended since the last such message. */
  | { readonly type: "signalbox:sessions"; readonly began: number; readonly ended: number };

/** Why a worker could not bring the application up. */
export type StartFailureCode =
  | "SIGNALBOX_APP_NOT_FOUND"
  | "SIGNALBOX_APP_FAILED"
  | "SIGNALBOX_APP_NO_EXPORT"
  | "SIGNALBOX_APP_START_TIMEOUT"
  | "SIGNALBOX_APP_UNSUPPORTED"
  | "SIGNALBOX_LISTEN_FAILED";

const startFailureCodes: ReadonlySet<string> = new Set<StartFailureCode>([
  "SIGNALBOX_APP_NOT_FOUND",
  "SIGNALBOX_APP_FAILED",
  "SIGNALBOX_APP_NO_EXPORT",
  "SIGNALBOX_APP_START_TIMEOUT",
  "SIGNALBOX_APP_UNSUPPORTED",
  "SIGNALBOX_LISTEN_FAILED",
]);

/** Longest `runOnce` name; longer ones are refused in the worker. */
export const maxRunOnceNameLength = 200;

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function isCounts(value: unknown): value is WorkerCounts {
  if (!isFields(value)) return false;
  return ["unknownSessions", "forwardedRequests", "forwardedHandshakes", "receivedRequests", "forwardFailures"].every(
    (key) => Number.isSafeInteger(value[key]),
  );
}

function isFabricCounts(value: unknown): value is FabricCounts {
  return isFields(value) && Object.keys(noFabricCounts).every((key) => isCount(value[key]));
}

function isSibling(value: unknown): value is Sibling {
  return (
    isFields(value) &&
    typeof value.slot === "number" &&
    typeof value.socketPath === "string" &&
    typeof value.load === "number" &&
    typeof value.isDraining === "boolean" &&
    typeof value.isStalled === "boolean"
  );
}

function parseCounts({ counts, fabric, rssBytes, isInspected }: Fields): MessageToPrimary | undefined {
  if (!isCounts(counts) || !isFabricCounts(fabric) || !isCount(rssBytes) || typeof isInspected !== "boolean")
    return undefined;
  return { type: "signalbox:counts", counts, fabric, rssBytes, isInspected };
}

/**
 * Checks a message from a worker at the wall. Undefined for everything that is not ours: the application and the
 * adapter use the same channel.
 */
export function parseMessageToPrimary(raw: unknown): MessageToPrimary | undefined {
  if (!isFields(raw)) return undefined;
  switch (raw.type) {
    case "signalbox:hello":
    case "signalbox:ready":
      return { type: raw.type };
    case "signalbox:start-failed":
      if (typeof raw.code !== "string" || !startFailureCodes.has(raw.code) || typeof raw.message !== "string")
        return undefined;
      return { type: raw.type, code: raw.code as StartFailureCode, message: raw.message };
    case "signalbox:counts":
      return parseCounts(raw);
    case "signalbox:run-once-claim":
    case "signalbox:run-once-release":
      if (typeof raw.name !== "string" || raw.name.length > maxRunOnceNameLength) return undefined;
      return { type: raw.type, name: raw.name };
    case "signalbox:sessions":
      if (!isCount(raw.began) || !isCount(raw.ended)) return undefined;
      return { type: raw.type, began: raw.began, ended: raw.ended };
    default:
      return undefined;
  }
}

/** Checks a message from the primary at the wall; undefined for everything that is not ours. */
export function parseMessageToWorker(raw: unknown): MessageToWorker | undefined {
  if (!isFields(raw)) return undefined;
  switch (raw.type) {
    case "signalbox:init":
      // The primary is the same build and the same user; the shape is checked by types on its side.
      return raw as unknown as WorkerInit;
    case "signalbox:siblings":
      if (!Array.isArray(raw.siblings) || !raw.siblings.every(isSibling)) return undefined;
      if (typeof raw.takesSessions !== "boolean") return undefined;
      return { type: raw.type, siblings: raw.siblings, takesSessions: raw.takesSessions };
    case "signalbox:drain":
      if (typeof raw.deadlineMs !== "number" || typeof raw.spreadMs !== "number") return undefined;
      return { type: raw.type, deadlineMs: raw.deadlineMs, spreadMs: raw.spreadMs };
    case "signalbox:run-once-granted":
      return typeof raw.name === "string" ? { type: raw.type, name: raw.name } : undefined;
    default:
      return undefined;
  }
}
