// Latency: from a worker of one region to a worker of another at a fixed rate, at once and over a way that takes its time; beside
// plain ws over the same, so that what the way itself adds is seen.
import { setTimeout as sleep } from "node:timers/promises";
import { ask } from "../shared/ask.mjs";
import { withSides } from "./sides.mjs";

const STAMPED = "100"; // bytes of payload
/** What comes is sent on at once. */
const UNBATCHED = { bytes: 0, perAnswer: 1, answerBytes: 62 };

/** Rounds of all four in turn. `delayMs`: what each way takes. */
export async function measureLatency({ settings, say }) {
  return await withSides(async ({ load, startLink, startPlain }) => {
    const sides = [];
    for (const delayMs of [0, settings.delayMs]) {
      const way = { payload: STAMPED, ...(delayMs > 0 && { delayMs }) };
      sides.push({ kind: "link", delayMs, ...(await startLink({ name: `link-${delayMs}`, ...way })) });
      sides.push({ kind: "ws", delayMs, ...(await startPlain({ name: `ws-${delayMs}`, batch: UNBATCHED, ...way })) });
    }
    const rounds = [];
    for (let round = 1; round <= settings.latencyRounds; round++) {
      for (const { kind, delayMs, name } of sides) {
        const leadS = round === 1 ? settings.latencyWarmupS : settings.settleS + delayMs / 1_000;
        const { addedP50Ms, addedP99Ms, count } = await measureRound({ load, name, delayMs, leadS, settings });
        rounds.push({ side: kind, delayMs, addedP50Ms, addedP99Ms, count });
        say(
          `${name.padEnd(8)} ${round}/${settings.latencyRounds}  less the delay: p50 ${addedP50Ms.toFixed(2)} ms  ` +
            `p99 ${addedP99Ms.toFixed(2)} ms  (${count})`,
        );
      }
    }
    return { delayMs: settings.delayMs, ratePerSecond: settings.ratePerSecond, rounds };
  });
}

async function measureRound({ load, name, delayMs, leadS, settings }) {
  const { ratePerSecond } = settings;
  await ask(load, { type: "start", side: name, ratePerSecond, isStamped: true }, "started");
  await sleep(leadS * 1_000);
  await ask(load, { type: "startRecording", side: name, delayMs }, "recording");
  await sleep(settings.latencyS * 1_000);
  const latencies = await ask(load, { type: "readLatencies", side: name }, "latencies");
  await ask(load, { type: "stop", side: name }, "stopped");
  return latencies;
}
