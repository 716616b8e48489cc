// One client: a raw Engine.IO connection over WebSocket that reads of each message no more than its sequence number.
import { connect } from "node:net";
import { encodeTextFrame, readSequence, SEQUENCE_DIGITS } from "./frames.mjs";

const HEAD_END = Buffer.from("\r\n\r\n");
const REQUEST =
  "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
const CONNECT_FRAME = encodeTextFrame("40");
const PONG_FRAME = encodeTextFrame("3");

/** One buffer for all connections: whatever is read is taken from it before the next read. */
const readBuffer = Buffer.allocUnsafeSlow(256 * 1_024);

/** Of a long message this much is looked at; the rest is only counted. */
const LOOK_BYTES = 32;
const TEXT_FRAME = 0x81;
const CLOSE_OPCODE = 0x8;
const [DIGIT_2, DIGIT_3, DIGIT_4, BRACKET] = Buffer.from("234[");

export class Connection {
  #socket;
  #sequenceStart;
  #handlers;
  #isOpen = false;
  #rest; // bytes of a frame whose beginning is not complete yet
  #skipBytes = 0; // of a long message: still to come
  #skippedSequence = 0;
  #nextAnswerId = 0;
  #answers = new Map();

  /**
   * `sequenceStart`: where in an event's payload the sequence number begins. Handlers: `onConnected(socketId)`,
   * `onMessage(sequence)` for events and for answers that carry a sequence number as their id, `onClose(error | undefined)`.
   */
  constructor(port, sequenceStart, handlers) {
    this.#sequenceStart = sequenceStart;
    this.#handlers = handlers;
    let failure;
    this.#socket = connect({
      port,
      host: "127.0.0.1",
      noDelay: true,
      onread: {
        buffer: readBuffer,
        callback: (size) => {
          this.#read(readBuffer, size);
          return true;
        },
      },
    });
    this.#socket.on("connect", () => this.#socket.write(REQUEST, "latin1"));
    this.#socket.on("error", (error) => {
      failure = error;
    });
    this.#socket.on("close", () => handlers.onClose(failure));
  }

  send(frames) {
    this.#socket.write(frames);
  }

  /** Emits an event and resolves when the server has answered it. */
  request(event, ...args) {
    const id = this.#nextAnswerId++;
    this.#socket.write(encodeTextFrame(`42${id}${JSON.stringify([event, ...args])}`));
    return new Promise((resolve) => this.#answers.set(id, resolve));
  }

  destroy() {
    this.#socket.destroy();
  }

  #read(chunk, size) {
    if (!this.#isOpen || this.#rest !== undefined) {
      this.#readJoined(chunk.subarray(0, size));
    } else {
      this.#readFrames(chunk, size);
    }
  }

  /** The rare way: bytes of an earlier read come first. */
  #readJoined(chunk) {
    let bytes = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = undefined;
    if (!this.#isOpen) {
      const headEnd = bytes.indexOf(HEAD_END);
      if (headEnd === -1) {
        this.#rest = Buffer.from(bytes);
        return;
      }
      if (!bytes.latin1Slice(0, 12).startsWith("HTTP/1.1 101")) {
        this.#socket.destroy(new Error(`upgrade answered ${bytes.latin1Slice(0, bytes.indexOf(13))}`));
        return;
      }
      this.#isOpen = true;
      bytes = bytes.subarray(headEnd + HEAD_END.length);
    }
    this.#readFrames(bytes, bytes.length);
  }

  #readFrames(bytes, end) {
    let start = 0;
    if (this.#skipBytes > 0) {
      if (this.#skipBytes > end) {
        this.#skipBytes -= end;
        return;
      }
      start = this.#skipBytes;
      this.#skipBytes = 0;
      this.#handlers.onMessage(this.#skippedSequence);
    }
    while (start < end) {
      const shortSize = end - start < 2 ? 0 : bytes[start + 1];
      const headSize = shortSize < 126 ? 2 : shortSize === 126 ? 4 : 10;
      const payloadStart = start + headSize;
      if (payloadStart > end) {
        break;
      }
      const size = headSize === 2 ? shortSize : headSize === 4 ? bytes.readUInt16BE(start + 2) : readLong(bytes, start);
      const payloadEnd = payloadStart + size;
      if (isEvent(bytes, start, payloadStart) && payloadStart + Math.min(size, LOOK_BYTES) <= end) {
        const sequence = readSequence(bytes, payloadStart + this.#sequenceStart);
        if (payloadEnd > end) {
          this.#skippedSequence = sequence;
          this.#skipBytes = payloadEnd - end;
          return;
        }
        this.#handlers.onMessage(sequence);
      } else if (payloadEnd > end) {
        break;
      } else {
        this.#readOther(bytes, start, payloadStart, payloadEnd);
      }
      start = payloadEnd;
    }
    if (start < end) {
      this.#rest = Buffer.from(bytes.subarray(start, end));
    }
  }

  /** Answers and Engine.IO's own packets. */
  #readOther(bytes, start, payloadStart, payloadEnd) {
    if (bytes[payloadStart] === DIGIT_4 && bytes[payloadStart + 1] === DIGIT_3) {
      const idStart = payloadStart + 2;
      const idEnd = idStart + SEQUENCE_DIGITS;
      if (idEnd < payloadEnd && bytes[idEnd] === BRACKET) {
        this.#handlers.onMessage(readSequence(bytes, idStart));
        return;
      }
      const text = bytes.latin1Slice(idStart, payloadEnd);
      const id = Number.parseInt(text, 10);
      this.#answers.get(id)?.(JSON.parse(text.slice(text.indexOf("["))));
      this.#answers.delete(id);
      return;
    }
    const text = bytes.latin1Slice(payloadStart, payloadEnd);
    if (text.startsWith("0{")) {
      this.#socket.write(CONNECT_FRAME);
    } else if (text.startsWith("40{")) {
      this.#handlers.onConnected(JSON.parse(text.slice(2)).sid);
    } else if (text === "2") {
      this.#socket.write(PONG_FRAME);
    } else {
      const what = (bytes[start] & 0x0f) === CLOSE_OPCODE ? "a close frame" : JSON.stringify(text.slice(0, 80));
      this.#socket.destroy(new Error(`the server sent ${what}`));
    }
  }
}

function isEvent(bytes, start, payloadStart) {
  return bytes[start] === TEXT_FRAME && bytes[payloadStart] === DIGIT_4 && bytes[payloadStart + 1] === DIGIT_2;
}

function readLong(bytes, start) {
  return Number(bytes.readBigUInt64BE(start + 2));
}
