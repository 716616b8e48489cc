/** A client of Engine.IO 3 (Socket.IO 2), by hand: old clients are to be served as before. */

import { request } from "node:http";
import WebSocket from "ws";
import { Ear, type Heard } from "./ear.js";

export type OldTransport = "old websocket" | "old polling";

export interface OldOptions {
  readonly url: string;
  readonly nsp: string;
  readonly transport: OldTransport;
}

/** Types of Engine.IO's packets, as the digits they are on the wire. */
const messageType = "4";
const pingInterval = 10_000;

/** Takes what the server sends and sends what the client says, in Engine.IO packets of text. */
interface OldWire {
  send(packet: string): void;
  close(): void;
}

interface Placeholder {
  readonly _placeholder: true;
  readonly num: number;
}

export class OldClient {
  readonly ear = new Ear();
  readonly nsp: string;
  /** The id of Socket.IO 2: that of the connection, behind the namespace's name where it is not the main one. */
  id = "";
  readonly #wire: OldWire;
  readonly #joined: Promise<void>;
  #settleJoined: () => void = () => {};
  /** An event whose binary parts are still to come. */
  #partial: { event: unknown[]; ackId: string; missing: number; parts: Buffer[] } | undefined;
  readonly #answers = new Map<string, unknown>();
  readonly #heartbeat: NodeJS.Timeout;

  constructor(options: OldOptions) {
    this.nsp = options.nsp;
    this.#joined = new Promise((resolve) => {
      this.#settleJoined = resolve;
    });
    const open = options.transport === "old websocket" ? openWebSocket : openPolling;
    this.#wire = open(
      options.url,
      (packet) => this.#take(packet),
      (why) => this.#end(why),
    );
    this.#heartbeat = setInterval(() => this.#wire.send("2"), pingInterval);
  }

  async ready(): Promise<void> {
    await this.#joined;
  }

  /** Acknowledges each event of that name with the value. */
  answer(event: string, value: unknown): void {
    this.#answers.set(event, value);
  }

  close(): void {
    this.#wire.close();
    this.#end("closed here");
  }

  #end(why: string): void {
    clearInterval(this.#heartbeat);
    this.ear.end(why);
  }

  #take(packet: string | Buffer): void {
    if (typeof packet !== "string") this.#takePart(packet);
    else if (packet.startsWith("0")) this.#greet(packet);
    else if (packet.startsWith(messageType)) this.#takeMessage(packet.slice(1));
  }

  #greet(packet: string): void {
    const { sid } = JSON.parse(packet.slice(1)) as { sid: string };
    this.id = this.nsp === "/" ? sid : `${this.nsp}#${sid}`;
    // The main namespace is joined without being asked for.
    if (this.nsp !== "/") this.#wire.send(`40${this.nsp},`);
  }

  #takeMessage(message: string): void {
    const [, type = "", attachments, nsp = "/", ackId = "", data = ""] =
      /^(\d)(?:(\d+)-)?(?:(\/[^,]*),?)?(\d*)(.*)$/s.exec(message) ?? [];
    if (nsp !== this.nsp) return;
    if (type === "0") this.#settleJoined();
    if (type === "1") this.#end("disconnected by the server");
    if (type === "2") this.#hear(JSON.parse(data) as Heard, ackId);
    if (type === "5") {
      this.#partial = { event: JSON.parse(data) as unknown[], ackId, missing: Number(attachments), parts: [] };
    }
  }

  #takePart(part: Buffer): void {
    if (this.#partial === undefined) throw new Error("a binary part of nothing");
    const { event, ackId, missing, parts } = this.#partial;
    parts.push(part);
    if (parts.length < missing) return;
    this.#partial = undefined;
    this.#hear(event.map((value) => fillIn(value, parts)) as unknown as Heard, ackId);
  }

  #hear(event: Heard, ackId: string): void {
    const [name] = event;
    if (ackId !== "" && this.#answers.has(String(name))) {
      const nsp = this.nsp === "/" ? "" : `${this.nsp},`;
      this.#wire.send(`43${nsp}${ackId}${JSON.stringify([this.#answers.get(String(name))])}`);
    }
    this.ear.hear(event);
  }
}

function fillIn(value: unknown, parts: readonly Buffer[]): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((each) => fillIn(each, parts));
  if ("_placeholder" in value) return parts[(value as Placeholder).num];
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, fillIn(each, parts)]));
}

type Take = (packet: string | Buffer) => void;
type End = (why: string) => void;

function openWebSocket(url: string, take: Take, end: End): OldWire {
  const webSocket = new WebSocket(`${url.replace("http", "ws")}/socket.io/?EIO=3&transport=websocket`);
  webSocket.on("message", (data: Buffer, isBinary) => {
    // The first byte of a binary packet is its type, which is always a message.
    take(isBinary ? data.subarray(1) : data.toString());
  });
  webSocket.on("close", () => end("the connection closed"));
  webSocket.on("error", (error) => end(error.message));
  return {
    send: (packet) => {
      if (webSocket.readyState === WebSocket.OPEN) webSocket.send(packet);
    },
    close: () => webSocket.close(),
  };
}

/** Long-polling with `b64=1`, as clients without binary requests do it. */
function openPolling(url: string, take: Take, end: End): OldWire {
  let sid = "";
  let isClosed = false;
  let sending: Promise<unknown> = Promise.resolve();
  const exchange = async (body?: string): Promise<string> => {
    const path = `/socket.io/?EIO=3&transport=polling&b64=1${sid === "" ? "" : `&sid=${sid}`}`;
    return await exchangeText(`${url}${path}`, body);
  };
  const poll = async (): Promise<void> => {
    try {
      while (!isClosed) {
        for (const packet of splitPayload(await exchange())) {
          if (packet === "1") return end("closed by the server");
          if (sid === "" && typeof packet === "string") sid = (JSON.parse(packet.slice(1)) as { sid: string }).sid;
          take(packet);
        }
      }
    } catch (thrown) {
      end((thrown as Error).message);
    }
  };
  const send = (packet: string): void => {
    sending = sending.then(async () => await exchange(`${packet.length}:${packet}`)).catch(() => {});
  };
  void poll();
  return {
    send,
    close: () => {
      send("1");
      isClosed = true;
    },
  };
}

/** Packets of a payload: their length in UTF-16 units, a colon, and themselves; `b4` is a message in base64. */
function* splitPayload(payload: string): Generator<string | Buffer> {
  for (let at = 0; at < payload.length; ) {
    const colon = payload.indexOf(":", at);
    const end = colon + 1 + Number(payload.slice(at, colon));
    const packet = payload.slice(colon + 1, end);
    yield packet.startsWith("b4") ? Buffer.from(packet.slice(2), "base64") : packet;
    at = end;
  }
}

async function exchangeText(url: string, body?: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const headers = { "Content-Type": "text/plain;charset=UTF-8" };
    const outgoing = request(
      url,
      { method: body === undefined ? "GET" : "POST", headers, agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString();
          if (response.statusCode === 200) resolve(text);
          else reject(new Error(`answered ${response.statusCode}: ${text}`));
        });
      },
    );
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}
