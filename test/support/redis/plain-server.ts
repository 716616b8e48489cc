/** A Socket.IO server in a process of its own, with the adapter of `@socket.io/redis-adapter` as its users set it up: no Signalbox. */

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { type ControlledWorker, ControlServer } from "../../contract/fabric/support/control-server.js";
import { cleanEnvironment, fixturePath, pause } from "../host.js";

/** As whom it says hello to the test. */
const controlSlot = 9;

export interface PlainServerOptions {
  readonly redisSocketPath: string;
  readonly adapter: "classic" | "sharded";
  readonly key?: string;
  /** ioredis's option of that name. */
  readonly maxRetriesPerRequest?: number;
}

export class PlainServer implements AsyncDisposable {
  readonly port: number;
  /** Resolves with the exit code; null after a signal. */
  readonly exited: Promise<number | null>;
  readonly #child: ChildProcess;
  readonly #control: ControlServer;
  #stderr = "";

  private constructor(child: ChildProcess, control: ControlServer, port: number) {
    this.#child = child;
    this.#control = control;
    this.port = port;
    this.exited = once(child, "close").then(([code]) => code as number | null);
    child.stderr?.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
    });
  }

  static async start(options: PlainServerOptions): Promise<PlainServer> {
    const control = new ControlServer();
    await control.open();
    const child = spawn(process.execPath, [fixturePath("stock/plain-server.mjs")], {
      env: cleanEnvironment({
        FABRIC_CONTROL_PATH: control.path,
        PLAIN_REDIS_PATH: options.redisSocketPath,
        PLAIN_ADAPTER: options.adapter,
        PLAIN_KEY: options.key ?? "socket.io",
        PLAIN_MAX_RETRIES: String(options.maxRetriesPerRequest ?? 20),
      }),
      stdio: ["ignore", "pipe", "pipe"],
    });
    const [line] = (await once(child.stdout.setEncoding("utf8"), "data")) as [string];
    // It has sent its hello by then, but that comes another way.
    await control.waitForWorker(controlSlot);
    return new PlainServer(child, control, Number(line));
  }

  get stderr(): string {
    return this.#stderr;
  }

  get worker(): ControlledWorker {
    return this.#control.worker(controlSlot);
  }

  async ask<Result>(command: string, rest: Readonly<Record<string, unknown>> = {}): Promise<Result> {
    return await this.worker.ask<Result>(command, rest);
  }

  /** Resolves when its adapter counts so many servers. */
  async waitForServers(count: number): Promise<void> {
    while ((await this.ask<number>("serverCount")) !== count) await pause(10);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGKILL");
    await this.exited;
    this.#control.close();
  }
}
