/**
 * Where `attach()` finds the worker it runs in. A process-wide symbol, so that it works when the application resolves
 * another copy of this package than the one that started the worker.
 */

import type { Server } from "socket.io";
import type { SignalboxContext } from "./app-contract.js";
import type { AdapterFactory } from "./fabric-contract.js";

/** The part of a worker that applications reach through `attach()`. The number is the version of this contract. */
export interface WorkerRuntimeApi {
  adopt(io: Server): Promise<SignalboxContext>;
  /** The adapter factory of the host's fabric, for applications that ask `signalbox/adapter` for one. */
  readonly createAdapter: AdapterFactory;
}

const registryKey = Symbol.for("signalbox.worker-runtime.1");

export function publishRuntime(runtime: WorkerRuntimeApi): void {
  Object.defineProperty(globalThis, registryKey, { value: runtime, configurable: true });
}

/** The runtime of this process, or undefined when it is not a Signalbox worker. */
export function findRuntime(): WorkerRuntimeApi | undefined {
  return (globalThis as { [registryKey]?: WorkerRuntimeApi })[registryKey];
}
