/** The supervisor's memory of the workers that serve clients, and what it tells the router of them, as the primary does. */

import type { SeededRandom } from "./seeded-random.js";
import type { SimulatedRouter } from "./simulated-router.js";
import type { VirtualTime } from "./virtual-time.js";

type News = (router: SimulatedRouter) => void;

export class Supervisor {
  readonly #time: VirtualTime;
  readonly #random: SeededRandom;
  readonly #places = new Set<string>();
  #router: SimulatedRouter | undefined;
  /** What the present router was told first; undefined before that. */
  #firstPlaces: ReadonlySet<string> | undefined;
  /** What it has not read yet, in order. */
  #news: News[] = [];
  #lastNewsMs = 0;

  constructor(time: VirtualTime, random: SeededRandom) {
    this.#time = time;
    this.#random = random;
  }

  /** Its first message says it all; what happens before it is not said. */
  startRouter(router: SimulatedRouter, onListening: (places: readonly string[]) => void): void {
    this.#router = router;
    router.process.after(this.#random.between(1, 150), () => {
      const places = [...this.#places];
      this.#firstPlaces = new Set(places);
      this.#lastNewsMs = this.#time.nowMs;
      router.process.after(this.#random.between(0, 5), () => {
        router.listen(places);
        onListening(places);
      });
    });
  }

  noteRouterEnded(): void {
    this.#router = undefined;
    this.#firstPlaces = undefined;
    this.#news = [];
  }

  /** Whether a router that is about to listen will expect a worker at this place. */
  willExpect(place: string): boolean {
    return (this.#firstPlaces ?? this.#places).has(place);
  }

  /** A worker serves clients. */
  add(place: string): void {
    this.#places.add(place);
    this.#tell((router) => router.expect(place));
  }

  /** A worker's process has ended. */
  remove(place: string): void {
    this.#places.delete(place);
    this.#tell((router) => router.forget(place));
  }

  /** In order; whether before or after what comes by other ways in the same moment is left to chance. */
  #tell(news: News): void {
    const router = this.#router;
    if (router === undefined || this.#firstPlaces === undefined) return;
    this.#news.push(news);
    this.#lastNewsMs = Math.max(this.#lastNewsMs, this.#time.nowMs + this.#random.between(5, 8));
    this.#time.at(this.#lastNewsMs, () => {
      router.process.after(0, () => {
        router.process.after(this.#random.between(0, 2), () => this.#news.shift()?.(router));
      });
    });
  }
}
