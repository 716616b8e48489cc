/** A Socket.IO client over WebSocket, small enough to have thousands of: connects, emits, waits for acknowledgements. */

import { EventEmitter } from "node:events";
import WebSocket from "ws";
import type { Who } from "./engine-polling.js";
import { enginePath } from "./engine-polling.js";
import type { Target } from "./raw-http.js";

interface LightSocketEvents {
  /** An event from the server. */
  said: [name: string, ...values: unknown[]];
}

export class LightSocket extends EventEmitter<LightSocketEvents> {
  readonly webSocket: WebSocket;
  /** Resolves, with the time, when the connection is closed, however it ends. */
  readonly closed: Promise<number>;
  sid = "";
  isClosed = false;
  /** Gives the acknowledgement of an event that asks for one; undefined for none. */
  acknowledge: ((name: string) => unknown) | undefined;
  readonly #waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #lastAckId = 0;

  constructor(target: Target, headers: Readonly<Record<string, string>> = {}) {
    super();
    const path = enginePath({ transport: "websocket" });
    const url = "port" in target ? `ws://127.0.0.1:${target.port}${path}` : `ws+unix:${target.path}:${path}`;
    this.webSocket = new WebSocket(url, { perMessageDeflate: false, headers });
    this.closed = new Promise((resolve) => {
      this.webSocket.once("close", () => {
        this.isClosed = true;
        for (const { reject } of this.#waiting.values()) reject(new Error("the connection closed before the answer"));
        this.#waiting.clear();
        resolve(performance.now());
      });
    });
  }

  /** Connects, and resolves when the main namespace is joined. */
  static async open(target: Target, headers: Readonly<Record<string, string>> = {}): Promise<LightSocket> {
    const socket = new LightSocket(target, headers);
    await socket.ready();
    return socket;
  }

  /** Must be called in the turn that made the socket. */
  async ready(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.webSocket.once("error", reject);
      this.webSocket.once("close", () => reject(new Error("the connection closed before the session began")));
      this.webSocket.on("message", (data: Buffer) => this.#obey(data.toString(), resolve));
    });
    // What follows is told by `closed`.
    this.webSocket.on("error", () => {});
  }

  emitTo(event: string, ...values: readonly unknown[]): void {
    this.webSocket.send(`42${JSON.stringify([event, ...values])}`);
  }

  /** Emits and resolves with what is acknowledged; rejects when the connection closes first. */
  async call<T>(event: string, ...values: readonly unknown[]): Promise<T> {
    if (this.isClosed) throw new Error("the connection is closed");
    this.#lastAckId++;
    const ackId = this.#lastAckId;
    return await new Promise<T>((resolve, reject) => {
      this.#waiting.set(ackId, { resolve: resolve as (value: unknown) => void, reject });
      this.webSocket.send(`42${ackId}${JSON.stringify([event, ...values])}`);
    });
  }

  async who(): Promise<Who> {
    return await this.call<Who>("who");
  }

  close(): void {
    this.webSocket.terminate();
  }

  #obey(packet: string, onJoined: () => void): void {
    if (packet === "2") {
      this.webSocket.send("3");
    } else if (packet.startsWith("0")) {
      this.sid = (JSON.parse(packet.slice(1)) as { sid: string }).sid;
      this.webSocket.send("40");
    } else if (packet.startsWith("40")) {
      onJoined();
    } else if (packet.startsWith("43")) {
      const at = packet.indexOf("[");
      const ackId = Number(packet.slice(2, at));
      const waiting = this.#waiting.get(ackId);
      this.#waiting.delete(ackId);
      waiting?.resolve((JSON.parse(packet.slice(at)) as unknown[])[0]);
    } else if (packet.startsWith("42")) {
      const at = packet.indexOf("[");
      const [name, ...values] = JSON.parse(packet.slice(at)) as [string, ...unknown[]];
      this.emit("said", name, ...values);
      const ackId = packet.slice(2, at);
      const value = ackId === "" ? undefined : this.acknowledge?.(name);
      if (value !== undefined) this.webSocket.send(`43${ackId}${JSON.stringify([value])}`);
    }
  }
}

/** Opens so many at once: all connections are started in one turn of the event loop. */
export async function openManyAtOnce(target: Target, count: number): Promise<LightSocket[]> {
  const sockets = Array.from({ length: count }, () => new LightSocket(target));
  await Promise.all(sockets.map((socket) => socket.ready()));
  return sockets;
}

export function closeAll(sockets: readonly LightSocket[]): void {
  for (const socket of sockets) socket.close();
}

/** How many sockets each worker has, by slot. */
export async function countByWorker(sockets: readonly LightSocket[], workers: number): Promise<number[]> {
  const counts = new Array<number>(workers).fill(0);
  for (const { worker } of await Promise.all(sockets.map((socket) => socket.who()))) {
    counts[worker] = (counts[worker] ?? 0) + 1;
  }
  return counts;
}
