/** Links between simulated routers: the real handshake, then in order and whole while they last; cut at any moment, with or without a word of it. */

import type { LinkIdentity } from "../../../src/protocol/link-handshake.js";
import type { RouterCore } from "../../../src/router/core.js";
import { AcceptorHandshake, DiallerHandshake, type HandshakeStep } from "../../../src/router/region-link/handshake.js";
import { createLinkProver } from "../../../src/router/region-link/link-prover.js";
import type { VirtualTime } from "../virtual-time.js";

/** A host, as its links use it. */
export interface LinkedHost extends LinkIdentity {
  /** How often its router was started. */
  readonly life: number;
  readonly core: RouterCore | undefined;
  readonly links: Map<number, SimulatedLink>;
  receiveLink(link: number, payload: Buffer): void;
  dial(region: string): void;
}

export interface LinkSurroundings {
  readonly time: VirtualTime;
  readonly delayMs: number;
  /** Something has been sent, or has come. */
  readonly onUse: (link: SimulatedLink) => void;
  readonly fail: (text: string) => void;
}

const prover = createLinkProver(["a-secret-of-the-simulation"]);
const dialling = 0;
const accepting = 1;
type Side = typeof dialling | typeof accepting;

/** One link: two ends, each with its router's life. */
export class SimulatedLink {
  readonly id: number;
  readonly dialler: LinkedHost;
  readonly acceptor: LinkedHost;
  readonly #around: LinkSurroundings;
  readonly #lives: readonly [number, number];
  readonly #handshakes: readonly [DiallerHandshake, AcceptorHandshake];
  readonly #isLinked = [false, false];
  readonly #isTold = [false, false];
  /** Nothing passes any more; an end may not know yet. */
  isCut = false;

  constructor(
    around: LinkSurroundings,
    id: number,
    ends: { readonly dialler: LinkedHost; readonly acceptor: LinkedHost },
    nonces: readonly [Buffer, Buffer],
  ) {
    const { dialler, acceptor } = ends;
    this.id = id;
    this.#around = around;
    this.dialler = dialler;
    this.acceptor = acceptor;
    this.#lives = [dialler.life, acceptor.life];
    this.#handshakes = [
      new DiallerHandshake(identify(dialler), acceptor.region, nonces[dialling], prover),
      new AcceptorHandshake(identify(acceptor), nonces[accepting], prover),
    ];
  }

  /** Both ends know who the other is. */
  get isLinked(): boolean {
    return this.#isLinked[dialling] === true;
  }

  /** An end has yet to learn that it is cut. */
  get isHalfKnown(): boolean {
    return this.isCut && this.#isTold.includes(false);
  }

  open(): void {
    this.#pass(dialling, this.#handshakes[dialling].begin());
  }

  send(from: LinkedHost, payload: Buffer): void {
    this.#pass(from === this.dialler ? dialling : accepting, Buffer.from(payload));
  }

  /** @param noticedMs until each end knows */
  cut(noticedMs: readonly [number, number]): void {
    this.isCut = true;
    for (const side of [dialling, accepting] as const) {
      this.#around.time.after(noticedMs[side], () => {
        const host = this.#end(side);
        this.#isTold[side] = true;
        if (host === undefined) return;
        if (host.links.delete(this.id)) host.core?.links?.closed(this.id, "cut", this.#around.time.nowMs);
        if (side === dialling) host.dial(this.acceptor.region);
      });
    }
  }

  #end(side: Side): LinkedHost | undefined {
    const host = side === dialling ? this.dialler : this.acceptor;
    return host.life === this.#lives[side] && !this.#isTold[side] ? host : undefined;
  }

  #pass(from: Side, payload: Buffer): void {
    if (this.isCut) return;
    const { time, delayMs, onUse } = this.#around;
    onUse(this);
    time.after(delayMs, () => {
      if (this.isCut) return;
      this.#take(from === dialling ? accepting : dialling, payload);
      onUse(this);
    });
  }

  #take(side: Side, payload: Buffer): void {
    const host = this.#end(side);
    if (host === undefined) return;
    if (this.#isLinked[side]) host.receiveLink(this.id, payload);
    else this.#follow(host, side, this.#handshakes[side].take(payload));
  }

  #follow(host: LinkedHost, side: Side, step: HandshakeStep): void {
    const { time, fail } = this.#around;
    if (step.type === "refuse") {
      fail(`${host.hostKey} refuses link ${this.id} (${step.closure}): ${step.reason}`);
      return;
    }
    if (step.bytes !== undefined) this.#pass(side, step.bytes);
    if (step.type !== "linked") return;
    this.#isLinked[side] = true;
    host.links.set(this.id, this);
    host.core?.links?.opened(this.id, side === dialling, step.peer, time.nowMs);
  }
}

function identify({ region, hostKey, incarnation }: LinkedHost): LinkIdentity {
  return { region, hostKey, incarnation };
}
