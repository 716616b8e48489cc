/**
 * `setupPrimary()` for programs that fork their own workers with node:cluster, in the shape of `@socket.io/cluster-adapter`'s:
 * runs the router beside such a program, and tells each worker that asks where it is. It must not keep the program running.
 */

import cluster, { type Worker } from "node:cluster";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { chooseHostKey, encodePlace } from "../address/address.js";
import { describeBriefly, NotPrimaryError, RuntimeDirError } from "../errors.js";
import { createPlaceAnswer, isPlaceQuestion } from "../protocol/adapter-messages.js";
import type { RouterLogSink } from "./router-process.js";
import { RouterSupervisor } from "./router-supervisor.js";
import { maxSocketPathBytes } from "./runtime-paths.js";
import { SlotTable } from "./slot-table.js";

/** Limits of the router; the defaults are those of `signalbox start`. */
export interface AdapterPrimaryOptions {
  /** Bytes that may wait for one worker before they are given up and counted; 256 MiB by default. */
  readonly maxOutboxBytes?: number;
  /** Rooms of one worker beyond which it gets every message instead; 200,000 by default. */
  readonly maxRooms?: number;
}

const restart = { backoffMinMs: 500, backoffMaxMs: 30_000 };
/** 3 bytes are 4 characters of base64url: a host key of this primary's own. */
const hostKeyBytes = 3;

/** Somebody else's program has no log of ours: what its owner must know goes where Node's own warnings go. */
const printer: RouterLogSink = {
  debug: () => {},
  info: () => {},
  warn: (text) => console.warn(`signalbox: ${text}`),
  error: (text) => console.warn(`signalbox: ${text}`),
};

let isSetUp = false;

/**
 * To be called in the primary, before or after it forks; a second call does nothing.
 * @throws NotPrimaryError in a worker; RangeError for a wrong option; RuntimeDirError when there is no place for a socket
 */
export function setupPrimary(options: AdapterPrimaryOptions = {}): void {
  if (!cluster.isPrimary) {
    throw new NotPrimaryError(
      "setupPrimary() of signalbox/adapter was called in a worker. Call it in the primary only (cluster.isPrimary); " +
        "under `signalbox start` it is not needed at all.",
    );
  }
  if (isSetUp) return;
  const { maxOutboxBytes = 256 * 1024 * 1024, maxRooms = 200_000 } = options;
  for (const [name, value] of Object.entries({ maxOutboxBytes, maxRooms })) {
    if (!Number.isSafeInteger(value) || value <= 0) throw new RangeError(`${name} must be a whole number above 0`);
  }
  const socketPath = join(makePrivateDirectory(), "router.sock");
  isSetUp = true;
  const hostKey = chooseHostKey(randomBytes(hostKeyBytes).toString("base64url"));
  const supervisor = new RouterSupervisor(
    {
      routerMain: fileURLToPath(new URL("../router/router-main.js", import.meta.url)),
      isUnreferenced: true,
      init: { socketPath, hostKey, log: null, maxOutboxBytes, maxRoomsPerWorker: maxRooms, isDirectoryOwn: true },
      restart,
    },
    printer,
    printer,
  );
  // A worker that is told its place before the router listens tries until it does.
  void supervisor.start();
  assignPlaces(supervisor, hostKey, socketPath);
}

function assignPlaces(supervisor: RouterSupervisor, hostKey: string, socketPath: string): void {
  const slots = new SlotTable<Worker>();
  cluster.on("message", (worker, message: unknown) => {
    if (!isPlaceQuestion(message) || !worker.isConnected()) return;
    const slot = slots.take(worker);
    if (slot === undefined) {
      printer.warn("there are more workers than places (4096): this one reaches no other");
      return;
    }
    supervisor.expect(encodePlace({ hostKey, workerSlot: slot }));
    worker.send(createPlaceAnswer({ socketPath, hostKey, slot }), undefined, {}, () => {
      // It has ended in between: `exit` follows.
    });
  });
  cluster.on("exit", (worker) => {
    const slot = slots.release(worker);
    if (slot !== undefined) supervisor.forget(encodePlace({ hostKey, workerSlot: slot }));
  });
}

/** For this user only; gone with the primary, or with the router when the primary is killed. */
function makePrivateDirectory(): string {
  const prefix = join(tmpdir(), "signalbox-adapter-");
  const pathBytes = Buffer.byteLength(join(`${prefix}XXXXXX`, "router.sock"));
  if (pathBytes > maxSocketPathBytes) {
    throw new RuntimeDirError(
      "SIGNALBOX_SOCKET_PATH_TOO_LONG",
      `the temporary directory ${tmpdir()} is too long: a Unix socket in it would have a path of ${pathBytes} bytes, ` +
        `and the limit is ${maxSocketPathBytes}. Set TMPDIR to a shorter directory.`,
    );
  }
  try {
    const directory = mkdtempSync(prefix);
    process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
    return directory;
  } catch (cause) {
    const message = `no directory for the router's socket can be made in ${tmpdir()}: ${describeBriefly(cause)}. Set TMPDIR to one where it can.`;
    throw new RuntimeDirError("SIGNALBOX_RUNTIME_DIR_UNSAFE", message, { cause });
  }
}
