/** HTTP/1.1 by hand: a connection whose segments the test cuts, and a parser of what comes back on it. */

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { pause } from "./host.js";

/** Where a host listens. */
export type Target = { readonly port: number } | { readonly path: string };

export interface RawResponse {
  readonly status: number;
  /** Names in lower case; the last value of a name wins. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Nothing in these tests takes this long; what does has failed. */
const patienceMs = 20_000;
/** Segments this far apart are read apart: the kernel has delivered one, and the reader's event loop has turned. */
export const segmentPauseMs = 20;

/** A TCP (or Unix) connection to a host that never coalesces segments. */
export class RawConnection {
  readonly socket: Socket;
  /** Resolves when the connection is closed, however it ends. */
  readonly closed: Promise<void>;
  #received: Buffer = Buffer.alloc(0);
  #hasEnded = false;
  #wake: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => {
      this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    const noteEnd = (): void => {
      this.#hasEnded = true;
      this.#wake();
    };
    socket.on("end", noteEnd);
    // A reset is an end: what matters is what was received before it.
    socket.on("error", noteEnd);
    this.closed = new Promise((resolve) => {
      socket.once("close", () => {
        noteEnd();
        resolve();
      });
    });
  }

  /** @param localAddress another address of this machine to come from */
  static async open(target: Target, localAddress = "127.0.0.1"): Promise<RawConnection> {
    const socket =
      "port" in target ? connect({ port: target.port, host: "127.0.0.1", localAddress }) : connect(target.path);
    await once(socket, "connect");
    return new RawConnection(socket);
  }

  /** Whether the other side has sent its end. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  send(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  /** Sends each piece as a segment of its own. */
  async sendPieces(pieces: readonly (string | Buffer)[]): Promise<void> {
    for (const [index, piece] of pieces.entries()) {
      if (index > 0) await pause(segmentPauseMs);
      this.send(piece);
    }
  }

  /** Takes the next response off the connection; rejects when the connection ends before it is complete. */
  async readResponse(): Promise<RawResponse> {
    return await this.#take((received, hasEnded) => parseResponse(received, hasEnded), "a response");
  }

  /** Sends a request and takes its response. */
  async exchange(request: string | Buffer): Promise<RawResponse> {
    this.send(request);
    return await this.readResponse();
  }

  /** Everything until the other side's end. */
  async readToEnd(): Promise<Buffer> {
    return await this.#take(
      (received, hasEnded) => (hasEnded ? { value: received, length: received.length } : undefined),
      "the end",
    );
  }

  /** Takes exactly so many bytes. */
  async readBytes(length: number): Promise<Buffer> {
    return await this.#take(
      (received) => (received.length >= length ? { value: received.subarray(0, length), length } : undefined),
      `${length} bytes`,
    );
  }

  destroy(): void {
    this.socket.destroy();
  }

  async #take<T>(
    parse: (received: Buffer, hasEnded: boolean) => { value: T; length: number } | undefined,
    what: string,
  ): Promise<T> {
    const timer = setTimeout(() => this.socket.destroy(), patienceMs);
    try {
      for (;;) {
        const taken = parse(this.#received, this.#hasEnded);
        if (taken !== undefined) {
          this.#received = this.#received.subarray(taken.length);
          return taken.value;
        }
        if (this.#hasEnded) {
          const start = JSON.stringify(this.#received.toString("latin1", 0, 200));
          throw new Error(`the connection ended before ${what} was complete; received ${start}`);
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

/** One request on a connection of its own, which is closed afterwards. */
export async function exchangeOnce(target: Target, request: string | Buffer): Promise<RawResponse> {
  const connection = await RawConnection.open(target);
  try {
    return await connection.exchange(request);
  } finally {
    connection.destroy();
  }
}

export interface RequestParts {
  readonly method?: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** The bytes of a request. `Content-Length` is added where there is a body. */
export function renderRequest(parts: RequestParts): Buffer {
  const body = parts.body === undefined ? undefined : Buffer.from(parts.body);
  const lines = [`${parts.method ?? "GET"} ${parts.path} HTTP/1.1`, "Host: example.test"];
  for (const [name, value] of Object.entries(parts.headers ?? {})) lines.push(`${name}: ${value}`);
  if (body !== undefined) lines.push(`Content-Length: ${body.length}`);
  return Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), body ?? Buffer.alloc(0)]);
}

/** Cuts bytes before each of the given offsets. */
export function cutAt(bytes: Buffer, ...offsets: readonly number[]): Buffer[] {
  const edges = [0, ...offsets, bytes.length];
  return edges.slice(1).map((end, index) => bytes.subarray(edges[index], end));
}

/** The first response in the bytes and its length; undefined while it is incomplete. */
export function parseResponse(received: Buffer, hasEnded: boolean): { value: RawResponse; length: number } | undefined {
  const headEnd = received.indexOf("\r\n\r\n");
  if (headEnd === -1) return undefined;
  const [statusLine = "", ...lines] = received.toString("latin1", 0, headEnd).split("\r\n");
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(statusLine)?.[1] ?? Number.NaN);
  if (Number.isNaN(status)) throw new Error(`not a response: ${JSON.stringify(statusLine)}`);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const bodyStart = headEnd + 4;
  const complete = (body: Buffer, length: number) => ({ value: { status, headers, body }, length });
  if (status < 200 || status === 204 || status === 304) return complete(Buffer.alloc(0), bodyStart);
  if (headers["transfer-encoding"]?.toLowerCase() === "chunked") {
    const chunked = parseChunked(received.subarray(bodyStart));
    return chunked === undefined ? undefined : complete(chunked.body, bodyStart + chunked.length);
  }
  if (headers["content-length"] !== undefined) {
    const bodyEnd = bodyStart + Number(headers["content-length"]);
    return received.length < bodyEnd ? undefined : complete(received.subarray(bodyStart, bodyEnd), bodyEnd);
  }
  return hasEnded ? complete(received.subarray(bodyStart), received.length) : undefined;
}

function parseChunked(bytes: Buffer): { body: Buffer; length: number } | undefined {
  const chunks: Buffer[] = [];
  let at = 0;
  for (;;) {
    const lineEnd = bytes.indexOf("\r\n", at);
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(bytes.toString("latin1", at, lineEnd), 16);
    const chunkStart = lineEnd + 2;
    if (bytes.length < chunkStart + size + 2) return undefined;
    at = chunkStart + size + 2;
    // Node's servers and Engine.IO send no trailers.
    if (size === 0) return { body: Buffer.concat(chunks), length: at };
    chunks.push(bytes.subarray(chunkStart, chunkStart + size));
  }
}
