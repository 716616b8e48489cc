/** What a fabric cannot hold of the contract, and what happens there instead. */

import type { LayoutName } from "./fabrics.js";

export interface KnownLimit {
  /** The statement. */
  readonly title: string;
  /** A fabric, however many hosts there are, or a layout of its own. */
  readonly fabrics: readonly LayoutName[];
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
  "fetchSockets of the dead": {
    title: "fetchSockets that waits for a worker gives the sockets of the others as soon as that is killed",
    fabrics: ["stock"],
    whatHappens: "it waits on, and is rejected 5 s after it began",
  },
  "serverSideEmit to the dead": {
    title: "serverSideEmit that waits for a worker gives the responses of the others as soon as that is killed",
    fabrics: ["stock"],
    whatHappens: "it waits on, and ends with an error 5 s after it began",
  },
  "acknowledgements of the dead": {
    title: "a broadcast with an acknowledgement stops waiting for a worker as soon as that is killed",
    fabrics: ["stock"],
    whatHappens: "it waits on, and ends with an error after its timeout",
  },
  "acknowledgements of clients of the dead": {
    title: "a broadcast with an acknowledgement stops waiting for clients whose worker is killed",
    fabrics: ["stock"],
    whatHappens: "it waits on, and ends with an error after its timeout, the responses of the others in it",
  },
  "fetchSockets after a death": {
    title: "fetchSockets finds the sockets of the workers that are left when one has been killed",
    fabrics: ["stock"],
    whatHappens:
      "it is rejected after its timeout (5 s by default) for the 10 s in which the dead worker counts as a member",
  },
  "serverCount after a death": {
    title: "serverCount is one less when a worker has been killed",
    fabrics: ["stock"],
    whatHappens: "the dead worker counts for 10 s more, beside the one in its place",
  },
  "an event that cannot be encoded": {
    title: "an event that no parser can encode throws where it is emitted, and no worker ends",
    fabrics: ["stock"],
    whatHappens: "emit returns, and then every worker of the host ends with an uncaught TypeError",
  },
  "an event of servers that cannot be sent": {
    title: "an event of servers with a function among its arguments does not end the worker",
    fabrics: ["stock"],
    whatHappens: "the worker that emits it ends with an unhandled rejection (DataCloneError)",
  },
  "data that cannot be sent": {
    title: "fetchSockets is rejected at once with the reason when a socket's data cannot be sent, and no worker ends",
    fabrics: ["stock"],
    whatHappens:
      "the worker of that socket ends with an unhandled rejection (DataCloneError), and fetchSockets waits in vain",
  },
  "rooms that are no UTF-8": {
    title: "a room whose name is no UTF-8, a lone surrogate, is a room for the other workers",
    fabrics: ["routed"],
    whatHappens: "it reaches no member on another worker: names of rooms travel as UTF-8, and no other is to be meant",
  },
  "values that listeners see": {
    title: "a listener for outgoing events sees the values that were emitted, whichever worker emitted them",
    fabrics: ["routed"],
    whatHappens:
      "for events of other workers it sees what the client gets: a date as text, undefined as null, a map as {}",
  },
  "joins that nobody waits for": {
    title: "a client whose connection handler joins a room without waiting is told from when it is connected",
    fabrics: ["routed-2x2", "routed-3x1", "routed-2x2x1"],
    whatHappens:
      "other hosts learn of the room a moment later: what they say reaches it once join has resolved; other regions learn " +
      "of it a link's delay after that",
  },
  "early joins that nobody waits for": {
    title: "a room joined in a middleware has its member once that is connected, and not when it is refused",
    fabrics: ["routed-2x2", "routed-3x1", "routed-2x2x1"],
    whatHappens: "that is so of a middleware that waits for join; of another, other hosts learn of it a moment later",
  },
} satisfies Record<string, KnownLimit>;
