/** Speaks to a router's socket as a worker does, or as nobody should: says bytes, and keeps what comes back. */

import { connect, type Socket } from "node:net";
import { protocolVersion } from "../../src/protocol/frame.js";
import { FrameSplitter } from "../../src/protocol/frame-splitter.js";
import {
  decodeRouterToWorker,
  encodeWorkerToRouter,
  type RouterToWorker,
  type WorkerToRouter,
} from "../../src/protocol/worker-port-frames.js";

const patienceMs = 10_000;

/** What the router says itself, or a frame of another worker. */
export type Heard = RouterToWorker | { readonly type: "passed-on"; readonly bytes: Buffer };

export class RawPort {
  /** Everything so far, oldest first. */
  readonly heard: Heard[] = [];
  /** Resolves when the router has closed the connection, or this side has. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #watchers = new Set<() => void>();

  constructor(socket: Socket) {
    this.#socket = socket;
    const splitter = new FrameSplitter((bytes, start, end) => {
      const frame = Buffer.from(bytes.subarray(start, end));
      const message = decodeRouterToWorker(frame, 0, frame.length);
      this.heard.push(message ?? { type: "passed-on", bytes: frame });
      for (const watch of this.#watchers) watch();
    });
    socket.on("data", (chunk) => splitter.push(chunk));
    // The router may close while something is on its way to it.
    socket.on("error", () => {});
    this.closed = new Promise((resolve) => {
      socket.on("close", () => {
        resolve();
        for (const watch of this.#watchers) watch();
      });
    });
  }

  say(...messages: WorkerToRouter[]): void {
    this.send(...messages.map(encodeWorkerToRouter));
  }

  send(...chunks: Uint8Array[]): void {
    this.#socket.write(Buffer.concat(chunks));
  }

  /** Resolves with the first of a type (earlier ones included) that fits; rejects when the connection ends first. */
  async waitFor<Type extends Heard["type"]>(
    type: Type,
    fits: (heard: Extract<Heard, { type: Type }>) => boolean = () => true,
  ): Promise<Extract<Heard, { type: Type }>> {
    return await new Promise((resolve, reject) => {
      const find = (): Extract<Heard, { type: Type }> | undefined =>
        this.heard.find(
          (heard): heard is Extract<Heard, { type: Type }> => heard.type === type && fits(heard as never),
        );
      const settle = (finish: () => void): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        finish();
      };
      const look = (): void => {
        const found = find();
        if (found !== undefined) settle(() => resolve(found));
        else if (this.#socket.closed) settle(() => reject(this.#explain(`the connection ended before "${type}" came`)));
      };
      const timer = setTimeout(() => settle(() => reject(this.#explain(`"${type}" did not come`))), patienceMs);
      this.#watchers.add(look);
      look();
    });
  }

  /** Resolves when the other side has cut the connection, noticed by writing: a side that does not read sees no end. */
  async closedByPeer(): Promise<void> {
    let hasFailed = false;
    this.#socket.once("error", () => {
      hasFailed = true;
    });
    const deadlineMs = performance.now() + patienceMs;
    while (!hasFailed && !this.#socket.destroyed) {
      if (performance.now() > deadlineMs) throw new Error("the other side did not cut the connection");
      this.#socket.write(Buffer.alloc(1));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async close(): Promise<void> {
    this.#socket.destroy();
    await this.closed;
  }

  /** The peer is not read any more: what it writes stays with it. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  #explain(message: string): Error {
    return new Error(`${message}; heard: ${this.heard.map(({ type }) => type).join(", ") || "nothing"}`);
  }
}

/** A connection that has said nothing. */
export async function connectRaw(socketPath: string): Promise<RawPort> {
  const socket = connect(socketPath);
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", reject);
  });
  return new RawPort(socket);
}

/** A worker's connection: the router has said welcome to it, and it serves the main namespace. */
export async function connectAsWorker(socketPath: string, place: string): Promise<RawPort> {
  const port = await connectRaw(socketPath);
  port.say({ type: "hello", version: protocolVersion, place, workerId: place.padEnd(20, "w") });
  await port.waitFor("welcome");
  port.say(
    { type: "namespace-up", uid: place.padEnd(20, "u"), parserId: 0, namespace: "/" },
    { type: "interest-complete" },
  );
  return port;
}
