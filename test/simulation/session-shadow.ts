/**
 * What must be in the sessions that one router keeps with another host, kept beside them: which messages wait there, which were
 * given up, and what that must be counted as.
 */

import type { LinkSession } from "../../src/link/link-session.js";
import { frameKinds, lengthBytes } from "../../src/protocol/frame.js";
import type { HostPort } from "../../src/router/host-bus/host-port.js";
import { readTag } from "./tagged-frames.js";

const taggedKinds: readonly number[] = [
  frameKinds.broadcast,
  frameKinds.command,
  frameKinds.request,
  frameKinds.response,
];

export interface SessionEvents {
  fail(text: string): void;
  readonly isUp: boolean;
  /** A message is the session's from now on. */
  onTaken(id: number): void;
  /** A message may not come there any more. */
  onGivenUp(id: number): void;
}

export class SessionShadow {
  readonly #host: HostPort;
  readonly #events: SessionEvents;
  #session: LinkSession;
  /** Messages that wait to be acknowledged, 0 for frames that are none. */
  #waiting: number[] = [];

  constructor(host: HostPort, events: SessionEvents) {
    this.#host = host;
    this.#events = events;
    this.#session = host.session;
    this.#watch();
  }

  get waiting(): readonly number[] {
    return this.#waiting;
  }

  /** The other router has restarted: `uncertain` frames may have been taken by the former. */
  noteRestarted(uncertain: number): void {
    for (const id of this.#waiting.splice(0, uncertain)) this.#events.onGivenUp(id);
    this.#session = this.#host.session;
    this.#settle(0);
    this.#watch();
  }

  giveUpAll(): void {
    for (const id of this.#waiting.splice(0)) this.#events.onGivenUp(id);
  }

  #watch(): void {
    const session = this.#session;
    const push = session.push.bind(session);
    const receive = session.receive.bind(session);
    const tick = session.tick.bind(session);
    const giveUpAll = session.giveUpAll.bind(session);
    session.push = (frame, isVolatile, nowMs) => {
      const { givenUp } = session;
      const isTaken = push(frame, isVolatile, nowMs);
      const id = taggedKinds.includes(frame[lengthBytes] as number) ? readTag(frame, 0) : 0;
      if (id > 0 && isTaken) this.#events.onTaken(id);
      if (!isVolatile) this.#waiting.push(id);
      else if (isTaken && !this.#events.isUp) this.#events.fail(`message ${id} is volatile, and waits for the bus`);
      this.#settle(session.givenUp - givenUp);
      return isTaken;
    };
    session.receive = (datagram, nowMs) => {
      receive(datagram, nowMs);
      // Answers to what came are pushed meanwhile, and settled by themselves.
      this.#settle(0);
    };
    session.tick = (nowMs) => {
      const { givenUp } = session;
      tick(nowMs);
      this.#settle(session.givenUp - givenUp);
    };
    session.giveUpAll = () => {
      const { givenUp } = session;
      const frames = giveUpAll();
      this.#settle(session.givenUp - givenUp);
      return frames;
    };
  }

  /** The session has given up the oldest so many, and before that, perhaps, let go of what was acknowledged. */
  #settle(givenUp: number): void {
    const done = this.#waiting.length - this.#session.queuedFrames;
    if (done < givenUp || done < 0) {
      this.#events.fail(
        `${this.#session.queuedFrames} frames wait for ${this.#host.hostKey}, not ${this.#waiting.length}`,
      );
      return;
    }
    for (const [index, id] of this.#waiting.splice(0, done).entries()) {
      if (index >= done - givenUp) this.#events.onGivenUp(id);
    }
  }
}
