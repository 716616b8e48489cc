// Compression: what `linkCompression` saves on the wire and costs both routers, for JSON of two sizes, at a rate and at saturation.
import { withSides } from "./sides.mjs";
import { measureWindow, warmUp } from "./windows.mjs";

/** The way counts what passes. */
const WAY_MS = 0;
const WARMUP_SHARE = 0.5;

export async function measureCompression({ payload, settings, say }) {
  return await withSides(async ({ load, startLink }) => {
    const links = [];
    for (const isCompressed of [false, true]) {
      const name = isCompressed ? "on" : "off";
      links.push({ isCompressed, ...(await startLink({ name, payload, delayMs: WAY_MS, isCompressed })) });
    }
    for (const link of links) {
      await warmUp(load, link, settings.warmupS * WARMUP_SHARE);
    }
    const windows = [];
    for (let turn = 1; turn <= settings.windows; turn++) {
      for (const ratePerSecond of [settings.ratePerSecond, undefined]) {
        for (const link of links) {
          const start = ratePerSecond === undefined ? {} : { ratePerSecond };
          const { settleS: leadS, windowS } = settings;
          const window = await measureWindow({ load, side: link, leadS, windowS, start });
          windows.push({ payload, ratePerSecond, isCompressed: link.isCompressed, ...window });
          say(
            `${link.name.padEnd(4)} ${(ratePerSecond ?? "all").toString().padStart(4)} ${turn}/${settings.windows}  ${describe(window)}`,
          );
        }
      }
    }
    return windows;
  });
}

function describe({ perSecond, wireBytesPerMessage, usPerMessage }) {
  return (
    `${perSecond.toFixed(0).padStart(7)}/s  ${wireBytesPerMessage.toFixed(0).padStart(5)} bytes  ` +
    `${usPerMessage.toFixed(1).padStart(6)} us CPU per message`
  );
}
