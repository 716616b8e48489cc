// One raw keep-alive HTTP/1.1 client connection and the small pool of them that one client has. Only what Engine.IO's answers need:
// a status line, Content-Length, Connection.
import { connect } from "node:net";

const HEAD_END = "\r\n\r\n";

class HttpConnection {
  #socket;
  #text = "";
  #onAnswer = undefined;
  isReusable = true;

  constructor(target, onClose) {
    this.#socket = connect({ port: target.port, host: "127.0.0.1", noDelay: true });
    this.#socket.setEncoding("latin1");
    this.#socket.on("data", (text) => this.#read(text));
    this.#socket.on("error", (error) => this.#finish(error));
    this.#socket.on("close", () => {
      this.isReusable = false;
      this.#finish(new Error("closed before the answer"));
      onClose(this);
    });
  }

  send(requestText, onAnswer) {
    this.#onAnswer = onAnswer;
    this.#socket.write(requestText, "latin1");
  }

  close() {
    this.isReusable = false;
    this.#onAnswer = undefined;
    this.#socket.end();
  }

  destroy() {
    this.isReusable = false;
    this.#onAnswer = undefined;
    this.#socket.destroy();
  }

  #read(text) {
    this.#text = this.#text === "" ? text : this.#text + text;
    const headEnd = this.#text.indexOf(HEAD_END);
    if (headEnd === -1) {
      return;
    }
    const head = this.#text.slice(0, headEnd).toLowerCase();
    const length = /\r\ncontent-length: *(\d+)/.exec(head);
    const bodyStart = headEnd + HEAD_END.length;
    const bodyEnd = bodyStart + Number(length?.[1] ?? 0);
    if (this.#text.length < bodyEnd) {
      return;
    }
    if (head.includes("\r\nconnection: close")) {
      this.isReusable = false; // the server closes; ending our half as well lets it finish at once
    }
    const answer = { status: Number(head.slice(9, 12)), body: this.#text.slice(bodyStart, bodyEnd) };
    this.#text = this.#text.slice(bodyEnd);
    this.#finish(undefined, answer);
  }

  #finish(error, answer) {
    const onAnswer = this.#onAnswer;
    this.#onAnswer = undefined;
    onAnswer?.(error, answer);
  }
}

/** Connections of one client: a request takes an idle one if the server left it open, as a browser or Node's agent does. */
export class HttpPool {
  #target;
  #idle = [];
  #open = new Set();
  #onEmpty = undefined;
  openedCount = 0;

  constructor(target) {
    this.#target = target;
  }

  request(requestText, onAnswer) {
    let connection = this.#idle.pop();
    while (connection !== undefined && !connection.isReusable) {
      connection = this.#idle.pop();
    }
    if (connection === undefined) {
      connection = new HttpConnection(this.#target, (closed) => this.#forget(closed));
      this.#open.add(connection);
      this.openedCount++;
    }
    connection.send(requestText, (error, answer) => {
      if (error === undefined && connection.isReusable) {
        this.#idle.push(connection);
      }
      onAnswer(error, answer);
    });
  }

  /** Closes what is idle; `onEmpty` is called when no connection is left. */
  close(onEmpty) {
    this.#onEmpty = onEmpty;
    for (const connection of this.#open) {
      connection.close();
    }
    if (this.#open.size === 0) {
      onEmpty();
    }
  }

  destroy() {
    for (const connection of this.#open) {
      connection.destroy();
    }
  }

  #forget(connection) {
    this.#open.delete(connection);
    if (this.#open.size === 0) {
      this.#onEmpty?.();
    }
  }
}
