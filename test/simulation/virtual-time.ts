/** Time that passes when nothing else is to be done at the present moment, and processes that can stop, go on and die in it. */

interface Planned {
  readonly timeMs: number;
  /** What is planned for one moment happens in the order in which it was planned. */
  readonly order: number;
  readonly run: () => void;
}

function isBefore(a: Planned, b: Planned): boolean {
  return a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.order < b.order);
}

export class VirtualTime {
  nowMs = 1_000;
  #order = 0;
  /** A binary heap: the first is what happens next. */
  readonly #heap: Planned[] = [];

  at(timeMs: number, run: () => void): void {
    const planned = { timeMs: Math.max(timeMs, this.nowMs), order: ++this.#order, run };
    const heap = this.#heap;
    let index = heap.length;
    heap.push(planned);
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex] as Planned;
      if (!isBefore(planned, parent)) break;
      heap[index] = parent;
      index = parentIndex;
    }
    heap[index] = planned;
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.nowMs + delayMs, run);
  }

  /** Lets the next thing happen; false when nothing is planned. */
  step(): boolean {
    const [first] = this.#heap;
    if (first === undefined) return false;
    this.#removeFirst();
    this.nowMs = first.timeMs;
    first.run();
    return true;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop() as Planned;
    if (heap.length === 0) return;
    let index = 0;
    for (;;) {
      let childIndex = 2 * index + 1;
      if (childIndex >= heap.length) break;
      const right = heap[childIndex + 1];
      if (right !== undefined && isBefore(right, heap[childIndex] as Planned)) childIndex++;
      const child = heap[childIndex] as Planned;
      if (!isBefore(child, last)) break;
      heap[index] = child;
      index = childIndex;
    }
    heap[index] = last;
  }
}

/** One process of the host: what it does later does not happen once it is dead, and waits while it is stopped. */
export class SimulatedProcess {
  readonly #time: VirtualTime;
  #isAlive = true;
  #stoppedSinceMs: number | undefined;
  #postponed: (() => void)[] = [];

  constructor(time: VirtualTime) {
    this.#time = time;
  }

  get isAlive(): boolean {
    return this.#isAlive;
  }

  /** Since when it has not run: stopped by the system, or busy with one long task. */
  get stoppedSinceMs(): number | undefined {
    return this.#stoppedSinceMs;
  }

  after(delayMs: number, run: () => void): void {
    this.#time.after(delayMs, () => this.#run(run));
  }

  #run(run: () => void): void {
    if (!this.#isAlive) return;
    if (this.#stoppedSinceMs === undefined) run();
    else this.#postponed.push(run);
  }

  stop(): void {
    this.#stoppedSinceMs ??= this.#time.nowMs;
  }

  /** All that has become due happens now, in its order. */
  resume(): void {
    this.#stoppedSinceMs = undefined;
    const postponed = this.#postponed;
    this.#postponed = [];
    for (const run of postponed) this.after(0, run);
  }

  kill(): void {
    this.#isAlive = false;
    this.#postponed = [];
  }
}
