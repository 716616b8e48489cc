/** Decides which worker of the host answers a request that has reached this one. Pure. */

import { parseAddress } from "../address/address.js";
import { readQueryParameter } from "../protocol/request-target.js";
import type { Sibling } from "../protocol/worker-messages.js";

export type ForwardChoice =
  /** Answered here: by Engine.IO, or by the application's own routes. */
  | { readonly kind: "serve" }
  /** The session lives on that sibling. */
  | { readonly kind: "forward-session"; readonly sibling: Sibling }
  /** A new session that a sibling should have. */
  | { readonly kind: "forward-handshake"; readonly sibling: Sibling }
  /** Every worker drains: requests of sessions are answered, and no others. */
  | { readonly kind: "refuse-draining" };

export interface ForwardQuestion {
  /** The request target as received. */
  readonly target: string;
  /** Path under which Engine.IO answers, with its final slash: `/socket.io/`. */
  readonly enginePath: string;
  readonly hostKey: string;
  readonly ownSlot: number;
  /** Sessions here, counting handshakes under way. */
  readonly ownLoad: number;
  readonly isDraining: boolean;
  readonly siblings: ReadonlyMap<number, Sibling>;
  /** The sibling's load with what its `load` cannot contain yet. */
  readonly estimateLoad: (sibling: Sibling) => number;
  /** The first request on a connection that the primary handed off: the primary has chosen this worker for it. */
  readonly isChosenByPrimary: boolean;
  /** A sibling, or the primary for one, has sent it on: that is not done again, so no request can go in circles. */
  readonly isSentOn: boolean;
}

const serve: ForwardChoice = { kind: "serve" };

/** Asks for a new session. To Engine.IO an empty sid is none. */
export function isHandshake(target: string, enginePath: string): boolean {
  return (
    target.startsWith(enginePath) &&
    !readQueryParameter(target, "sid") &&
    readQueryParameter(target, "EIO") !== undefined
  );
}

/** Ids of dead workers, other hosts and garbage are served here: Engine.IO then answers "Session ID unknown". */
export function chooseForward(question: ForwardQuestion): ForwardChoice {
  const isForEngine = question.target.startsWith(question.enginePath);
  const sid = (isForEngine && readQueryParameter(question.target, "sid")) || undefined;
  if (sid === undefined && isHostDraining(question)) return { kind: "refuse-draining" };
  if (question.isSentOn || !isForEngine) return serve;
  if (sid !== undefined) {
    const address = parseAddress(sid);
    if (address === undefined || address.hostKey !== question.hostKey) return serve;
    const sibling = question.siblings.get(address.workerSlot);
    return sibling === undefined ? serve : { kind: "forward-session", sibling };
  }
  if (!isHandshake(question.target, question.enginePath)) return serve;
  if (question.isChosenByPrimary && !question.isDraining) return serve;
  return chooseForHandshake(question);
}

/** While a sibling goes on, one worker that drains still answers what is not about sessions. */
function isHostDraining({ isDraining, siblings }: ForwardQuestion): boolean {
  return isDraining && [...siblings.values()].every((sibling) => sibling.isDraining);
}

function chooseForHandshake(question: ForwardQuestion): ForwardChoice {
  let best: Sibling | undefined;
  let bestLoad = question.isDraining ? Number.POSITIVE_INFINITY : question.ownLoad;
  for (const sibling of question.siblings.values()) {
    if (sibling.isDraining || sibling.isStalled) continue;
    const load = question.estimateLoad(sibling);
    if (load < bestLoad) {
      best = sibling;
      bestLoad = load;
    }
  }
  if (best !== undefined) return { kind: "forward-handshake", sibling: best };
  return question.isDraining ? { kind: "refuse-draining" } : serve;
}
