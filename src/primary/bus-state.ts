/** What the primary knows of the way to other hosts, from its router's reports, and what that means for new sessions. Pure. */

import type { BusStatus } from "../protocol/host-status.js";
import type { BusReport } from "../protocol/router-messages.js";

/** A blink of Redis is no reason to send new clients elsewhere; beyond this, other hosts should serve them. */
export const busAbsenceLimitMs = 5_000;

export class BusState {
  #report: BusReport | undefined;
  #hasJoined = false;
  #sinceMs: number;
  #isUp = false;
  /** Of routers that have ended. */
  #lostFrames = 0;
  #missedFrames = 0;

  constructor(nowMs: number) {
    this.#sinceMs = nowMs;
  }

  /** A router of this run of the host has joined. */
  get hasJoined(): boolean {
    return this.#hasJoined;
  }

  note(report: BusReport, before: BusReport | undefined, nowMs: number): void {
    this.#report = report;
    this.#hasJoined ||= report.hasJoined;
    this.#setUp(report.isUp, nowMs);
    this.#lostFrames += report.counts.lostFrames - (before?.counts.lostFrames ?? 0);
    this.#missedFrames += report.counts.missedFrames - (before?.counts.missedFrames ?? 0);
  }

  /** The router has ended. */
  noteAbsence(nowMs: number): void {
    this.#report = undefined;
    this.#setUp(false, nowMs);
  }

  #setUp(isUp: boolean, nowMs: number): void {
    if (this.#isUp === isUp) return;
    this.#isUp = isUp;
    this.#sinceMs = nowMs;
  }

  explainNotReady(nowMs: number): string | undefined {
    const reason = this.#report?.downReason;
    const because = reason === undefined || reason === null ? "" : ` (${reason})`;
    if (!this.#hasJoined) return `this host has not joined the other hosts yet${because}`;
    if (this.#isUp || nowMs - this.#sinceMs < busAbsenceLimitMs) return undefined;
    const seconds = Math.floor((nowMs - this.#sinceMs) / 1_000);
    return `other hosts cannot be reached for ${seconds} s${because}: this host's own clients are served as before`;
  }

  describe(nowMs: number): BusStatus {
    return {
      state: this.#isUp ? "up" : "down",
      stateSeconds: Math.round((nowMs - this.#sinceMs) / 100) / 10,
      hasJoined: this.#hasJoined,
      reason: this.#isUp ? null : (this.#report?.downReason ?? "there is no router"),
      hosts: this.#report?.hosts ?? [],
      lostFrames: this.#lostFrames,
      missedFrames: this.#missedFrames,
    };
  }
}
