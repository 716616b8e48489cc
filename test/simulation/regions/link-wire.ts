/** Links between simulated routers: in order and whole while they last, cut at any moment, with or without a word of it. */

import type { RouterCore } from "../../../src/router/core.js";
import type { VirtualTime } from "../virtual-time.js";

/** A host, as its links use it. */
export interface LinkedHost {
  readonly region: string;
  readonly hostKey: string;
  readonly incarnation: string;
  /** How often its router was started. */
  readonly life: number;
  readonly core: RouterCore | undefined;
  readonly links: Map<number, SimulatedLink>;
  receiveLink(link: number, payload: Buffer): void;
  dial(region: string): void;
}

let lastLink = 0;

/** One link: two ends, each with its router's life. */
export class SimulatedLink {
  readonly id = ++lastLink;
  readonly dialler: LinkedHost;
  readonly acceptor: LinkedHost;
  readonly #time: VirtualTime;
  readonly #delayMs: number;
  readonly #lives: readonly [number, number];
  /** Nothing passes any more; an end may not know yet. */
  isCut = false;
  readonly #isTold = [false, false];

  constructor(time: VirtualTime, dialler: LinkedHost, acceptor: LinkedHost, delayMs: number) {
    this.#time = time;
    this.dialler = dialler;
    this.acceptor = acceptor;
    this.#delayMs = delayMs;
    this.#lives = [dialler.life, acceptor.life];
  }

  #end(side: 0 | 1): LinkedHost | undefined {
    const host = side === 0 ? this.dialler : this.acceptor;
    return host.life === this.#lives[side] && !this.#isTold[side] ? host : undefined;
  }

  /** Both routers know each other. */
  open(): void {
    for (const side of [1, 0] as const) {
      const host = this.#end(side);
      const peer = side === 0 ? this.acceptor : this.dialler;
      host?.links.set(this.id, this);
      host?.core?.links?.opened(
        this.id,
        side === 0,
        { region: peer.region, hostKey: peer.hostKey, incarnation: peer.incarnation },
        this.#time.nowMs,
      );
    }
  }

  send(from: LinkedHost, payload: Buffer): void {
    if (this.isCut) return;
    const copy = Buffer.from(payload);
    const side = from === this.dialler ? 1 : 0;
    this.#time.after(this.#delayMs, () => {
      if (!this.isCut) this.#end(side)?.receiveLink(this.id, copy);
    });
  }

  /** @param noticedMs until each end knows */
  cut(noticedMs: readonly [number, number]): void {
    this.isCut = true;
    for (const side of [0, 1] as const) {
      this.#time.after(noticedMs[side], () => {
        const host = this.#end(side);
        this.#isTold[side] = true;
        if (host === undefined) return;
        host.links.delete(this.id);
        host.core?.links?.closed(this.id, "cut", this.#time.nowMs);
        if (side === 0) host.dial(this.acceptor.region);
      });
    }
  }
}
