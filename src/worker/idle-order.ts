/** Keeps sessions in the order in which they were last heard of, so that the one that has been idle for longest is closed first. */

/** The part of an Engine.IO session that this needs (engine.io 6.6, `socket.js`). */
export interface HeardSession {
  /** `data`: a message of the client, heartbeats left out. */
  on(event: "data" | "close", listener: () => void): unknown;
}

export class IdleOrder<Session extends HeardSession> {
  /** A set iterates in the order of insertion: who is heard of goes to the end. */
  readonly #sessions: Set<Session>;

  /** @param sessions oldest first: what they did before now is not known */
  constructor(sessions: Iterable<Session>) {
    this.#sessions = new Set(sessions);
    for (const session of this.#sessions) {
      session.on("data", () => {
        if (this.#sessions.delete(session)) this.#sessions.add(session);
      });
      session.on("close", () => this.#sessions.delete(session));
    }
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** The one that was heard of longest ago, which is not counted any more; undefined when none is left. */
  takeIdlest(): Session | undefined {
    for (const session of this.#sessions) {
      this.#sessions.delete(session);
      return session;
    }
    return undefined;
  }
}
