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
import { chooseHostKey, encodePlace, parsePlace } from "../address/address.js";
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
function createPrinter(slots: SlotTable<Worker>): RouterLogSink {
  const print = (text: string, aboutWorker?: number): void =>
    console.warn(`signalbox: ${nameWorker(text, aboutWorker, slots)}`);
  return { debug: () => {}, info: () => {}, warn: print, error: print };
}

/** Slots are the fabric's own: the program knows its workers by node:cluster's ids, and its owner by their pids. */
function nameWorker(text: string, slot: number | undefined, slots: SlotTable<Worker>): string {
  if (slot === undefined) return text;
  const worker = slots.find(slot);
  const name = worker === undefined ? "a worker that has ended" : describeWorker(worker);
  return text.replace(new RegExp(`\\bworker ${slot}\\b`), () => name);
}

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
  const slots = new SlotTable<Worker>();
  const printer = createPrinter(slots);
  const supervisor = new RouterSupervisor(
    {
      routerMain: fileURLToPath(new URL("../router/router-main.js", import.meta.url)),
      isUnreferenced: true,
      init: {
        socketPath,
        hostKey,
        log: null,
        maxOutboxBytes,
        maxRoomsPerWorker: maxRooms,
        isDirectoryOwn: true,
        bus: null,
        links: null,
      },
      restart,
    },
    printer,
    printer,
  );
  // A worker that is told its place before the router listens tries until it does.
  void supervisor.start();
  assignPlaces(slots, printer, supervisor, hostKey, socketPath);
}

function assignPlaces(
  slots: SlotTable<Worker>,
  printer: RouterLogSink,
  supervisor: RouterSupervisor,
  hostKey: string,
  socketPath: string,
): void {
  cluster.on("message", (worker, message: unknown) => {
    if (!isPlaceQuestion(message) || !worker.isConnected()) return;
    const slot = slots.take(worker);
    if (slot === undefined) {
      printer.warn(`there are more workers than places (4096): ${describeWorker(worker)} reaches no other`);
      return;
    }
    worker.send(createPlaceAnswer({ socketPath, hostKey, slot }), undefined, {}, () => {
      // It has ended in between: `exit` follows.
    });
  });
  // Not every worker that asks connects: one may make an adapter and not use it. Nobody is to wait for that one.
  supervisor.on("reported", ({ ports }) => {
    const connected = ports.map(({ place }) => place);
    supervisor.remember(connected.filter((place) => isTaken(slots, place)));
  });
  cluster.on("exit", (worker) => {
    const slot = slots.release(worker);
    if (slot !== undefined) supervisor.forget(encodePlace({ hostKey, workerSlot: slot }));
  });
}

/** A report may have been under way while a worker ended. */
function isTaken(slots: SlotTable<Worker>, place: string): boolean {
  const slot = parsePlace(place)?.workerSlot;
  return slot !== undefined && slots.find(slot) !== undefined;
}

function describeWorker(worker: Worker): string {
  return `worker ${worker.id} (pid ${worker.process.pid})`;
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
