/** A Socket.IO client over WebSocket that keeps each frame as the bytes that came on the wire. */

import assert from "node:assert/strict";
import { enginePath } from "./engine-polling.js";
import { RawConnection, renderRequest, type Target } from "./raw-http.js";
import { renderTextFrame } from "./raw-websocket.js";

const upgradeHeaders = {
  Connection: "Upgrade",
  Upgrade: "websocket",
  "Sec-WebSocket-Version": "13",
  "Sec-WebSocket-Key": "MDEyMzQ1Njc4OWFiY2RlZg==",
};

export interface RawFrame {
  readonly bytes: Buffer;
  readonly payload: Buffer;
}

export class RawFrameClient {
  readonly sid: string;
  readonly #connection: RawConnection;

  private constructor(connection: RawConnection, sid: string) {
    this.#connection = connection;
    this.sid = sid;
  }

  /** Connects, and joins the main namespace and these rooms of it. */
  static async open(target: Target, rooms: readonly string[]): Promise<RawFrameClient> {
    const connection = await RawConnection.open(target);
    const request = renderRequest({ path: enginePath({ transport: "websocket" }), headers: upgradeHeaders });
    const response = await connection.exchange(request);
    assert.equal(response.status, 101);
    const opening = await readFrame(connection);
    const { sid } = JSON.parse(opening.payload.toString().slice(1)) as { sid: string };
    const client = new RawFrameClient(connection, sid);
    client.send("40");
    assert.match((await client.read()).payload.toString(), /^40\{/);
    for (const [id, room] of rooms.entries()) {
      client.send(`42${id}${JSON.stringify(["join", room])}`);
      assert.equal((await client.read()).payload.toString(), `43${id}[]`);
    }
    return client;
  }

  send(text: string): void {
    this.#connection.send(renderTextFrame(text));
  }

  async read(): Promise<RawFrame> {
    return await readFrame(this.#connection);
  }

  /** All frames until one with that text, which is not among them. */
  async readUntil(text: string): Promise<RawFrame[]> {
    const frames: RawFrame[] = [];
    for (;;) {
      const frame = await this.read();
      if (frame.payload.toString() === text) return frames;
      frames.push(frame);
    }
  }

  close(): void {
    this.#connection.destroy();
  }
}

/** Servers send unmasked, and Engine.IO unfragmented frames; lengths in whatever form they came. */
async function readFrame(connection: RawConnection): Promise<RawFrame> {
  const parts = [await connection.readBytes(2)];
  let length = parts[0]?.[1] ?? 0;
  if (length === 126) {
    const bytes = await connection.readBytes(2);
    parts.push(bytes);
    length = bytes.readUInt16BE();
  } else if (length === 127) {
    const bytes = await connection.readBytes(8);
    parts.push(bytes);
    length = Number(bytes.readBigUInt64BE());
  }
  const payload = length === 0 ? Buffer.alloc(0) : await connection.readBytes(length);
  return { bytes: Buffer.concat([...parts, payload]), payload };
}
