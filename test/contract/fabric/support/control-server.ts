/** The test's end of the connections over which each worker of a stage is told what to do, and tells what it sees. */

import { EventEmitter, once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { deserialize, serialize } from "node:v8";

/** Nothing here takes this long; what does has failed. */
const patienceMs = 15_000;

/** What a worker tells unasked. */
export interface Note {
  readonly kind: string;
  readonly [key: string]: unknown;
}

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** A command failed in the worker; `responses` is what the error there had. */
export class CommandError extends Error {
  readonly responses: unknown;

  constructor(error: { message: string; responses?: unknown }) {
    super(error.message);
    this.responses = error.responses;
  }
}

/** One worker process, from its hello on. */
export class ControlledWorker {
  readonly slot: number;
  readonly pid: number;
  /** What it has told, oldest first. */
  readonly notes: Note[] = [];
  /** Resolves when its connection is gone, which goes with the process. */
  readonly ended: Promise<void>;
  readonly #connection: Socket;
  readonly #waiting = new Map<number, Waiting>();
  readonly #watchers = new Set<() => void>();
  #lastId = 0;

  constructor(slot: number, pid: number, connection: Socket) {
    this.slot = slot;
    this.pid = pid;
    this.#connection = connection;
    this.ended = new Promise((resolve) => {
      connection.once("close", () => {
        for (const { reject } of this.#waiting.values()) reject(new Error(`worker ${slot} ended before it answered`));
        this.#waiting.clear();
        resolve();
      });
    });
  }

  get isGone(): boolean {
    return this.#connection.destroyed;
  }

  /** Resolves with what the command gives in the worker; a command that takes its time is given it. */
  async ask<Result>(
    command: string,
    rest: Readonly<Record<string, unknown>> = {},
    limitMs = patienceMs,
  ): Promise<Result> {
    if (this.isGone) throw new Error(`worker ${this.slot} is gone`);
    this.#lastId++;
    const id = this.#lastId;
    this.#connection.write(`${serialize({ ...rest, id, command }).toString("base64")}\n`);
    const timer = setTimeout(() => {
      this.#waiting.get(id)?.reject(new Error(`worker ${this.slot} did not answer ${command} in ${limitMs} ms`));
    }, limitMs);
    try {
      return (await new Promise<unknown>((resolve, reject) => this.#waiting.set(id, { resolve, reject }))) as Result;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Resolves with the first note (earlier ones included) that fits. */
  async waitForNote(fits: (note: Note) => boolean, what: string): Promise<Note> {
    return await new Promise((resolve, reject) => {
      const look = (): void => {
        const note = this.notes.find(fits);
        if (note === undefined) return;
        clearTimeout(timer);
        this.#watchers.delete(look);
        resolve(note);
      };
      const timer = setTimeout(() => {
        this.#watchers.delete(look);
        reject(new Error(`worker ${this.slot} did not tell in ${patienceMs} ms: ${what}`));
      }, patienceMs);
      // Of several workers that are asked, one may be enough.
      timer.unref();
      this.#watchers.add(look);
      look();
    });
  }

  take(message: Note): void {
    const waiting = this.#waiting.get(Number(message["id"]));
    if (message.kind === "done") {
      waiting?.resolve(message["value"]);
    } else if (message.kind === "failed") {
      waiting?.reject(new CommandError(message["error"] as { message: string }));
    } else {
      this.notes.push(message);
      for (const watch of this.#watchers) watch();
      return;
    }
    this.#waiting.delete(Number(message["id"]));
  }
}

/** Numbers the workers of several hosts; what says hello without a host key is of a single one. */
export type CountThrough = (place: { readonly hostKey: string; readonly slot: number }) => number;

/** Listens for workers, and knows the newest of each slot. */
export class ControlServer {
  readonly path: string;
  readonly #directory = mkdtempSync(join(tmpdir(), "sbx-c-"));
  readonly #server: Server;
  readonly #workers = new Map<number, ControlledWorker>();
  readonly #arrivals = new EventEmitter();
  readonly #countThrough: CountThrough;

  constructor(countThrough: CountThrough = ({ slot }) => slot) {
    this.#countThrough = countThrough;
    this.path = join(this.#directory, "control.sock");
    this.#server = createServer((connection) => this.#greet(connection));
  }

  async open(): Promise<void> {
    this.#server.listen(this.path);
    await once(this.#server, "listening");
  }

  worker(slot: number): ControlledWorker {
    const worker = this.#workers.get(slot);
    if (worker === undefined) throw new Error(`there is no worker ${slot}`);
    return worker;
  }

  /** Resolves when that worker has said hello. */
  async waitForWorker(slot: number): Promise<void> {
    while (!this.#workers.has(slot)) await once(this.#arrivals, "hello", { signal: AbortSignal.timeout(patienceMs) });
  }

  close(): void {
    this.#server.close();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #greet(connection: Socket): void {
    // A killed worker resets its connection: `close` tells.
    connection.on("error", () => {});
    let worker: ControlledWorker | undefined;
    createInterface({ input: connection }).on("line", (line) => {
      const message = deserialize(Buffer.from(line, "base64")) as Note;
      if (message.kind === "hello") {
        const slot = this.#countThrough({ hostKey: String(message["hostKey"]), slot: Number(message["slot"]) });
        worker = new ControlledWorker(slot, Number(message["pid"]), connection);
        this.#workers.set(worker.slot, worker);
        this.#arrivals.emit("hello");
      } else {
        worker?.take(message);
      }
    });
  }
}
