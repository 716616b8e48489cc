/** A Socket.IO client over Engine.IO long-polling whose requests the test places on connections of its choice. */

import assert from "node:assert/strict";
import { exchangeOnce, RawConnection, type RawResponse, renderRequest, type Target } from "./raw-http.js";

/** What separates packets in a polling body (Engine.IO protocol 4). */
const packetSeparator = "\x1e";

/** What `echo-app.mjs` answers to "who". */
export interface Who {
  readonly worker: number;
  readonly pid: number;
  readonly id: string;
  readonly sid: string;
  readonly address: string | undefined;
}

export interface PathOptions {
  readonly sid?: string;
  readonly transport?: "polling" | "websocket";
}

export function enginePath(options: PathOptions = {}): string {
  const sid = options.sid === undefined ? "" : `&sid=${options.sid}`;
  return `/socket.io/?EIO=4&transport=${options.transport ?? "polling"}${sid}`;
}

/** The request of a handshake. */
export function renderHandshake(): Buffer {
  return renderRequest({ path: enginePath() });
}

/** Reads the sid out of the answer to a handshake. */
export function readHandshake(response: RawResponse): string {
  const text = response.body.toString();
  assert.equal(response.status, 200, text);
  assert.match(text, /^0\{/);
  return (JSON.parse(text.slice(1)) as { sid: string }).sid;
}

/** One session. Its requests go over `connection`, which sessions may share and tests may change. */
export class PollingSession {
  readonly sid: string;
  connection: RawConnection;
  /** Packets received and not asked for yet, Engine.IO's type digit included. */
  readonly #packets: string[] = [];
  #lastAckId = 0;

  constructor(sid: string, connection: RawConnection) {
    this.sid = sid;
    this.connection = connection;
  }

  /** Opens a session and joins the main namespace, all over the connection. */
  static async open(connection: RawConnection): Promise<PollingSession> {
    const session = new PollingSession(readHandshake(await connection.exchange(renderHandshake())), connection);
    await session.join();
    return session;
  }

  async join(): Promise<void> {
    await this.post("40");
    const packet = await this.nextPacket();
    assert.match(packet, /^40\{"sid":/);
  }

  renderGet(): Buffer {
    return renderRequest({ path: enginePath({ sid: this.sid }) });
  }

  renderPost(body: string): Buffer {
    return renderRequest({
      method: "POST",
      path: enginePath({ sid: this.sid }),
      headers: { "Content-Type": "text/plain;charset=UTF-8" },
      body,
    });
  }

  renderUpgrade(): Buffer {
    return renderRequest({
      path: enginePath({ sid: this.sid, transport: "websocket" }),
      headers: {
        Connection: "Upgrade",
        Upgrade: "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
      },
    });
  }

  async post(body: string): Promise<RawResponse> {
    const response = await this.connection.exchange(this.renderPost(body));
    assert.equal(response.status, 200, response.body.toString());
    assert.equal(response.body.toString(), "ok");
    return response;
  }

  /** Polls once, and keeps what came. */
  async poll(): Promise<RawResponse> {
    const response = await this.connection.exchange(this.renderGet());
    assert.equal(response.status, 200, response.body.toString());
    this.keep(response);
    return response;
  }

  keep(response: RawResponse): void {
    this.#packets.push(...response.body.toString().split(packetSeparator));
  }

  /** The next packet that is not a heartbeat, polling until it is there. */
  async nextPacket(): Promise<string> {
    for (;;) {
      const packet = this.#packets.shift();
      if (packet === undefined) await this.poll();
      else if (packet === "2") await this.post("3");
      else return packet;
    }
  }

  /** The packet that emits an event with an acknowledgement, and the id of that. */
  renderEmit(event: string, ...values: readonly unknown[]): { packet: string; ackId: number } {
    this.#lastAckId++;
    return { packet: `42${this.#lastAckId}${JSON.stringify([event, ...values])}`, ackId: this.#lastAckId };
  }

  /** The values of the next packet, which must be that acknowledgement. */
  async readAck<T>(ackId: number): Promise<T> {
    const packet = await this.nextPacket();
    const prefix = `43${ackId}`;
    assert.ok(packet.startsWith(`${prefix}[`), `expected acknowledgement ${ackId}, got ${packet.slice(0, 100)}`);
    return (JSON.parse(packet.slice(prefix.length)) as [T])[0];
  }

  /** Emits an event and resolves with what is acknowledged. */
  async call<T>(event: string, ...values: readonly unknown[]): Promise<T> {
    const { packet, ackId } = this.renderEmit(event, ...values);
    await this.post(packet);
    return await this.readAck<T>(ackId);
  }

  async who(): Promise<Who> {
    return await this.call<Who>("who");
  }
}

/** A session on a connection of its own. */
export async function openPolling(target: Target): Promise<PollingSession> {
  return await PollingSession.open(await RawConnection.open(target));
}

/** Asserts Engine.IO's answer to a session id that it does not know. */
export function assertUnknownSession(response: RawResponse): void {
  assert.equal(response.status, 400, response.body.toString());
  assert.deepEqual(JSON.parse(response.body.toString()), { code: 1, message: "Session ID unknown" });
}

/** Asserts the same of an upgrade: Engine.IO then answers in plain text, Signalbox for it in JSON. */
export function assertUnknownToUpgrade(response: RawResponse): void {
  assert.equal(response.status, 400, response.body.toString());
  assert.ok(response.body.includes("Session ID unknown"), response.body.toString());
}

/** A polling request of a session, on a connection of its own. */
export async function pollOnce(target: Target, sid: string): Promise<RawResponse> {
  return await exchangeOnce(target, renderRequest({ path: enginePath({ sid }) }));
}
