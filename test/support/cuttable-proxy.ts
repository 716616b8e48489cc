/** Stands between a host and its Redis, or another region, and can be cut: then nothing passes, and neither side is told, as on a network. */

import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export class CuttableProxy implements AsyncDisposable {
  readonly socketPath: string;
  readonly #directory = mkdtempSync(join(tmpdir(), "sbx-proxy-"));
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #targetPath: string;
  readonly #delayMs: number;
  #isCut = false;

  private constructor(targetPath: string, delayMs: number) {
    this.#targetPath = targetPath;
    this.#delayMs = delayMs;
    this.socketPath = join(this.#directory, "proxy.sock");
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#accept(socket));
  }

  /** @param delayMs what each way takes */
  static async start(targetPath: string, delayMs = 0): Promise<CuttableProxy> {
    const proxy = new CuttableProxy(targetPath, delayMs);
    proxy.#server.listen(proxy.socketPath);
    await once(proxy.#server, "listening");
    return proxy;
  }

  /** New connections go there. */
  retarget(targetPath: string): void {
    this.#targetPath = targetPath;
  }

  /** Connections stay open, and so do new ones: nothing answers. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.pause();
  }

  /** New connections pass; what was open before is gone, with what was on its way. */
  heal(): void {
    this.#isCut = false;
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(near: Socket): void {
    this.#keep(near);
    if (this.#isCut) {
      near.pause();
      return;
    }
    const far = connect(this.#targetPath);
    this.#keep(far);
    this.#join(near, far);
    this.#join(far, near);
  }

  #join(from: Socket, to: Socket): void {
    from.on("data", (chunk) => {
      // What has been read in the moment of the cut is lost with it.
      const passOn = (): void => {
        if (!this.#isCut && !to.destroyed) to.write(chunk);
      };
      if (this.#delayMs === 0) passOn();
      else setTimeout(passOn, this.#delayMs);
    });
    from.on("close", () => to.destroy());
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    // Its end follows.
    socket.on("error", () => {});
    socket.on("end", () => socket.destroy());
    socket.on("close", () => this.#sockets.delete(socket));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
    rmSync(this.#directory, { recursive: true, force: true });
  }
}
