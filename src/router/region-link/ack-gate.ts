/**
 * When what came over a link may be acknowledged: when the workers' connections and the sessions to the hosts that it went to
 * have taken it. Until then the sender keeps it, and sends it again to whoever takes the place of this host. Pure.
 */

import type { LinkSession } from "../../link/link-session.js";
import type { HostPort } from "../host-bus/host-port.js";
import type { Port } from "../port.js";

interface Waiting {
  /** Of a worker: its outbox's position; of a host: the sequence in this session. */
  position: number;
  readonly session: LinkSession | undefined;
}

interface Checkpoint {
  sequence: number;
  readonly waiting: Map<Port | HostPort, Waiting>;
}

/** Whether a place is still what the router knows under its name. */
export type IsThere = (place: Port | HostPort) => boolean;

export class AckGate {
  #used = new Map<Port | HostPort, Waiting>();
  readonly #checkpoints: Checkpoint[] = [];
  /** What hosts that cannot be reached were not waited for. */
  readonly #kept = new Map<HostPort, Waiting>();
  #sealed: number;

  /** @param sealed frames up to this one need not be waited for */
  constructor(sealed = 0) {
    this.#sealed = sealed;
  }

  get isEmpty(): boolean {
    return this.#checkpoints.length === 0;
  }

  /** Frames have gone to these. */
  note(ports: readonly Port[], hosts: readonly HostPort[]): void {
    for (const port of ports) this.#noteUsed(port, port.outbox.position, undefined);
    for (const host of hosts) this.#noteUsed(host, host.session.pushed, host.session);
  }

  #noteUsed(place: Port | HostPort, position: number, session: LinkSession | undefined): void {
    const used = this.#used.get(place);
    if (used !== undefined && used.session === session) used.position = position;
    else this.#used.set(place, { position, session });
  }

  /** What was noted until now is of the frames up to this one. */
  seal(sequence: number): void {
    if (sequence <= this.#sealed) return;
    this.#sealed = sequence;
    const last = this.#checkpoints.at(-1);
    if (this.#used.size === 0) {
      if (last !== undefined) last.sequence = sequence;
      return;
    }
    this.#checkpoints.push({ sequence, waiting: this.#used });
    this.#used = new Map();
  }

  /** Answers up to which frame everything has been taken. */
  advance(isThere: IsThere): number {
    this.#forgetKept(isThere);
    let settled = 0;
    for (let first = this.#checkpoints[0]; first !== undefined; first = this.#checkpoints[0]) {
      for (const [place, waiting] of first.waiting) {
        if (isNotWaitedFor(place, waiting, isThere)) {
          first.waiting.delete(place);
          if (!place.isWorker && isThere(place) && !hasTaken(place, waiting)) this.#kept.set(place, waiting);
        } else if (!place.isWorker && place.session !== waiting.session) {
          // Its router is another: what the former had not taken waits for this one, with all that there is now.
          first.waiting.set(place, { position: place.session.pushed, session: place.session });
        }
      }
      if (first.waiting.size > 0) return settled;
      settled = first.sequence;
      this.#checkpoints.shift();
    }
    return this.#sealed;
  }

  /**
   * Hosts that have yet to take what was acknowledged, once: from now on what is newer may come to them by another host, and what
   * is older would be dropped there as if it had come before.
   */
  takeKept(isThere: IsThere): HostPort[] {
    this.#forgetKept(isThere);
    const hosts = [...this.#kept.keys()];
    this.#kept.clear();
    return hosts;
  }

  #forgetKept(isThere: IsThere): void {
    for (const [host, waiting] of this.#kept) {
      if (!isThere(host) || hasTaken(host, waiting)) this.#kept.delete(host);
    }
  }
}

function hasTaken(place: Port | HostPort, { position, session }: Waiting): boolean {
  return place.isWorker
    ? place.writtenBytes >= position
    : place.session === session && place.session.passed >= position;
}

/**
 * Whoever has taken it, or is gone; a host that cannot be reached: what is for it is kept here. Nor a worker that does not
 * answer: it would hold up its whole region.
 */
function isNotWaitedFor(place: Port | HostPort, waiting: Waiting, isThere: IsThere): boolean {
  if (!isThere(place) || hasTaken(place, waiting)) return true;
  return place.isWorker ? place.isStalled : !place.isReachable;
}
