/** What a client has heard, in order, and waiting for more of it. */

/** Nothing here takes this long; what does has failed. */
const patienceMs = 10_000;

/** The name of an event, and its arguments. */
export type Heard = readonly [name: unknown, ...args: unknown[]];

export class Ear {
  #heard: Heard[] = [];
  #end: string | undefined;
  readonly #watchers = new Set<() => void>();

  hear(event: Heard): void {
    this.#heard.push(event);
    this.#wake();
  }

  /** Nothing can be heard any more. */
  end(why: string): void {
    this.#end = why;
    this.#wake();
  }

  /** Resolves with the reason when the connection or the namespace is left, whoever ended it. */
  async waitForEnd(): Promise<string> {
    return await this.#wait(() => this.#end, "the end");
  }

  /** Takes everything up to the first event of that name, and resolves with what came before it. */
  async takeBefore(name: string): Promise<Heard[]> {
    return await this.#wait(() => {
      const at = this.#heard.findIndex(([heard]) => heard === name);
      if (at === -1) {
        if (this.#end !== undefined) throw new Error(`${name} was not heard before the end (${this.#end})`);
        return undefined;
      }
      const taken = this.#heard.slice(0, at);
      this.#heard = this.#heard.slice(at + 1);
      return taken;
    }, name);
  }

  /** Takes the first event of that name, and all before it; resolves with its arguments. */
  async take(name: string): Promise<unknown[]> {
    return await this.#wait(() => {
      const at = this.#heard.findIndex(([heard]) => heard === name);
      const event = this.#heard[at];
      if (event === undefined) return undefined;
      this.#heard = this.#heard.slice(at + 1);
      return event.slice(1);
    }, name);
  }

  #wake(): void {
    for (const watch of this.#watchers) watch();
  }

  async #wait<Found>(find: () => Found | undefined, what: string): Promise<Found> {
    return await new Promise((resolve, reject) => {
      const settle = (finish: () => void): void => {
        clearTimeout(timer);
        this.#watchers.delete(look);
        finish();
      };
      const look = (): void => {
        try {
          const found = find();
          if (found !== undefined) settle(() => resolve(found));
        } catch (thrown) {
          settle(() => reject(thrown as Error));
        }
      };
      const timer = setTimeout(() => {
        const names = this.#heard.map(([name]) => String(name)).join(", ");
        settle(() => reject(new Error(`not heard in ${patienceMs} ms: ${what}; heard were: ${names}`)));
      }, patienceMs);
      this.#watchers.add(look);
      look();
    });
  }
}
