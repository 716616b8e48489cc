/** Decides what the chat accepts (names, rooms, texts, pace); pure: no I/O, no clock of its own. */

export const maxNameLength = 32;
export const maxTextLength = 2000;

export type ChatError =
  | "invalid-request"
  | "invalid-name"
  | "invalid-room"
  | "invalid-text"
  | "not-joined"
  | "too-fast";

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: ChatError };

export interface JoinRequest {
  readonly name: string;
  readonly room: string;
  /** The page was in this room a moment ago, under this id, before its connection broke. */
  readonly formerId: string | undefined;
}

export interface MessageRequest {
  readonly id: string;
  readonly text: string;
}

const roomPattern = /^[\p{L}\p{N}_-]{1,32}$/u;
const socketIdPattern = /^[A-Za-z0-9_-]{20}$/;
const messageIdPattern = /^[A-Za-z0-9_-]{8,40}$/;
// Line breaks and text-direction overrides in a name would garble the lines it is shown in.
const unfitForName = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202A-\u202E\u2066-\u2069]/u;
// A name of nothing but spaces or zero-width characters cannot be seen.
const visibleCharacter = /[\p{L}\p{N}\p{P}\p{S}]/u;

export function parseJoin(request: unknown): Parsed<JoinRequest> {
  if (!isRecord(request)) return refuse("invalid-request");
  const name = cleanName(request.name);
  if (name === undefined) return refuse("invalid-name");
  const room = cleanRoom(request.room);
  if (room === undefined) return refuse("invalid-room");
  return { ok: true, value: { name, room, formerId: readFormerId(request.formerId) } };
}

export function parseRename(request: unknown): Parsed<{ readonly name: string }> {
  if (!isRecord(request)) return refuse("invalid-request");
  const name = cleanName(request.name);
  return name === undefined ? refuse("invalid-name") : { ok: true, value: { name } };
}

export function parseMessage(request: unknown): Parsed<MessageRequest> {
  if (!isRecord(request)) return refuse("invalid-request");
  const { id, text } = request;
  if (typeof id !== "string" || !messageIdPattern.test(id)) return refuse("invalid-request");
  if (typeof text !== "string" || text.length > maxTextLength || text.trim() === "") return refuse("invalid-text");
  return { ok: true, value: { id, text } };
}

/** How fast one socket may ask for things: `burst` at once, refilled at `perSecond`. */
export interface Pace {
  readonly perSecond: number;
  readonly burst: number;
}

/** What is left of a socket's allowance, as of `asOfMs`. */
export interface TokenBucket {
  readonly tokens: number;
  readonly asOfMs: number;
}

export function fillBucket(pace: Pace, nowMs: number): TokenBucket {
  return { tokens: pace.burst, asOfMs: nowMs };
}

/** The bucket after taking one token, or undefined when there is none to take. A clock that steps back refills nothing. */
export function takeToken(bucket: TokenBucket, pace: Pace, nowMs: number): TokenBucket | undefined {
  const elapsedMs = Math.max(0, nowMs - bucket.asOfMs);
  const tokens = Math.min(pace.burst, bucket.tokens + (elapsedMs * pace.perSecond) / 1000);
  return tokens < 1 ? undefined : { tokens: tokens - 1, asOfMs: nowMs };
}

function cleanName(value: unknown): string | undefined {
  if (typeof value !== "string" || value.length > 4 * maxNameLength) return undefined;
  const name = value.normalize("NFC").trim();
  const isFit = name.length >= 1 && name.length <= maxNameLength && !unfitForName.test(name);
  return isFit && visibleCharacter.test(name) ? name : undefined;
}

function cleanRoom(value: unknown): string | undefined {
  if (typeof value !== "string" || value.length > 128) return undefined;
  // One spelling per room: "é" typed on two systems may be one or two code points.
  const room = value.normalize("NFC");
  return roomPattern.test(room) ? room : undefined;
}

/** Anything else than an id is no reason to keep somebody out: they join as if they were new. */
function readFormerId(value: unknown): string | undefined {
  return typeof value === "string" && socketIdPattern.test(value) ? value : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function refuse(error: ChatError): { readonly ok: false; readonly error: ChatError } {
  return { ok: false, error };
}
