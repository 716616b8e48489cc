/**
 * Requests of one worker that wait for answers. Each ends once: when all who were asked have answered or are known to be
 * gone, when its time is up, or when the router is. Pure.
 */

import { regionMark } from "../address/region-key.js";

/** Why a request ended. `complete` does not say that everybody answered: whoever died or stalled is not waited for. */
export type RequestEnd = "complete" | "timed-out" | "router-lost" | "not-sent";

export interface RequestHandlers {
  /** Something came from a member that was asked; `isLast` when nothing more will come from it. */
  readonly onAnswer: (type: number, value: Buffer) => void;
  /** @param missing members that were asked and have not had their last word */
  readonly onEnd: (end: RequestEnd, counts: { readonly asked: number; readonly missing: number }) => void;
}

interface PendingRequest {
  readonly handlers: RequestHandlers;
  readonly deadlineMs: number;
  /** Uid under which it was asked; undefined until the router has said who was asked. */
  askerUid: string | undefined;
  /** Members that have not had their last word; undefined until the router has said who was asked. */
  waiting: Set<string> | undefined;
  /**
   * Members, and hosts, that have had their last word before it was said that they are asked: in another region each host answers
   * on its own way, and may be faster than the one that says whom it has asked.
   */
  readonly early: Set<string>;
  asked: number;
}

/** A whole region stands for those who are asked there, until one of its hosts says who they are. */
function isRegionAsked(waiting: ReadonlySet<string>): boolean {
  for (const name of waiting) if (name.startsWith(regionMark)) return true;
  return false;
}

export class RequestLedger {
  readonly #requests = new Map<number, PendingRequest>();
  #nextId: number;

  constructor(firstId = 1) {
    this.#nextId = firstId;
  }

  get size(): number {
    return this.#requests.size;
  }

  /** Answers the number of the request, by which its answers name it. */
  open(handlers: RequestHandlers, deadlineMs: number): number {
    const id = this.#nextId;
    // 32 bits on the wire; a request lives seconds.
    this.#nextId = id === 0xff_ff_ff_ff ? 1 : id + 1;
    this.#requests.set(id, {
      handlers,
      deadlineMs,
      askerUid: undefined,
      waiting: undefined,
      early: new Set(),
      asked: 0,
    });
    return id;
  }

  /** The router has said who was asked. */
  noteAsked(id: number, askerUid: string, uids: readonly string[]): void {
    const request = this.#requests.get(id);
    if (request === undefined || request.waiting !== undefined) return;
    request.askerUid = askerUid;
    request.waiting = new Set(uids);
    request.asked = uids.length;
    this.#endIfComplete(id, request);
  }

  /** A host that was asked has said who was asked there: they are waited for in its place. */
  noteAskedAt(id: number, askerUid: string, host: string, uids: readonly string[]): void {
    const request = this.#requests.get(id);
    if (request?.waiting === undefined || request.askerUid !== askerUid) return;
    if (!request.waiting.delete(host)) {
      if (!isRegionAsked(request.waiting) || request.early.has(host)) return;
      request.early.add(host);
      request.asked++;
    }
    let told = 0;
    for (const uid of uids) {
      if (!request.early.has(uid)) request.waiting.add(uid);
      else told++;
    }
    request.asked += uids.length - told - 1;
    this.#endIfComplete(id, request);
  }

  /**
   * An answer; ignored when nobody asked that member, or it has had its last word. One for another uid is meant for a
   * worker that had this place before, and that counted its requests as this one does.
   */
  noteAnswer(id: number, toUid: string, fromUid: string, type: number, value: Buffer, isLast: boolean): void {
    const request = this.#requests.get(id);
    if (request?.waiting === undefined || request.askerUid !== toUid || request.early.has(fromUid)) return;
    const isAwaited = request.waiting.has(fromUid);
    const mayBeEarly = isRegionAsked(request.waiting);
    if (!isAwaited && !mayBeEarly) return;
    if (isLast) {
      request.waiting.delete(fromUid);
      if (mayBeEarly) request.early.add(fromUid);
      if (!isAwaited) request.asked++;
    }
    request.handlers.onAnswer(type, value);
    this.#endIfComplete(id, request);
  }

  /** A member is not there any more. */
  forgetMember(uid: string): void {
    for (const [id, request] of this.#requests) {
      if (request.waiting?.delete(uid)) this.#endIfComplete(id, request);
    }
  }

  /** A worker has ended, or does not answer: none of its members is waited for. */
  forgetPlace(place: string): void {
    for (const [id, request] of this.#requests) {
      if (request.waiting === undefined) continue;
      for (const uid of request.waiting) {
        if (uid.startsWith(place)) request.waiting.delete(uid);
      }
      this.#endIfComplete(id, request);
    }
  }

  /** Ends those whose time is up. */
  expire(nowMs: number): void {
    for (const [id, request] of this.#requests) {
      if (request.deadlineMs <= nowMs) this.#end(id, request, "timed-out");
    }
  }

  nextDueMs(): number {
    let dueMs = Number.POSITIVE_INFINITY;
    for (const request of this.#requests.values()) dueMs = Math.min(dueMs, request.deadlineMs);
    return dueMs;
  }

  /** What was asked, or answered, may be gone with the router. */
  loseRouter(): void {
    // Of those that wait now: an application may ask again as soon as it hears of this.
    for (const [id, request] of [...this.#requests]) this.#end(id, request, "router-lost");
  }

  /** It could not be sent. */
  fail(id: number): void {
    const request = this.#requests.get(id);
    if (request !== undefined) this.#end(id, request, "not-sent");
  }

  #endIfComplete(id: number, request: PendingRequest): void {
    if (request.waiting?.size === 0) this.#end(id, request, "complete");
  }

  #end(id: number, request: PendingRequest, end: RequestEnd): void {
    if (!this.#requests.delete(id)) return;
    request.handlers.onEnd(end, { asked: request.asked, missing: request.waiting?.size ?? 0 });
  }
}
