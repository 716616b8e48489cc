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
  allSockets: {
    title: "allSockets gives the ids of the sockets of all workers",
    fabrics: ["stock"],
    whatHappens: "it gives the ids of the sockets of the worker that asks",
  },
  "parents without the child": {
    title: "the emit of a parent namespace reaches the clients of children that the emitting worker does not have",
    fabrics: ["stock", "routed"],
    whatHappens: "it reaches the children of the emitting worker, on all workers: Socket.IO asks no adapter for others",
  },
  "members of a namespace used again": {
    title: "a namespace that was closed and used again has one member for each worker",
    fabrics: ["stock"],
    whatHappens: "the closed adapters go on: serverCount is 7 of 4, and each server answers an event of servers twice",
  },
  "acknowledgements after a close": {
    title: "a broadcast with an acknowledgement completes although one worker has closed the namespace",
    fabrics: ["stock"],
    whatHappens:
      "the closed adapter answers as well: with one server too many the wait ends with an error, all responses in it",
  },
  toJSON: {
    title: "an object with toJSON arrives as what that says, at the clients of every worker",
    fabrics: ["stock"],
    whatHappens: "at the clients of other workers it arrives as its own properties, because its class stays behind",
  },
  "what only JSON leaves out": {
    title: "functions and symbols in an event are left out for the clients of every worker, as JSON does it",
    fabrics: ["stock"],
    whatHappens: "the clients of other workers get nothing of the event, and the sender is told nothing of that",
  },
} satisfies Record<string, KnownLimit>;
