/** Passes requests and their answers on between workers; while one is expected back, requests wait for it. Pure. */

import { readRequestHead, readResponsePlace, requests } from "../protocol/exchange-frames.js";
import { RoutedView } from "../protocol/routed-frame.js";
import type { Delivery } from "./delivery.js";
import type { Forwarding } from "./forwarding.js";
import { HeldRequests } from "./held-requests.js";
import type { Members } from "./members.js";
import type { Port } from "./port.js";
import type { RouterCounters } from "./router-effects.js";

/** What a request needs of the router around it. */
export interface RequestRelayParts {
  readonly portByPlace: ReadonlyMap<string, Port>;
  readonly forwarding: Forwarding;
  readonly members: Members;
  readonly delivery: Delivery;
  readonly counters: RouterCounters;
}

export class RequestRelay {
  readonly #parts: RequestRelayParts;
  readonly #held: HeldRequests;
  readonly #view = new RoutedView();

  /** @param expectBackMs how long a request waits at most */
  constructor(parts: RequestRelayParts, expectBackMs: number) {
    this.#parts = parts;
    this.#held = new HeldRequests(expectBackMs);
  }

  /** Takes a request of a worker. @throws FrameError when it is none */
  take(port: Port, bytes: Buffer, start: number, end: number, nowMs: number): void {
    this.#view.read(bytes, start, end);
    // All of it is checked now: when a held request is passed on, there is nobody to refuse.
    this.#view.checkRooms();
    const { type } = readRequestHead(bytes, this.#view.bodyStart, end);
    // A broadcast must not be overtaken by the next: it does not wait, and who is expected back gets it without being asked.
    const mayWait = type !== requests.broadcast && this.#isAnyExpected();
    if (mayWait && this.#held.hold(port.place, bytes, start, end, nowMs)) return;
    this.#forward(port, bytes, start, end);
  }

  /** The asker learns who is asked before any of them can answer. */
  #forward(port: Port, bytes: Buffer, start: number, end: number): void {
    const { forwarding, members, delivery } = this.#parts;
    const view = this.#view;
    view.read(bytes, start, end);
    const { uid, requestId } = readRequestHead(bytes, view.bodyStart, end);
    const namespaceKey = view.readNamespaceKey();
    const targets = forwarding.findTargets(view, port);
    const askedUids: string[] = [];
    for (const target of targets) {
      if (target.isStalled || target.connection === undefined) continue;
      askedUids.push(...members.uidsOf(target, namespaceKey));
    }
    // The number on the wire has 16 bits; adapters of one namespace are about as many as workers.
    askedUids.length = Math.min(askedUids.length, 65_535);
    delivery.tell(port, { type: "routed", uid, requestId, askedUids });
    delivery.send(targets, bytes, start, end);
  }

  /** Takes an answer to the worker that has asked. @throws FrameError when it is none */
  answer(bytes: Buffer, start: number, end: number): void {
    const { portByPlace, delivery, counters } = this.#parts;
    const port = portByPlace.get(readResponsePlace(bytes, start, end));
    if (port === undefined) counters.unroutableResponses++;
    else delivery.push(port, bytes, start, end, false);
  }

  /** To be called when somebody has come back, or is not waited for any more, and as time passes. */
  release(nowMs: number): void {
    if (this.#held.isEmpty) return;
    if (this.#isAnyExpected() && !this.#held.isOverdue(nowMs)) return;
    for (const { place, frame } of this.#held.takeAll()) {
      const port = this.#parts.portByPlace.get(place);
      if (port !== undefined) this.#forward(port, frame, 0, frame.length);
    }
  }

  /** A worker has ended, and its requests with it. */
  forget(place: string): void {
    this.#held.forget(place);
  }

  #isAnyExpected(): boolean {
    for (const port of this.#parts.portByPlace.values()) {
      if (!port.isComplete && !port.isStalled) return true;
    }
    return false;
  }
}
