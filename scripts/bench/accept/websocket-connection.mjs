// One raw WebSocket client connection for short text frames: upgrade, read, send ready-made masked frames, close handshake.
import { connect } from "node:net";

const HEAD_END = Buffer.from("\r\n\r\n");
const MASK = Buffer.from([0x37, 0xfa, 0x21, 0x3d]);

/** A masked frame of less than 126 bytes. The mask is fixed: the server unmasks it all the same. */
function encodeFrame(opcode, payload) {
  const frame = Buffer.alloc(6 + payload.length);
  frame[0] = 0x80 | opcode;
  frame[1] = 0x80 | payload.length;
  MASK.copy(frame, 2);
  for (let i = 0; i < payload.length; i++) {
    frame[6 + i] = payload[i] ^ MASK[i & 3];
  }
  return frame;
}

export const encodeText = (text) => encodeFrame(0x1, Buffer.from(text));
const CLOSE_FRAME = encodeFrame(0x8, Buffer.from([0x03, 0xe8]));

export class WebSocketConnection {
  #socket;
  #pending = undefined;
  #isOpen = false;
  #onMessage;
  #onOpen;

  /** `onClose(error | undefined)` comes once; the answer to our close frame is a normal end. */
  constructor(target, requestText, { onOpen, onMessage, onClose }) {
    this.#onOpen = onOpen;
    this.#onMessage = onMessage;
    let failure;
    this.#socket = connect({ port: target.port, host: "127.0.0.1", noDelay: true });
    this.#socket.on("connect", () => this.#socket.write(requestText, "latin1"));
    this.#socket.on("data", (chunk) => this.#read(chunk));
    this.#socket.on("error", (error) => {
      failure = error;
    });
    this.#socket.on("close", () => onClose(failure));
  }

  send(frame) {
    this.#socket.write(frame);
  }

  /** Starts the close handshake; the server then ends the connection, as it does for browsers. */
  close() {
    this.#socket.write(CLOSE_FRAME);
  }

  destroy(error) {
    this.#socket.destroy(error);
  }

  #read(chunk) {
    let bytes = this.#pending === undefined ? chunk : Buffer.concat([this.#pending, chunk]);
    this.#pending = undefined;
    if (!this.#isOpen) {
      const headEnd = bytes.indexOf(HEAD_END);
      if (headEnd === -1) {
        this.#pending = bytes;
        return;
      }
      const statusLine = bytes.latin1Slice(0, bytes.indexOf(13));
      if (!statusLine.startsWith("HTTP/1.1 101")) {
        this.destroy(new Error(`upgrade answered ${statusLine}`));
        return;
      }
      this.#isOpen = true;
      this.#onOpen();
      bytes = bytes.subarray(headEnd + HEAD_END.length);
    }
    while (bytes.length >= 2) {
      const size = bytes[1];
      if (size > 125) {
        this.destroy(new Error("frame longer than this client reads"));
        return;
      }
      if (bytes.length < 2 + size) {
        break;
      }
      if ((bytes[0] & 0x0f) === 0x1) {
        this.#onMessage(bytes.latin1Slice(2, 2 + size));
      }
      bytes = bytes.subarray(2 + size);
    }
    if (bytes.length > 0) {
      this.#pending = bytes;
    }
  }
}
