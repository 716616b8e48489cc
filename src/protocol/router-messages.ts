/** What primary and router say to each other over Node's IPC channel: control only, never application messages. */

import type { LinkListenSetting, LinkSetting, LogFormat, LogLevel } from "../config/config.js";
import type { RegionStatus } from "./host-status.js";

/** How the router writes the host's log. */
export interface RouterLogSettings {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** File descriptor in the router that is the host's log output. */
  readonly fd: number;
  readonly isColored: boolean;
}

/** What the router needs to know to begin. Sent once, in answer to `hello`. */
export interface RouterInit {
  readonly type: "router:init";
  /** Path of the Unix socket that the workers connect to. */
  readonly socketPath: string;
  readonly hostKey: string;
  /** null: there is no such log, and lines go to the primary as messages. */
  readonly log: RouterLogSettings | null;
  readonly maxOutboxBytes: number;
  readonly maxRoomsPerWorker: number;
  /** Places of the workers that serve clients already: what they would get is kept until they have connected. */
  readonly expectedPlaces: readonly string[];
  /** The socket's directory was made for it alone: to be removed when the primary is gone, which may have been killed. */
  readonly isDirectoryOwn: boolean;
  /** How other hosts are reached; null for a host that is alone. */
  readonly bus: RouterBusInit | null;
  /** How other regions are reached; null for a host of the only one. */
  readonly links: RouterLinksInit | null;
}

export interface RouterLinksInit {
  /** Of this host. */
  readonly region: string;
  readonly links: readonly LinkSetting[];
  /** null: links are not taken. */
  readonly listen: LinkListenSetting | null;
  /** Never to be logged. */
  readonly secrets: readonly string[];
  /** Contents of PEM files. */
  readonly ca: string | null;
  readonly certificate: string | null;
  readonly key: string | null;
  readonly isCompressed: boolean;
  /** Random, of this run of the host. */
  readonly instance: string;
  /** For each other region. */
  readonly maxOutboxBytes: number;
  readonly maxOutboxAgeMs: number;
  readonly unreachableAfterMs: number;
  readonly maxRooms: number;
}

export interface RouterBusInit {
  /** May hold a password. */
  readonly redisUrl: string;
  /** Content of a file with certificates (PEM) to trust instead of the system's. */
  readonly ca: string | null;
  readonly channelPrefix: string;
  /** Of the channels of `@socket.io/redis-emitter`; null: nothing of it is taken in. */
  readonly emitterKey: string | null;
  /** Random, of this run of the host. */
  readonly instance: string;
  /** Machine and process, for people. */
  readonly name: string;
  /** A router of this run has joined before. */
  readonly isServing: boolean;
  /** How often this run has started a router before. */
  readonly restarts: number;
  /** For each other host. */
  readonly maxOutboxBytes: number;
  readonly maxOutboxAgeMs: number;
  readonly unreachableAfterMs: number;
  readonly maxRooms: number;
}

export type MessageToRouter =
  | RouterInit
  /** The worker of this place serves clients from now on. */
  | { readonly type: "router:expect"; readonly place: string }
  /** The worker of this place has ended. */
  | { readonly type: "router:forget"; readonly place: string }
  | { readonly type: "router:ping" }
  /** With a socket: a link of another region, and what was read of it, as base64. */
  | { readonly type: "router:link"; readonly head: string }
  /** A reload has brought other secrets, in place of those of `RouterLinksInit`. Never to be logged. */
  | { readonly type: "router:link-secrets"; readonly secrets: readonly string[] };

/** Totals since this router process began; (frame, worker) pairs where a frame goes to several. */
export interface RouterCounts {
  readonly framesIn: number;
  readonly framesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly droppedVolatile: number;
  readonly lostFrames: number;
  /** Frames that workers threw away before they reached the router. */
  readonly unsentFrames: number;
  readonly unroutableResponses: number;
  readonly badFrames: number;
  /** Connections that were refused, or closed with a reason. */
  readonly refusals: number;
  readonly interestChanges: number;
  readonly stalls: number;
}

/** State of one worker's port. */
export interface PortReport {
  readonly place: string;
  readonly queuedBytes: number;
  readonly rooms: number;
  readonly isStalled: boolean;
  /** False while the worker is expected back. */
  readonly isConnected: boolean;
}

/** Totals of the bus since this router process began; loss in (frame, host) pairs. */
export interface BusCounts {
  readonly framesIn: number;
  readonly framesOut: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly droppedVolatile: number;
  readonly givenUpFrames: number;
  readonly lostFrames: number;
  readonly missedFrames: number;
  readonly uncertainFrames: number;
  readonly badMessages: number;
  readonly announcements: number;
  readonly snapshots: number;
}

/** What is known of another host. */
export interface HostReport {
  readonly hostKey: string;
  readonly name: string;
  readonly isReachable: boolean;
  /** Its rooms are known; until then, and while it has too many, it gets every message. */
  readonly isFlooded: boolean;
  readonly rooms: number;
  /** What waits for it, or has not been acknowledged. */
  readonly queuedBytes: number;
}

export interface BusReport {
  readonly isUp: boolean;
  /** This host has found its key to be free. */
  readonly hasJoined: boolean;
  /** null while it is up. */
  readonly downReason: string | null;
  readonly hosts: readonly HostReport[];
  readonly counts: BusCounts;
}

/** Totals of the links since this router process began; loss in (frame, region) pairs. */
export interface LinkCounts {
  readonly framesIn: number;
  readonly framesOut: number;
  readonly messagesIn: number;
  readonly messagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly droppedVolatile: number;
  readonly givenUpFrames: number;
  readonly lostFrames: number;
  readonly missedFrames: number;
  readonly badMessages: number;
  readonly announcements: number;
  readonly snapshots: number;
  readonly refusals: number;
  readonly silences: number;
}

export interface LinksReport {
  readonly regions: readonly RegionStatus[];
  /** Links that others have to this host. */
  readonly accepted: number;
  readonly counts: LinkCounts;
}

/** Comes once a second, and when the bus comes up or goes down. */
export interface RouterReport {
  readonly type: "router:report";
  readonly counts: RouterCounts;
  readonly ports: readonly PortReport[];
  /** (worker, room) pairs. */
  readonly announcedRooms: number;
  /** null for a host that is alone. */
  readonly bus: BusReport | null;
  /** null for a host of the only region. */
  readonly links: LinksReport | null;
}

export const routerNoteLevels = ["debug", "info", "warn", "error"] as const;
export type RouterNoteLevel = (typeof routerNoteLevels)[number];

export type MessageFromRouter =
  | { readonly type: "router:hello" }
  /** It listens. */
  | { readonly type: "router:ready" }
  /** It cannot listen, and ends. */
  | { readonly type: "router:failed"; readonly reason: string }
  | { readonly type: "router:pong" }
  /** The host must end; the reason is for people. */
  | { readonly type: "router:must-stop"; readonly reason: string }
  | RouterReport
  | RouterNoteLine;

/** A line for people, where there is no log to write it to. */
export interface RouterNoteLine {
  readonly type: "router:note";
  readonly level: RouterNoteLevel;
  readonly text: string;
  /** Slot of the worker that it is about, which it calls "worker" and that number. */
  readonly aboutWorker?: number;
}

type Fields = Readonly<Record<string, unknown>>;

function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

/** A table, so that the compiler asks for what is missing. */
const countNames: Record<keyof RouterCounts, true> = {
  framesIn: true,
  framesOut: true,
  bytesIn: true,
  bytesOut: true,
  droppedVolatile: true,
  lostFrames: true,
  unsentFrames: true,
  unroutableResponses: true,
  badFrames: true,
  refusals: true,
  interestChanges: true,
  stalls: true,
};

function areCounts(value: unknown): value is RouterCounts {
  return isFields(value) && Object.keys(countNames).every((name) => isCount(value[name]));
}

const busCountNames: Record<keyof BusCounts, true> = {
  framesIn: true,
  framesOut: true,
  messagesIn: true,
  messagesOut: true,
  bytesIn: true,
  bytesOut: true,
  droppedVolatile: true,
  givenUpFrames: true,
  lostFrames: true,
  missedFrames: true,
  uncertainFrames: true,
  badMessages: true,
  announcements: true,
  snapshots: true,
};

function isBusReport(value: unknown): value is BusReport {
  if (!isFields(value)) return false;
  const { counts, hosts, downReason } = value;
  return (
    typeof value.isUp === "boolean" &&
    typeof value.hasJoined === "boolean" &&
    (downReason === null || typeof downReason === "string") &&
    isFields(counts) &&
    Object.keys(busCountNames).every((name) => isCount(counts[name])) &&
    Array.isArray(hosts) &&
    hosts.every(isHostReport)
  );
}

function isHostReport(value: unknown): value is HostReport {
  return (
    isFields(value) &&
    typeof value.hostKey === "string" &&
    typeof value.name === "string" &&
    typeof value.isReachable === "boolean" &&
    typeof value.isFlooded === "boolean" &&
    isCount(value.rooms) &&
    isCount(value.queuedBytes)
  );
}

const linkCountNames: Record<keyof LinkCounts, true> = {
  framesIn: true,
  framesOut: true,
  messagesIn: true,
  messagesOut: true,
  bytesIn: true,
  bytesOut: true,
  droppedVolatile: true,
  givenUpFrames: true,
  lostFrames: true,
  missedFrames: true,
  badMessages: true,
  announcements: true,
  snapshots: true,
  refusals: true,
  silences: true,
};

function isLinksReport(value: unknown): value is LinksReport {
  if (!isFields(value)) return false;
  const { counts, regions, accepted } = value;
  return (
    isCount(accepted) &&
    isFields(counts) &&
    Object.keys(linkCountNames).every((name) => isCount(counts[name])) &&
    Array.isArray(regions) &&
    regions.every(isRegionStatus)
  );
}

function isRegionStatus(value: unknown): value is RegionStatus {
  return (
    isFields(value) &&
    typeof value.region === "string" &&
    typeof value.isLinked === "boolean" &&
    typeof value.answers === "boolean" &&
    (value.hostKey === null || typeof value.hostKey === "string") &&
    (value.absence === null ||
      (isFields(value.absence) &&
        typeof value.absence.seconds === "number" &&
        typeof value.absence.reason === "string")) &&
    typeof value.isFlooded === "boolean" &&
    isCount(value.rooms) &&
    isCount(value.queuedBytes) &&
    (value.roundTripMs === null || typeof value.roundTripMs === "number")
  );
}

function isPortReport(value: unknown): value is PortReport {
  return (
    isFields(value) &&
    typeof value.place === "string" &&
    isCount(value.queuedBytes) &&
    isCount(value.rooms) &&
    typeof value.isStalled === "boolean" &&
    typeof value.isConnected === "boolean"
  );
}

/** Checks a message from the router at the wall; undefined for everything that is not ours. */
export function parseMessageFromRouter(raw: unknown): MessageFromRouter | undefined {
  if (!isFields(raw)) return undefined;
  switch (raw.type) {
    case "router:hello":
    case "router:ready":
    case "router:pong":
      return { type: raw.type };
    case "router:failed":
    case "router:must-stop":
      return typeof raw.reason === "string" ? { type: raw.type, reason: raw.reason } : undefined;
    case "router:report":
      if (!areCounts(raw.counts) || !isCount(raw.announcedRooms)) return undefined;
      if (!Array.isArray(raw.ports) || !raw.ports.every(isPortReport)) return undefined;
      if (raw.bus !== null && !isBusReport(raw.bus)) return undefined;
      if (raw.links !== null && !isLinksReport(raw.links)) return undefined;
      return {
        type: raw.type,
        counts: raw.counts,
        ports: raw.ports,
        announcedRooms: raw.announcedRooms,
        bus: raw.bus,
        links: raw.links,
      };
    case "router:note": {
      const level = routerNoteLevels.find((name) => name === raw.level);
      if (level === undefined || typeof raw.text !== "string") return undefined;
      const { aboutWorker } = raw;
      if (aboutWorker !== undefined && !isCount(aboutWorker)) return undefined;
      return { type: raw.type, level, text: raw.text, ...(aboutWorker !== undefined && { aboutWorker }) };
    }
    default:
      return undefined;
  }
}

/** With none, everybody could prove to know it. */
function isSecretList(value: unknown): value is string[] {
  return (
    Array.isArray(value) && value.length > 0 && value.every((secret) => typeof secret === "string" && secret !== "")
  );
}

/** Checks a message from the primary at the wall; undefined for everything that is not ours. */
export function parseMessageToRouter(raw: unknown): MessageToRouter | undefined {
  if (!isFields(raw)) return undefined;
  switch (raw.type) {
    case "router:init":
      // The primary is the same build and the same user; the shape is checked by types on its side.
      return raw as unknown as RouterInit;
    case "router:expect":
    case "router:forget":
      return typeof raw.place === "string" ? { type: raw.type, place: raw.place } : undefined;
    case "router:ping":
      return { type: raw.type };
    case "router:link":
      return typeof raw.head === "string" ? { type: raw.type, head: raw.head } : undefined;
    case "router:link-secrets":
      return isSecretList(raw.secrets) ? { type: raw.type, secrets: raw.secrets } : undefined;
    default:
      return undefined;
  }
}
