/** The phases of a link's life, and faults that wait for a link to come into one. */

import type { SimulatedLink } from "./link-wire.js";

export const linkPhases = ["handshake", "before the resume", "snapshot", "frames under way", "acks held"] as const;
export type LinkPhase = (typeof linkPhases)[number];

export const linkFaults = ["cut", "moved", "acceptor killed", "dialler killed"] as const;
export type LinkFault = (typeof linkFaults)[number];

/** Strikes the first link that is in the phase, some uses of it later. */
export interface Ambush {
  readonly phase: LinkPhase;
  readonly fault: LinkFault;
  usesLeft: number;
}

/** How often each fault has struck in each phase, by both names. */
export type Strikes = Map<string, number>;

export function nameStrike({ phase, fault }: Pick<Ambush, "phase" | "fault">): string {
  return `${fault}: ${phase}`;
}

export function isInPhase(link: SimulatedLink, phase: LinkPhase): boolean {
  if (phase === "handshake" || !link.isLinked) return phase === "handshake" && !link.isLinked;
  const region = findLink(link.dialler.core?.links?.regions, ({ link: own }) => own?.id === link.id);
  if (region === undefined) return false;
  const inbound = findLink(link.acceptor.core?.links?.inboundLinks, (each) => each.link === link.id);
  switch (phase) {
    case "before the resume":
      return inbound?.isResumed === false;
    case "snapshot":
      return inbound?.isResumed === true && !region.view.isComplete;
    case "frames under way":
      return inbound?.isResumed === true && !region.session.isSettled;
    case "acks held":
      return inbound?.gate.isEmpty === false;
  }
}

function findLink<End>(ends: Iterable<End> | undefined, isOfLink: (end: End) => boolean): End | undefined {
  for (const end of ends ?? []) if (isOfLink(end)) return end;
  return undefined;
}
