/** Commands of another host, or region, that make sockets join: which workers, or hosts, are still carrying them out. Pure. */

export class JoinsUnderWay<Place> {
  /** Of the commands since the last mark: the number of the last of them, by worker, as that worker counts. */
  #open = new Map<Place, number>();
  #groups: { number: number; readonly waiting: Map<Place, number> }[] = [];
  #done = 0;
  #told = 0;

  /** A command has been passed on to a place, which counts it as this number. */
  note(place: Place, joinNumber: number): void {
    this.#open.set(place, joinNumber);
  }

  /** The other host calls all that came before by this number. */
  mark(number: number): void {
    const last = this.#groups.at(-1);
    // Nothing new: done when what came before is. A worker that hangs must not make this grow with every mark.
    if (this.#open.size === 0 && last !== undefined) last.number = number;
    else this.#groups.push({ number, waiting: this.#open });
    this.#open = new Map();
    this.#advance();
  }

  /** A place has carried out that many; an ended one, all. */
  settle(place: Place, count: number): void {
    const openNumber = this.#open.get(place);
    if (openNumber !== undefined && openNumber <= count) this.#open.delete(place);
    for (const { waiting } of this.#groups) {
      const number = waiting.get(place);
      if (number === undefined) continue;
      if (number > count) break;
      waiting.delete(place);
    }
    this.#advance();
  }

  #advance(): void {
    for (let group = this.#groups[0]; group?.waiting.size === 0; group = this.#groups[0]) {
      this.#done = group.number;
      this.#groups.shift();
    }
  }

  /** Whether no place is known to be carrying one out. */
  get isEmpty(): boolean {
    return this.#open.size === 0 && this.#groups.length === 0;
  }

  get hasNews(): boolean {
    return this.#done > this.#told;
  }

  /** Number up to which all has been carried out, to be said now. */
  takeDone(): number {
    this.#told = this.#done;
    return this.#done;
  }

  /** What was told may be lost. */
  tellAgain(): void {
    this.#told = 0;
  }

  /** The other host begins anew. */
  clear(): void {
    this.#open = new Map();
    this.#groups = [];
    this.#done = 0;
    this.#told = 0;
  }
}
