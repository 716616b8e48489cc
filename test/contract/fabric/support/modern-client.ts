/** A client of socket.io-client, on a transport of the test's choice, that remembers what it hears. */

import { connect, type ManagerOptions, type Socket, type SocketOptions } from "socket.io-client";
import parserOfMessagePack from "socket.io-msgpack-parser";
import { Ear } from "./ear.js";

/** `upgraded` begins with polling and is ready once it is on WebSocket. */
export type ModernTransport = "websocket" | "polling" | "upgraded";

export interface ModernOptions {
  readonly url: string;
  readonly nsp: string;
  readonly transport: ModernTransport;
  readonly parser?: "msgpack" | undefined;
  readonly auth?: Readonly<Record<string, unknown>> | undefined;
  /** A client whose connection is shared. */
  readonly beside?: ModernClient | undefined;
}

const transports = {
  websocket: ["websocket"],
  polling: ["polling"],
  upgraded: ["polling", "websocket"],
};

export class ModernClient {
  readonly ear = new Ear();
  readonly socket: Socket;
  readonly nsp: string;
  /** Kept when the socket is disconnected, which forgets it. */
  id = "";

  constructor(options: ModernOptions) {
    this.nsp = options.nsp;
    const settings: Partial<ManagerOptions & SocketOptions> = {
      transports: transports[options.transport],
      forceNew: true,
      reconnection: false,
      ...(options.parser === "msgpack" && { parser: parserOfMessagePack }),
      ...(options.auth !== undefined && { auth: options.auth }),
    };
    this.socket = options.beside?.socket.io.socket(options.nsp) ?? connect(`${options.url}${options.nsp}`, settings);
    this.socket.onAny((name: string, ...args: unknown[]) => this.ear.hear([name, ...args]));
    this.socket.on("disconnect", (reason) => this.ear.end(reason));
  }

  /** Resolves when it is connected, over the transport that was asked for. */
  async ready(transport: ModernTransport): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.socket.once("connect", resolve);
      this.socket.once("connect_error", reject);
    });
    this.id = this.socket.id ?? "";
    const { engine } = this.socket.io;
    if (transport === "upgraded" && engine.transport.name !== "websocket") {
      await new Promise((resolve) => engine.once("upgrade", resolve));
    }
  }

  /** Acknowledges each event of that name with the value. */
  answer(event: string, ...values: readonly unknown[]): void {
    this.socket.on(event, (...args: unknown[]) => {
      const acknowledge = args.at(-1);
      if (typeof acknowledge === "function") acknowledge(...values);
    });
  }

  close(): void {
    this.socket.disconnect();
  }
}
