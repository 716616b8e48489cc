/** What serves which namespace on this worker: usually one adapter, two while one replaces another. Pure. */

import type { RequestHead } from "../../protocol/exchange-frames.js";
import type { RoomName } from "../../protocol/room-key.js";
import type { RoutedView } from "../../protocol/routed-frame.js";

/** What serves a namespace on this worker: an adapter. */
export interface SessionEndpoint {
  /** An address of this worker; given when the worker's place is known. */
  uid: string;
  readonly namespace: string;
  readonly parserId: number;
  /** Whether a local socket other than the room's own is in it. */
  isRoomWanted(room: RoomName): boolean;
  takeBroadcast(view: RoutedView): void;
  takeCommand(view: RoutedView): void;
  takeRequest(view: RoutedView, head: RequestHead): void;
  takeEmitterMessage(view: RoutedView): void;
}

const nobody: readonly SessionEndpoint[] = [];

export class EndpointTable {
  readonly #byNamespace = new Map<string, readonly SessionEndpoint[]>();
  readonly #byKey = new Map<string, readonly SessionEndpoint[]>();

  /** False when it is there already. */
  add(endpoint: SessionEndpoint): boolean {
    const endpoints = this.of(endpoint.namespace);
    if (endpoints.includes(endpoint)) return false;
    this.#set(endpoint.namespace, [...endpoints, endpoint]);
    return true;
  }

  /** Answers how many serve the namespace still. */
  remove(endpoint: SessionEndpoint): number {
    const left = this.of(endpoint.namespace).filter((other) => other !== endpoint);
    this.#set(endpoint.namespace, left);
    return left.length;
  }

  get isEmpty(): boolean {
    return this.#byNamespace.size === 0;
  }

  of(namespace: string): readonly SessionEndpoint[] {
    return this.#byNamespace.get(namespace) ?? nobody;
  }

  /** By the namespace as a frame has it. */
  ofKey(namespaceKey: string): readonly SessionEndpoint[] {
    return this.#byKey.get(namespaceKey) ?? nobody;
  }

  *all(): Iterable<SessionEndpoint> {
    for (const endpoints of this.#byNamespace.values()) yield* endpoints;
  }

  /** Whether any of them wants a room. */
  isRoomWanted(namespace: string, room: RoomName): boolean {
    return this.of(namespace).some((endpoint) => endpoint.isRoomWanted(room));
  }

  #set(namespace: string, endpoints: readonly SessionEndpoint[]): void {
    const key = Buffer.from(namespace).toString("latin1");
    if (endpoints.length === 0) {
      this.#byNamespace.delete(namespace);
      this.#byKey.delete(key);
    } else {
      this.#byNamespace.set(namespace, endpoints);
      this.#byKey.set(key, endpoints);
    }
  }
}
