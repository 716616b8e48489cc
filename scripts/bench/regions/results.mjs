// Makes figures out of the windows of the regions scenario: medians, ratios of neighbours, what a link adds to a delay; pure.
import { median, summarize, summarizePairRatios } from "../shared/statistics.mjs";

const SIDES = ["link", "echo", "ws", "within"];

/** Of one payload, as `measureThroughput` answers. */
export function summarizeThroughput({ payload, batch, framesPerMessage, windows }) {
  const of = (side, name) => windows.filter((window) => window.side === side).map((window) => window[name]);
  const compare = (side) => summarizePairRatios(of("link", "bytesPerSecondAndCore"), of(side, "bytesPerSecondAndCore"));
  return {
    payload,
    batch,
    framesPerMessage,
    timesEcho: compare("echo"),
    timesPlain: compare("ws"),
    sides: SIDES.map((side) => ({
      side,
      perSecondAndCore: summarize(of(side, "perSecondAndCore")),
      bytesPerSecondAndCore: summarize(of(side, "bytesPerSecondAndCore")),
      usPerMessage: median(of(side, "usPerMessage")),
      leastSaturation: Math.min(...of(side, "saturation")),
    })),
  };
}

/** Medians of the rounds, by side and delay: what the delay does not account for. */
export function summarizeLatency({ delayMs: longest, ratePerSecond, rounds }) {
  const rows = [0, longest].flatMap((delayMs) =>
    ["link", "ws"].map((side) => {
      const own = rounds.filter((round) => round.side === side && round.delayMs === delayMs);
      const addedP50Ms = median(own.map((round) => round.addedP50Ms));
      const addedP99Ms = median(own.map((round) => round.addedP99Ms));
      return { side, delayMs, addedP50Ms, addedP99Ms };
    }),
  );
  return { ratePerSecond, rows };
}

/** Bytes and CPU seconds of 1,000 messages, off and on. `ratePerSecond`: undefined at saturation. */
export function summarizeCompression(windows) {
  const groups = new Map();
  for (const window of windows) {
    const key = `${window.payload} ${window.ratePerSecond}`;
    groups.set(key, [...(groups.get(key) ?? []), window]);
  }
  return [...groups.values()].map((own) => {
    const of = (isCompressed) => {
      const some = own.filter((window) => window.isCompressed === isCompressed);
      return {
        bytes: 1_000 * median(some.map(({ wireBytesPerMessage }) => wireBytesPerMessage)),
        cpuSeconds: median(some.map(({ usPerMessage }) => usPerMessage)) / 1_000,
      };
    };
    const [{ payload, ratePerSecond }] = own;
    return { payload, ratePerSecond, off: of(false), on: of(true) };
  });
}
