/**
 * Knows the other hosts of the region by what they say on the bus, and says what has changed: who is there, who cannot be
 * reached, who is gone, who has left, and whose host key is taken. It sends nothing and reads no clock. Pure.
 */

import type { BusMessage, Hello } from "../../protocol/bus-messages.js";
import { acceptedVersions } from "../../protocol/frame.js";
import { isOlderIncarnation } from "../../protocol/incarnation.js";

export interface HostListSettings {
  readonly hostKey: string;
  readonly instance: string;
  readonly heartbeatMs: number;
  /** Without a sign of life for this long, nobody waits for a host's answers any more. */
  readonly unreachableAfterMs: number;
  /** And then its interest and its session are released. */
  readonly goneAfterMs: number;
  /** How long a newcomer listens for a host that has its key already. */
  readonly joinMs: number;
  /** A router of this run of the host has joined before: the key is this host's. */
  readonly isServing: boolean;
}

/** Whoever can publish on the bus can name hosts. */
export const maxHosts = 4_096;
const maxFormerIncarnations = 16;

export interface RemoteHost {
  readonly hostKey: string;
  readonly instance: string;
  readonly name: string;
  incarnation: string;
  /** Of its routers before: what they said last may come late, and says nothing of the present one. */
  readonly formerIncarnations: string[];
  state: "reachable" | "unreachable" | "gone";
  lastHeardMs: number;
}

export type HostChange =
  /** A host that was not known, or a new run of one. */
  | { readonly type: "up"; readonly host: RemoteHost }
  /** Its router is another process: what that knew is gone. */
  | { readonly type: "restarted"; readonly host: RemoteHost; readonly formerIncarnation: string }
  | { readonly type: "unreachable"; readonly host: RemoteHost }
  | { readonly type: "back"; readonly host: RemoteHost; readonly wasGone: boolean }
  | { readonly type: "gone"; readonly host: RemoteHost }
  | { readonly type: "left"; readonly host: RemoteHost }
  /** Hello is to be said: to be answered when this host knows too little. */
  | { readonly type: "say-hello"; readonly asksHello: boolean }
  | { readonly type: "joined" }
  /** Another host has this host's key; `mustStop` says whether this host is the newcomer. */
  | { readonly type: "clash"; readonly other: Hello; readonly mustStop: boolean }
  | { readonly type: "incompatible"; readonly hostKey: string; readonly name: string; readonly version: number }
  | { readonly type: "too-many" };

export class HostList {
  readonly #settings: HostListSettings;
  readonly #hosts = new Map<string, RemoteHost>();
  #isBusUp = false;
  #joiningSinceMs: number | undefined;
  #isServing = false;
  #lastTickMs: number | undefined;

  constructor(settings: HostListSettings) {
    this.#settings = settings;
    this.#isServing = settings.isServing;
  }

  /** It has found its key to be free: a newcomer with the same key is to give way. */
  get isServing(): boolean {
    return this.#isServing;
  }

  get hosts(): IterableIterator<RemoteHost> {
    return this.#hosts.values();
  }

  find(hostKey: string): RemoteHost | undefined {
    return this.#hosts.get(hostKey);
  }

  busUp(nowMs: number): HostChange[] {
    this.#isBusUp = true;
    // What was said meanwhile could not be heard; and others may need a moment longer to be back on the bus.
    for (const host of this.#hosts.values()) host.lastHeardMs = nowMs + this.#settings.heartbeatMs;
    if (!this.#isServing) this.#joiningSinceMs = nowMs;
    return [{ type: "say-hello", asksHello: true }];
  }

  busDown(): void {
    this.#isBusUp = false;
    this.#joiningSinceMs = undefined;
  }

  /** Takes what a host says; its own messages come back to it, and say nothing. */
  heard(message: BusMessage, nowMs: number): HostChange[] {
    if (message.hostKey === this.#settings.hostKey) return this.#hearOwnKey(message);
    switch (message.type) {
      case "hello":
        return this.#hearHello(message, nowMs);
      case "bye":
        return this.#hearBye(message);
      default:
        return this.#hearSign(message, nowMs);
    }
  }

  /** To be called once per heartbeat, or more often. */
  tick(nowMs: number): HostChange[] {
    this.#forgiveLateness(nowMs);
    if (!this.#isBusUp) return [];
    const changes: HostChange[] = [];
    if (this.#joiningSinceMs !== undefined && nowMs - this.#joiningSinceMs >= this.#settings.joinMs) {
      this.#joiningSinceMs = undefined;
      this.#isServing = true;
      changes.push({ type: "joined" }, { type: "say-hello", asksHello: false });
    }
    for (const host of this.#hosts.values()) this.#judge(host, nowMs, changes);
    return changes;
  }

  /** A process that stood still has not read what came meanwhile: that time is nobody's silence. */
  #forgiveLateness(nowMs: number): void {
    const sinceMs = nowMs - (this.#lastTickMs ?? nowMs);
    this.#lastTickMs = nowMs;
    if (sinceMs <= 2 * this.#settings.heartbeatMs) return;
    for (const host of this.#hosts.values()) host.lastHeardMs += sinceMs;
  }

  #judge(host: RemoteHost, nowMs: number, changes: HostChange[]): void {
    const silentMs = nowMs - host.lastHeardMs;
    if (host.state === "reachable" && silentMs >= this.#settings.unreachableAfterMs) {
      host.state = "unreachable";
      changes.push({ type: "unreachable", host });
    }
    if (host.state === "unreachable" && silentMs >= this.#settings.goneAfterMs) {
      host.state = "gone";
      changes.push({ type: "gone", host });
    }
  }

  #hearOwnKey(message: BusMessage): HostChange[] {
    if (message.instance === this.#settings.instance || message.type !== "hello") return [];
    // Whoever serves stays. Of two that begin at once, one is chosen by what both know.
    const isOtherFirst = message.isServing || message.instance < this.#settings.instance;
    const mustStop = !this.#isServing && isOtherFirst;
    const clash: HostChange = { type: "clash", other: message, mustStop };
    // A newcomer has to hear of this host to know; two that serve would answer each other for ever.
    return mustStop || message.isServing ? [clash] : [clash, { type: "say-hello", asksHello: false }];
  }

  #hearHello(hello: Hello, nowMs: number): HostChange[] {
    const { hostKey, instance, incarnation, name, version } = hello;
    if (!acceptedVersions.includes(version)) return [{ type: "incompatible", hostKey, name, version }];
    const changes: HostChange[] = hello.asksHello ? [{ type: "say-hello", asksHello: false }] : [];
    const known = this.#hosts.get(hostKey);
    if (known !== undefined && known.instance === instance)
      return [...changes, ...this.#noteAlive(known, incarnation, nowMs)];
    if (this.#isTaken(incarnation, hostKey)) return [];
    if (known === undefined && this.#hosts.size >= maxHosts) {
      const gone = this.#takeAwayGone();
      if (gone === undefined) return [{ type: "too-many" }];
      changes.push({ type: "left", host: gone });
    }
    if (known !== undefined) {
      // A new run of that host: of the former one nothing will come.
      this.#hosts.delete(hostKey);
      changes.push({ type: "left", host: known });
    }
    const host: RemoteHost = {
      hostKey,
      instance,
      name,
      incarnation,
      state: "reachable",
      lastHeardMs: nowMs,
      formerIncarnations: [],
    };
    this.#hosts.set(hostKey, host);
    return [...changes, { type: "up", host }];
  }

  /** Whoever is gone makes room for who is there. */
  #takeAwayGone(): RemoteHost | undefined {
    for (const host of this.#hosts.values()) {
      if (host.state !== "gone") continue;
      this.#hosts.delete(host.hostKey);
      return host;
    }
    return undefined;
  }

  /** Of somebody whose hello was missed, a hello is asked for. */
  #hearSign({ hostKey, instance, incarnation }: BusMessage, nowMs: number): HostChange[] {
    const known = this.#hosts.get(hostKey);
    if (known === undefined || known.instance !== instance) return [{ type: "say-hello", asksHello: true }];
    return this.#noteAlive(known, incarnation, nowMs);
  }

  #noteAlive(host: RemoteHost, incarnation: string, nowMs: number): HostChange[] {
    const isOld = host.formerIncarnations.includes(incarnation) || isOlderIncarnation(incarnation, host.incarnation);
    if (isOld || (host.incarnation !== incarnation && this.#isTaken(incarnation, host.hostKey))) return [];
    const changes: HostChange[] = [];
    host.lastHeardMs = nowMs;
    if (host.incarnation !== incarnation) {
      const formerIncarnation = host.incarnation;
      host.incarnation = incarnation;
      host.formerIncarnations.push(formerIncarnation);
      if (host.formerIncarnations.length > maxFormerIncarnations) host.formerIncarnations.shift();
      changes.push({ type: "restarted", host, formerIncarnation });
    }
    if (host.state !== "reachable") {
      const wasGone = host.state === "gone";
      host.state = "reachable";
      changes.push({ type: "back", host, wasGone });
    }
    return changes;
  }

  /** Whoever names another host's router means harm, or is a machine that was copied while it ran. */
  #isTaken(incarnation: string, ofHostKey: string): boolean {
    for (const host of this.#hosts.values()) {
      if (host.incarnation === incarnation && host.hostKey !== ofHostKey) return true;
    }
    return false;
  }

  #hearBye({ hostKey, instance, incarnation }: BusMessage): HostChange[] {
    const known = this.#hosts.get(hostKey);
    // A bye that comes late, of a former run, says nothing of the present one.
    if (known === undefined || known.instance !== instance || known.incarnation !== incarnation) return [];
    this.#hosts.delete(hostKey);
    return [{ type: "left", host: known }];
  }
}
