/** What a fabric cannot hold of the contract, and what happens there instead. */

import type { Fabric } from "./fabrics.js";

export interface KnownLimit {
  /** The statement. */
  readonly title: string;
  readonly fabrics: readonly Fabric[];
  readonly whatHappens: string;
}

export const knownLimits = {
  "values at the emit": {
    title: "an event has the values that it had when it was emitted, for the clients of every worker",
    fabrics: ["stock"],
    whatHappens: "the clients of the emitting worker get what the values have become later in the same turn",
  },
  "local with acknowledgements": {
    title: "local with an acknowledgement asks only the clients of that worker",
    fabrics: ["stock"],
    whatHappens: "it waits for the other servers, which are not asked, and so ends after the timeout with an error",
  },
  "order of what is local": {
    title: "what is sent to all, then to the clients of the worker, then to one of them, arrives there in that order",
    fabrics: ["stock"],
    whatHappens:
      "what is sent to all comes last: it goes to the other workers first, and to the own clients a turn later",
  },
} satisfies Record<string, KnownLimit>;
