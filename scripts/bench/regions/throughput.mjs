// Throughput: what one link carries at saturation, beside a plain echo of ws with the same batches, one that answers as little as a link does, and beside a router within one host.
import { setTimeout as sleep } from "node:timers/promises";
import { ask } from "../shared/ask.mjs";
import { describeDoubt } from "../shared/saturation.mjs";
import { withSides } from "./sides.mjs";
import { measureWindow, warmUp } from "./windows.mjs";

const REPORT_MS = 1_000; // of a router
const MIN_MESSAGES = 50; // of which a batch is the mean

export async function measureThroughput({ payload, settings, say }) {
  return await withSides(async ({ load, startLink, startPlain, connect }) => {
    const link = await startLink({ name: "link", payload });
    await warmUp(load, link, settings.warmupS);
    const { batch, framesPerMessage } = await learnBatch(load, link);
    say(`${batch.bytes} bytes and ${framesPerMessage.toFixed(0)} frames per message of the link`);
    const echo = await startPlain({ name: "echo", payload, batch: { ...batch, isEcho: true } });
    const plain = await startPlain({ name: "ws", payload, batch });
    // One router alone: what it takes to pass messages on, with nothing of a link.
    const within = { name: "within", processes: link.processes.slice(0, 1) };
    await connect({ side: "within", payload, isPlain: false, ...link.within });
    const sides = [link, echo, plain, within];
    for (const side of sides.slice(1)) {
      await warmUp(load, side, settings.warmupS / 2);
    }
    const windows = [];
    for (let turn = 1; turn <= settings.windows; turn++) {
      for (const side of sides) {
        const window = await measureWindow({ load, side, leadS: settings.settleS, windowS: settings.windowS });
        windows.push(window);
        say(`${side.name.padEnd(7)}${turn}/${settings.windows}  ${describe(window)}${describeDoubt(window)}`);
      }
    }
    return { payload, batch, framesPerMessage, windows };
  });
}

/** What a link's messages are under this load: the yardstick carries the like. */
async function learnBatch(load, link) {
  await ask(load, { type: "start", side: link.name }, "started");
  await sleep(REPORT_MS + 100);
  const before = link.readTraffic();
  let after = before;
  while (after.out.messagesOut - before.out.messagesOut < MIN_MESSAGES) {
    await sleep(REPORT_MS);
    after = link.readTraffic();
  }
  await ask(load, { type: "stop", side: link.name }, "stopped");
  const count = (way, name) => after[way][name] - before[way][name];
  const messages = count("out", "messagesOut");
  const answers = Math.max(1, count("back", "messagesOut"));
  return {
    batch: {
      bytes: Math.round(count("out", "bytesOut") / messages),
      perAnswer: Math.max(1, Math.round(messages / answers)),
      answerBytes: Math.round(count("back", "bytesOut") / answers),
    },
    framesPerMessage: count("out", "framesOut") / messages,
  };
}

function describe({ perSecond, perSecondAndCore, bytesPerSecondAndCore, usPerMessage, saturation }) {
  return (
    `${perSecond.toFixed(0).padStart(7)}/s  ${perSecondAndCore.toFixed(0).padStart(7)}/s and core  ` +
    `${(bytesPerSecondAndCore / 1e6).toFixed(0).padStart(4)} MB/s and core  ${usPerMessage.toFixed(2).padStart(6)} us CPU  ` +
    `servers ${(saturation * 100).toFixed(0)} %`
  );
}
