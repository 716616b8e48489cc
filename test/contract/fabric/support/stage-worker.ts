/** A worker as the tests see it: what is done with `io` and its parts here is done there. */

import type { Namespace, Server, Socket } from "socket.io";
import type { TestHost } from "../../../support/host.js";
import type { Client } from "./client.js";
import type { ControlledWorker, ControlServer } from "./control-server.js";
import { recordCalls } from "./recorded-calls.js";
import type { StageHosts } from "./stage-hosts.js";

/** What `fetchSockets` gives. */
export type RemoteSocket = Awaited<ReturnType<Server["fetchSockets"]>>[number];

interface Target {
  readonly nsp?: string;
  readonly parent?: "regex" | "function";
  readonly socket?: string;
}

export class StageWorker {
  readonly #control: ControlServer;
  readonly #hosts: StageHosts;
  /** Its number among the workers of all hosts. */
  readonly slot: number;

  constructor(control: ControlServer, hosts: StageHosts, slot: number) {
    this.#control = control;
    this.#hosts = hosts;
    this.slot = slot;
  }

  get host(): TestHost {
    return this.#hosts.find(this.slot).host;
  }

  /** The process that has the slot now. */
  get process(): ControlledWorker {
    return this.#control.worker(this.slot);
  }

  /** Does it all in one turn of the event loop; resolves with what the last statement gives. */
  async io<Result = unknown>(use: (io: Server) => unknown): Promise<Result> {
    return await this.#run({}, recordCalls(use));
  }

  async of<Result = unknown>(nsp: string, use: (nsp: Namespace) => unknown): Promise<Result> {
    return await this.#run({ nsp }, recordCalls(use));
  }

  /** The same with the parent of dynamic namespaces: `/dynamic-…` by a regular expression, `/chosen-…` by a function. */
  async parent<Result = unknown>(parent: "regex" | "function", use: (nsp: Namespace) => unknown): Promise<Result> {
    return await this.#run({ parent }, recordCalls(use));
  }

  /** The same with a socket of this worker. */
  async socket<Result = unknown>(client: Client, use: (socket: Socket) => unknown): Promise<Result> {
    return await this.#run({ nsp: client.nsp, socket: client.id }, recordCalls(use));
  }

  /** The same with what `fetchSockets` gives here for a socket of another worker. */
  async remote<Result = unknown>(client: Client, use: (socket: RemoteSocket) => unknown): Promise<Result> {
    const chains = recordCalls(use);
    return await this.process.ask("runRemote", { target: { nsp: client.nsp, socket: client.id }, chains });
  }

  async #run<Result>(target: Target, chains: unknown): Promise<Result> {
    return await this.process.ask<Result>("run", { target, chains });
  }
}
