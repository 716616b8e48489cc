/** A redis-server of the test's own: its files in a temporary directory, its log kept, ended at the end. */

import { type ChildProcess, spawn } from "node:child_process";
import { EventEmitter, once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { Redis } from "ioredis";
import { findProgram } from "../prerequisite.js";
import { within } from "./within.js";

export const redisPath = findProgram("redis-server");
export const missingRedis = "redis-server is not installed; apt-get install redis-server installs it";

/** Redis must be told its ports: another one is tried when a port is taken meanwhile. */
const portAttempts = 5;
/** Redis Cluster refuses ports above, because its second port would be 10,000 higher. */
const maxClusterPort = 55_535;

export interface RedisServerOptions {
  /** More lines of the configuration, made when the port is known. */
  readonly makeConfig?: (port: number) => readonly string[];
  /** The port is that of TLS; without a plain one. */
  readonly isTls?: boolean;
  readonly isSentinel?: boolean;
}

/** Servers that run now: at the end of a file there is none. */
const running = new Set<RedisServer>();

// A test file that breaks must leave no server behind either.
process.once("exit", () => {
  for (const server of running) {
    server.signal("SIGKILL");
    rmSync(server.directory, { recursive: true, force: true });
  }
});

export class RedisServer implements AsyncDisposable {
  readonly directory: string;
  readonly port: number;
  readonly #isSentinel: boolean;
  readonly #log = new EventEmitter<{ line: [string] }>();
  #lines: string[] = [];
  #child: ChildProcess | undefined;

  private constructor(directory: string, port: number, isSentinel: boolean) {
    this.directory = directory;
    this.port = port;
    this.#isSentinel = isSentinel;
    this.#log.setMaxListeners(100);
  }

  static async start(options: RedisServerOptions = {}): Promise<RedisServer> {
    const isSentinel = options.isSentinel === true;
    for (let attempt = 0; attempt < portAttempts; attempt++) {
      const port = await findPort();
      const directory = mkdtempSync(join(tmpdir(), "sbx-redis-"));
      const lines = [
        ...(options.isTls === true ? ["port 0", `tls-port ${port}`] : [`port ${port}`]),
        ...["bind 127.0.0.1", "daemonize no", `dir ${directory}`],
        // Sentinel takes no part of a server's settings, and cannot listen on a Unix socket alone.
        ...(isSentinel ? [] : [`unixsocket ${join(directory, "redis.sock")}`, 'save ""', "appendonly no"]),
        ...(options.makeConfig?.(port) ?? []),
      ];
      writeFileSync(join(directory, "redis.conf"), `${lines.join("\n")}\n`);
      const server = new RedisServer(directory, port, isSentinel);
      if (await server.#launch()) return server;
      await server[Symbol.asyncDispose]();
    }
    throw new Error(`redis-server found its port taken ${portAttempts} times`);
  }

  get socketPath(): string {
    return join(this.directory, "redis.sock");
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  signal(signal: NodeJS.Signals): void {
    this.#child?.kill(signal);
  }

  /** Ends it as a crash does, and waits until it is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const gone = child.exitCode !== null || child.signalCode !== null ? undefined : once(child, "exit");
    child.kill("SIGKILL");
    await gone;
    this.#child = undefined;
    running.delete(this);
  }

  /** Starts it again at the same addresses, without its data. */
  async restart(): Promise<void> {
    await this.kill();
    this.#lines = [];
    rmSync(this.socketPath, { force: true });
    if (!(await this.#launch())) throw new Error(`port ${this.port} was taken while redis-server was away`);
  }

  /** Hangs it: connections stay, nothing is answered. */
  pause(): void {
    this.signal("SIGSTOP");
  }

  resume(): void {
    this.signal("SIGCONT");
  }

  /** Resolves when its log has had a line that matches since it was (re)started. */
  async untilLogged(pattern: RegExp): Promise<string> {
    const known = this.#lines.find((line) => pattern.test(line));
    if (known !== undefined) return known;
    const found = new Promise<string>((resolve) => {
      const look = (line: string): void => {
        if (!pattern.test(line)) return;
        this.#log.off("line", look);
        resolve(line);
      };
      this.#log.on("line", look);
    });
    return await within(found, `${pattern} in the log of Redis`);
  }

  /** Runs a command over a connection of its own, as the user who may do everything. */
  async command(name: string, ...args: readonly (string | number)[]): Promise<unknown> {
    const address = this.#isSentinel ? { port: this.port } : { path: this.socketPath };
    const client = new Redis({ ...address, lazyConnect: true, retryStrategy: null, connectionName: "test" });
    client.on("error", () => {});
    try {
      return await client.call(name, ...args);
    } finally {
      client.disconnect();
    }
  }

  /** Resolves when somebody has subscribed the channel: nothing tells it, so it is asked again and again. */
  async untilSubscribed(channel: string): Promise<void> {
    const ask = async (): Promise<void> => {
      while (String(await this.command("PUBSUB", "NUMSUB", channel)) !== `${channel},1`) await pause(20);
    };
    await within(ask(), `a subscriber of ${channel}`);
  }

  /** The lines of CLIENT LIST but for the tests' own, replicas, Sentinels, and those that ask where a slot is. */
  async listClients(): Promise<string[]> {
    const text = String(await this.command("CLIENT", "LIST"));
    return text
      .split("\n")
      .filter((line) => line !== "" && !/ name=(test|sentinel-)| flags=[SM] | cmd=cluster/.test(line));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** False when the port is taken. */
  async #launch(): Promise<boolean> {
    const args = [join(this.directory, "redis.conf"), ...(this.#isSentinel ? ["--sentinel"] : [])];
    const child = spawn(redisPath ?? "redis-server", args, { stdio: ["ignore", "pipe", "ignore"] });
    this.#child = child;
    running.add(this);
    let rest = "";
    child.stdout?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        this.#lines.push(line);
        this.#log.emit("line", line);
      }
    });
    const isReady = this.untilLogged(this.#isSentinel ? /Sentinel ID is/ : /eady to accept connections/).then(
      () => true,
    );
    const hasEnded = once(child, "close").then(() => false);
    if (await Promise.race([isReady, hasEnded])) return true;
    isReady.catch(() => {});
    if (this.#lines.some((line) => line.includes("Address already in use"))) return false;
    throw new Error(`redis-server ended:\n${this.#lines.join("\n")}`);
  }
}

/** Directories and processes of servers that a test has left behind. */
export function listRemains(servers: readonly RedisServer[]): string[] {
  const directories = servers.map(({ directory }) => directory).filter((directory) => existsSync(directory));
  return [...directories, ...[...running].map((server) => `process ${server.pid}`)];
}

/** A port that the system gives, and that a node of a cluster takes as well. */
export async function findPort(): Promise<number> {
  for (;;) {
    const probe = createServer().listen(0, "127.0.0.1");
    await once(probe, "listening");
    const address = probe.address();
    await new Promise((resolve) => probe.close(resolve));
    if (typeof address === "object" && address !== null && address.port <= maxClusterPort) return address.port;
  }
}
