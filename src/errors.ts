/**
 * Every error that Signalbox raises on purpose: a class, a stable code, and a message that says what is wrong, where,
 * and what to do. Nothing recognises an error by its text.
 */

/** Codes are stable across releases; programs match on them, people read the message. */
export type SignalboxErrorCode =
  | "SIGNALBOX_USAGE"
  | "SIGNALBOX_CONFIG_INVALID"
  | "SIGNALBOX_ADDRESS_IN_USE"
  | "SIGNALBOX_LISTEN_FAILED"
  | "SIGNALBOX_APP_NOT_FOUND"
  | "SIGNALBOX_APP_FAILED"
  | "SIGNALBOX_APP_NO_EXPORT"
  | "SIGNALBOX_APP_START_TIMEOUT"
  | "SIGNALBOX_APP_UNSUPPORTED"
  | "SIGNALBOX_CRASH_LOOP"
  | "SIGNALBOX_ALREADY_RUNNING"
  | "SIGNALBOX_NOT_RUNNING"
  | "SIGNALBOX_RUNTIME_DIR_UNSAFE"
  | "SIGNALBOX_SOCKET_PATH_TOO_LONG"
  | "SIGNALBOX_NOT_PRIMARY"
  | "SIGNALBOX_REDIS_AWAY"
  | "SIGNALBOX_REDIS_CA_UNREADABLE"
  | "SIGNALBOX_LINK_FILE_UNREADABLE"
  | "SIGNALBOX_HOST_KEY_TAKEN"
  | "SIGNALBOX_NGINX_CHECK_FAILED"
  | "SIGNALBOX_SYSTEMD_CHECK_FAILED"
  | "SIGNALBOX_PLATFORM_UNSUPPORTED"
  | "SIGNALBOX_RELOAD_FAILED";

/** Base of all errors below; `cause` carries the underlying error where there is one. */
export class SignalboxError extends Error {
  readonly code: SignalboxErrorCode;

  constructor(code: SignalboxErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** The command line could not be understood. */
export class UsageError extends SignalboxError {
  constructor(message: string) {
    super("SIGNALBOX_USAGE", message);
  }
}

/** One or more settings are wrong; `faults` holds a line for each, the message holds them all. */
export class ConfigError extends SignalboxError {
  readonly faults: readonly string[];

  constructor(faults: readonly string[]) {
    const count = faults.length === 1 ? "1 fault" : `${faults.length} faults`;
    super(
      "SIGNALBOX_CONFIG_INVALID",
      `The configuration has ${count}:\n${faults.map((fault) => `  - ${fault}`).join("\n")}`,
    );
    this.faults = faults;
  }
}

/** The public or admin address could not be listened on. */
export class ListenError extends SignalboxError {}

/** The application could not be brought up in a worker. */
export class AppStartError extends SignalboxError {}

/** Workers keep ending before they are ready. */
export class CrashLoopError extends SignalboxError {
  constructor(message: string) {
    super("SIGNALBOX_CRASH_LOOP", message);
  }
}

/** The runtime directory or a socket in it cannot be used safely. */
export class RuntimeDirError extends SignalboxError {}

/** `setupPrimary()` was called in a process that is not the primary of node:cluster. */
export class NotPrimaryError extends SignalboxError {
  constructor(message: string) {
    super("SIGNALBOX_NOT_PRIMARY", message);
  }
}

/** Redis cannot be asked now; it is asked again by itself when it is back. */
export class RedisAwayError extends SignalboxError {
  constructor(message: string) {
    super("SIGNALBOX_REDIS_AWAY", message);
  }
}

/** What the host needs to reach others is not right. */
export class BusError extends SignalboxError {}

/** A reload stopped before all workers were replaced. */
export class ReloadError extends SignalboxError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("SIGNALBOX_RELOAD_FAILED", message, options);
  }
}

/** No host answers on its control socket. */
export class NotRunningError extends SignalboxError {
  constructor(message: string, options?: { cause?: unknown }) {
    super("SIGNALBOX_NOT_RUNNING", message, options);
  }
}

/** Text of anything thrown: the stack of an Error, else its string form. */
export function describeThrown(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.stack ?? `${thrown.name}: ${thrown.message}`;
  return String(thrown);
}

/** One line of anything thrown, for messages that already say where. */
export function describeBriefly(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The `code` of a Node system error (`"EADDRINUSE"`), or undefined. */
export function readErrorCode(thrown: unknown): string | undefined {
  if (typeof thrown !== "object" || thrown === null || !("code" in thrown)) return undefined;
  return typeof thrown.code === "string" ? thrown.code : undefined;
}
