/** Decides what a stop signal means, from when the ones before it came. Pure. */

/** `npm` passes Ctrl-C on to a process that the terminal has told already: the second comes 1 ms after the first. */
export const secondSignalAfterMs = 1_000;

export type StopSignalMeaning = "stop" | "ignore" | "exit-at-once";

/** @param firstSignalMs when the signal that began the stop came; undefined when none has */
export function readStopSignal(firstSignalMs: number | undefined, nowMs: number): StopSignalMeaning {
  if (firstSignalMs === undefined) return "stop";
  return nowMs - firstSignalMs >= secondSignalAfterMs ? "exit-at-once" : "ignore";
}
