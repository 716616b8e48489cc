/**
 * Keeps an eye on long polls that have come through a sibling: when that sibling is to leave, they are answered at once with
 * nothing, so that no session hangs on a connection that is about to end. The client then polls again, on another.
 */

/** A poll that is not answered by now has been given to Engine.IO, unless something of the application's stands between. */
const lookIntervalMs = 50;

interface RelayedPoll {
  readonly sid: string;
  readonly siblingSlot: number;
}

export class RelayedPolls {
  readonly #polls = new Set<RelayedPoll>();
  readonly #isLeaving: (siblingSlot: number) => boolean;
  readonly #release: (sid: string) => void;
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param isLeaving whether that sibling takes no sessions any more
   * @param release answers the poll that a session has open, if it has one
   */
  constructor(isLeaving: (siblingSlot: number) => boolean, release: (sid: string) => void) {
    this.#isLeaving = isLeaving;
    this.#release = release;
  }

  /** A request of this session has come. Returns what to call when it is over. */
  note(sid: string, siblingSlot: number): () => void {
    const poll = { sid, siblingSlot };
    this.#polls.add(poll);
    if (this.#isLeaving(siblingSlot)) this.#schedule();
    return () => this.#polls.delete(poll);
  }

  /** To be called when siblings may have begun to leave. Looks again as long as there is anything to answer. */
  look(): void {
    if (this.#listLeaving().length > 0) this.#schedule();
  }

  #schedule(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      for (const { sid } of this.#listLeaving()) this.#release(sid);
      this.look();
    }, lookIntervalMs);
    this.#timer.unref();
  }

  #listLeaving(): RelayedPoll[] {
    return [...this.#polls].filter(({ siblingSlot }) => this.#isLeaving(siblingSlot));
  }
}
