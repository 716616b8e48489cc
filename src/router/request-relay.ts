/**
 * Passes requests and their answers on between workers, of this host and of others; while one of this host is expected back,
 * requests wait for it. Pure.
 */

import { readRequestHead, readResponsePlace, requests } from "../protocol/exchange-frames.js";
import { findInnerStart } from "../protocol/regional-frame.js";
import { RoutedView } from "../protocol/routed-frame.js";
import { encodeRouterToWorker, hostKeyLength, nameHostAsked } from "../protocol/worker-port-frames.js";
import type { Delivery } from "./delivery.js";
import type { Forwarding } from "./forwarding.js";
import { HeldRequests } from "./held-requests.js";
import type { HostBus } from "./host-bus/host-bus.js";
import type { HostPort } from "./host-bus/host-port.js";
import type { Members } from "./members.js";
import type { Port } from "./port.js";
import type { RegionLinks } from "./region-link/region-links.js";
import type { RouterCounters } from "./router-effects.js";

/** What a request needs of the router around it. */
export interface RequestRelayParts {
  readonly hostKey: string;
  /** Stands for this host's region among host keys. */
  readonly regionKey: string;
  readonly hosts: ReadonlyMap<string, HostPort>;
  /** Undefined where there are no other hosts. */
  readonly bus: () => HostBus | undefined;
  /** Undefined where there are no other regions. */
  readonly links: () => RegionLinks | undefined;
  readonly portByPlace: ReadonlyMap<string, Port>;
  readonly forwarding: Forwarding;
  readonly members: Members;
  readonly delivery: Delivery;
  readonly counters: RouterCounters;
}

/** Who has asked; of another region, the frame itself says who. */
export type RequestSource = Port | HostPort | typeof regionSource;

const regionSource = "region";

function nameSource(from: RequestSource): string {
  if (from === regionSource) return from;
  return from.isWorker ? from.place : from.hostKey;
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

  /**
   * Takes a request of a worker, or of another host's, or region's. Answers false when it waits here.
   * @throws FrameError when it is none
   */
  take(from: RequestSource, bytes: Buffer, start: number, end: number, nowMs: number): boolean {
    const innerStart = findInnerStart(bytes, start, end);
    this.#view.read(bytes, innerStart, end);
    // All of it is checked now: when a held request is passed on, there is nobody to refuse.
    this.#view.checkRooms();
    const { type } = readRequestHead(bytes, this.#view.bodyStart, end);
    // A broadcast must not be overtaken by the next: it does not wait, and who is expected back gets it without being asked.
    const mayWait = type !== requests.broadcast && this.#isAnyExpected();
    // Later, its number among the frames of its region would be behind others: it goes on without.
    if (mayWait && this.#held.hold(nameSource(from), bytes, innerStart, end, nowMs)) return false;
    this.#forward(from, bytes, start, end, nowMs);
    return true;
  }

  /** The asker learns who is asked before any of them can answer; of those in other regions, it may be after. */
  #forward(from: RequestSource, bytes: Buffer, start: number, end: number, nowMs: number): void {
    const { forwarding, members, delivery } = this.#parts;
    const view = this.#view;
    view.read(bytes, findInnerStart(bytes, start, end), end);
    const { uid, requestId } = readRequestHead(bytes, view.bodyStart, end);
    const namespaceKey = view.readNamespaceKey();
    const targets = forwarding.findTargets(view, from === "region" || from.isWorker ? from : "host");
    const hosts = forwarding.targetHosts;
    const regions = forwarding.targetRegions;
    const askedUids: string[] = [];
    for (const target of targets) {
      if (target.isStalled || target.connection === undefined) continue;
      askedUids.push(...members.uidsOf(target, namespaceKey));
    }
    // Who is asked there, its router says.
    for (const host of hosts) if (host.isReachable) askedUids.push(nameHostAsked(host.hostKey));
    for (const { key, link, answers } of regions) if (link !== undefined && answers) askedUids.push(nameHostAsked(key));
    // The number on the wire has 16 bits; adapters of one namespace are about as many as workers.
    askedUids.length = Math.min(askedUids.length, 65_535);
    if (from !== "region" && from.isWorker) delivery.tell(from, { type: "routed", uid, requestId, askedUids });
    else this.#tellAsker(from, { uid, requestId, askedUids }, nowMs);
    this.#parts.bus()?.send(hosts, bytes, start, end, nowMs);
    this.#parts.links()?.send(regions, bytes, start, end, nowMs);
    delivery.send(targets, bytes, start, end);
  }

  /** Takes the place of this host, or of this region, among those who are asked. */
  #tellAsker(
    from: HostPort | "region",
    asked: { readonly uid: string; readonly requestId: number; readonly askedUids: readonly string[] },
    nowMs: number,
  ): void {
    const { hostKey, regionKey } = this.#parts;
    const bus = this.#parts.bus();
    const links = this.#parts.links();
    const isOfRegion = from === "region";
    const frame = encodeRouterToWorker({ type: "routed-at", ...asked, hostKey: isOfRegion ? regionKey : hostKey });
    if (!isOfRegion && asked.uid.startsWith(from.hostKey)) bus?.push(from, frame, false, nowMs);
    else links?.send(links.findRegions(asked.uid), frame, 0, frame.length, nowMs);
  }

  /**
   * Takes an answer, or who is asked elsewhere, to the worker that has asked.
   * @param from where it came from; only what an own worker says goes to other regions
   * @throws FrameError when it is none
   */
  answer(bytes: Buffer, start: number, end: number, from: "worker" | "host" | "region", nowMs: number): void {
    const { portByPlace, hosts, delivery, counters } = this.#parts;
    const place = readResponsePlace(bytes, findInnerStart(bytes, start, end), end);
    const port = portByPlace.get(place);
    if (port !== undefined) {
      delivery.push(port, bytes, start, end, false);
      return;
    }
    const host = from === "host" ? undefined : hosts.get(place.slice(0, hostKeyLength));
    const links = this.#parts.links();
    const regions = host === undefined && from === "worker" ? links?.findRegions(place) : undefined;
    if (host !== undefined) this.#parts.bus()?.send([host], bytes, start, end, nowMs);
    else if (regions !== undefined && regions.length > 0) links?.send(regions, bytes, start, end, nowMs);
    else counters.unroutableResponses++;
  }

  /** To be called when somebody has come back, or is not waited for any more, and as time passes. */
  release(nowMs: number): void {
    if (this.#held.isEmpty) return;
    if (this.#isAnyExpected() && !this.#held.isOverdue(nowMs)) return;
    for (const { place, frame } of this.#held.takeAll()) {
      const from =
        place === regionSource ? place : (this.#parts.portByPlace.get(place) ?? this.#parts.hosts.get(place));
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
