/** Chooses the worker for a new connection. Pure: the candidates' state and the time are arguments. */

export interface WorkerLoad {
  readonly slot: number;
  /** Open sessions, and handshakes handed off that have not been reported as sessions yet. */
  readonly load: number;
  readonly readySinceMs: number;
  /** Place in the order of choices so far: the smaller, the longer ago it was chosen; 0 when never. */
  readonly lastChosen: number;
  /** A hand-off to it has waited so long that its event loop must be blocked. */
  readonly isStalled: boolean;
}

export interface ChoiceSettings {
  /** How long after it said ready a worker counts as fresh. */
  readonly slowStartMs: number;
}

/**
 * The least loaded ready worker; ties go to the one chosen longest ago, so that equal workers take turns.
 *
 * Slow start: a fresh worker is cold, and beside loaded siblings it would get every arrival. So while it is fresh it is
 * never chosen twice in a row when another can be: it gets at most half of the arrivals. Stalled workers are passed
 * over while any other is ready.
 *
 * @param candidates ready workers, not draining
 * @param lastChosenSlot what the previous call for a new session answered
 */
export function chooseWorker(
  candidates: readonly WorkerLoad[],
  lastChosenSlot: number | undefined,
  settings: ChoiceSettings,
  nowMs: number,
): number | undefined {
  let best: WorkerLoad | undefined;
  let second: WorkerLoad | undefined;
  for (const candidate of candidates) {
    if (best === undefined || isBetter(candidate, best)) {
      second = best;
      best = candidate;
    } else if (second === undefined || isBetter(candidate, second)) {
      second = candidate;
    }
  }
  if (best === undefined) return undefined;
  const isFresh = nowMs - best.readySinceMs < settings.slowStartMs;
  if (isFresh && best.slot === lastChosenSlot && second !== undefined && !second.isStalled) return second.slot;
  return best.slot;
}

function isBetter(left: WorkerLoad, right: WorkerLoad): boolean {
  if (left.isStalled !== right.isStalled) return right.isStalled;
  if (left.load !== right.load) return left.load < right.load;
  if (left.lastChosen !== right.lastChosen) return left.lastChosen < right.lastChosen;
  return left.slot < right.slot;
}
