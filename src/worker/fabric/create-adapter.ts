/**
 * `createAdapter()` for programs that fork their own workers with node:cluster: the shape of `@socket.io/cluster-adapter`'s.
 * Where the router is, and which place this worker has, it asks the primary, in which `setupPrimary()` has been called.
 */

import type { Namespace } from "socket.io";
import { encodePlace } from "../../address/address.js";
import { type PlaceAnswer, parsePlaceAnswer, placeQuestion } from "../../protocol/adapter-messages.js";
import { createIdGenerator, withAddressedSockets } from "../addressed-ids.js";
import type { AdapterFactory } from "../fabric-contract.js";
import { findRuntime } from "../runtime-registry.js";
import { resynchroniseClients } from "./resynchronise.js";
import { RoutedAdapter } from "./routed-adapter.js";
import { RoutedFabric } from "./routed-fabric.js";
import { warnAboutUnsupportedOptions } from "./unsupported-options.js";

/** Limits of one worker; the defaults are those of `signalbox start`. */
export interface AdapterOptions {
  /** Bytes that may wait for the router before they are given up and counted; 256 MiB by default. */
  readonly maxOutboxBytes?: number;
  /** Rooms of one worker beyond which it gets every message instead of announcing them; 200,000 by default. */
  readonly maxRooms?: number;
}

/** The primary answers at once; without an answer nobody has called `setupPrimary()`. */
const answerWarningMs = 5_000;
/** A question that came before `setupPrimary()` was called is lost. */
const repeatQuestionMs = 500;

let programFabric: RoutedFabric | undefined;
let generateId: (() => string) | undefined;

/**
 * The adapter of the routed fabric: `io.adapter(createAdapter())` in each worker, `setupPrimary()` in the primary.
 * In a process that is not a worker of node:cluster it serves the sockets of this process only, and says so.
 */
export function createAdapter(options: AdapterOptions = {}): (namespace: Namespace) => Namespace["adapter"] {
  // What `io.adapter()` takes is a type of Socket.IO's own adapter class; what it uses of it, ours has.
  return createFactory(options) as (namespace: Namespace) => Namespace["adapter"];
}

function createFactory(options: AdapterOptions): AdapterFactory {
  const hosted = findRuntime();
  // Under Signalbox there is one fabric already, whoever asks for it.
  if (hosted?.createAdapter !== undefined) return hosted.createAdapter;
  programFabric ??= createProgramFabric(options);
  const fabric = programFabric;
  const create = (namespace: Namespace): object => {
    warnAboutUnsupportedOptions(namespace.server, (message) => console.warn(`signalbox: ${message}`));
    return new RoutedAdapter(namespace, fabric);
  };
  // Until the place is known, sockets keep the ids that Socket.IO gives them.
  return withAddressedSockets(create, () => generateId?.());
}

function createProgramFabric({ maxOutboxBytes = 256 * 1024 * 1024, maxRooms = 200_000 }: AdapterOptions): RoutedFabric {
  for (const [name, value] of Object.entries({ maxOutboxBytes, maxRooms })) {
    if (!Number.isSafeInteger(value) || value <= 0) throw new RangeError(`${name} must be a whole number above 0`);
  }
  const fabric = new RoutedFabric({
    maxOutboxBytes,
    maxRooms,
    resynchronise: resynchroniseClients,
    log: { debug: () => {}, info: () => {}, warn: (message) => console.warn(`signalbox: ${message}`) },
  });
  if (process.send === undefined) {
    console.warn(
      "signalbox: createAdapter() in a process that node:cluster has not forked: no other worker is reached",
    );
    fabric.stayAlone();
    return fabric;
  }
  askForPlace(({ socketPath, hostKey, slot }) => {
    generateId = createIdGenerator(hostKey, slot);
    fabric.settle({ socketPath, place: encodePlace({ hostKey, workerSlot: slot }) });
  });
  return fabric;
}

function askForPlace(take: (answer: PlaceAnswer) => void): void {
  const warning = setTimeout(() => {
    console.warn("signalbox: the primary does not answer: call setupPrimary() of signalbox/adapter in it");
  }, answerWarningMs);
  warning.unref();
  const listen = (raw: unknown): void => {
    const answer = parsePlaceAnswer(raw);
    if (answer === undefined) return;
    clearTimeout(warning);
    clearInterval(repetition);
    process.removeListener("message", listen);
    take(answer);
  };
  const ask = (): void => {
    process.send?.(placeQuestion, (error: Error | null) => {
      if (error === null) return;
      clearTimeout(warning);
      clearInterval(repetition);
      console.warn(`signalbox: the primary cannot be asked: ${error.message}`);
    });
  };
  const repetition = setInterval(ask, repeatQuestionMs);
  repetition.unref();
  process.on("message", listen);
  ask();
}
