/**
 * Passes requests and their answers on between workers, of this host and of others; while one of this host is expected back,
 * requests wait for it. Pure.
 */

import { readRequestHead, readResponsePlace, requests } from "../protocol/exchange-frames.js";
import { RoutedView } from "../protocol/routed-frame.js";
import { encodeRouterToWorker, hostKeyLength, nameHostAsked } from "../protocol/worker-port-frames.js";
import type { Delivery } from "./delivery.js";
import type { Forwarding } from "./forwarding.js";
import { HeldRequests } from "./held-requests.js";
import type { HostBus } from "./host-bus/host-bus.js";
import type { HostPort } from "./host-bus/host-port.js";
import type { Members } from "./members.js";
import type { Port } from "./port.js";
import type { RouterCounters } from "./router-effects.js";

/** What a request needs of the router around it. */
export interface RequestRelayParts {
  readonly hostKey: string;
  readonly hosts: ReadonlyMap<string, HostPort>;
  /** Undefined where there are no other hosts. */
  readonly bus: () => HostBus | undefined;
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

  /** Takes a request of a worker, or of another host's. @throws FrameError when it is none */
  take(from: Port | HostPort, bytes: Buffer, start: number, end: number, nowMs: number): void {
    this.#view.read(bytes, start, end);
    // All of it is checked now: when a held request is passed on, there is nobody to refuse.
    this.#view.checkRooms();
    const { type } = readRequestHead(bytes, this.#view.bodyStart, end);
    // A broadcast must not be overtaken by the next: it does not wait, and who is expected back gets it without being asked.
    const mayWait = type !== requests.broadcast && this.#isAnyExpected();
    const origin = from.isWorker ? from.place : from.hostKey;
    if (mayWait && this.#held.hold(origin, bytes, start, end, nowMs)) return;
    this.#forward(from, bytes, start, end, nowMs);
  }

  /** The asker learns who is asked before any of them can answer. */
  #forward(from: Port | HostPort, bytes: Buffer, start: number, end: number, nowMs: number): void {
    const { forwarding, members, delivery, hostKey } = this.#parts;
    const bus = this.#parts.bus();
    const view = this.#view;
    view.read(bytes, start, end);
    const { uid, requestId } = readRequestHead(bytes, view.bodyStart, end);
    const namespaceKey = view.readNamespaceKey();
    const targets = forwarding.findTargets(view, from.isWorker ? from : undefined);
    const hosts = forwarding.targetHosts;
    const askedUids: string[] = [];
    for (const target of targets) {
      if (target.isStalled || target.connection === undefined) continue;
      askedUids.push(...members.uidsOf(target, namespaceKey));
    }
    // Who is asked there, its router says.
    for (const host of hosts) if (host.isReachable) askedUids.push(nameHostAsked(host.hostKey));
    // The number on the wire has 16 bits; adapters of one namespace are about as many as workers.
    askedUids.length = Math.min(askedUids.length, 65_535);
    if (from.isWorker) {
      delivery.tell(from, { type: "routed", uid, requestId, askedUids });
      bus?.send(hosts, bytes, start, end, nowMs);
    } else {
      bus?.push(from, encodeRouterToWorker({ type: "routed-at", uid, requestId, hostKey, askedUids }), false, nowMs);
    }
    delivery.send(targets, bytes, start, end);
  }

  /** Takes an answer, or who is asked elsewhere, to the worker that has asked. @throws FrameError when it is none */
  answer(bytes: Buffer, start: number, end: number, isOwn: boolean, nowMs: number): void {
    const { portByPlace, hosts, delivery, counters } = this.#parts;
    const place = readResponsePlace(bytes, start, end);
    const port = portByPlace.get(place);
    const host = isOwn && port === undefined ? hosts.get(place.slice(0, hostKeyLength)) : undefined;
    if (port !== undefined) delivery.push(port, bytes, start, end, false);
    else if (host !== undefined) this.#parts.bus()?.send([host], bytes, start, end, nowMs);
    else counters.unroutableResponses++;
  }

  /** To be called when somebody has come back, or is not waited for any more, and as time passes. */
  release(nowMs: number): void {
    if (this.#held.isEmpty) return;
    if (this.#isAnyExpected() && !this.#held.isOverdue(nowMs)) return;
    for (const { place, frame } of this.#held.takeAll()) {
      const from = this.#parts.portByPlace.get(place) ?? this.#parts.hosts.get(place);
      if (from !== undefined) this.#forward(from, frame, 0, frame.length, nowMs);
    }
  }

  /** A worker has ended, or a host is gone, and its requests with it. */
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
