// The results of the regions scenario as text tables; pure.
import { renderSpread, renderTable } from "../shared/report.mjs";
import { PAYLOADS } from "./payloads.mjs";

export const SIDE_NAMES = { link: "link", echo: "plain echo", ws: "plain ws", within: "within one host" };

export function renderThroughput(summaries) {
  const rows = summaries.flatMap(({ payload, framesPerMessage, timesEcho, timesPlain, sides }) =>
    sides.map(({ side, perSecondAndCore, bytesPerSecondAndCore, usPerMessage, leastSaturation }, i) => [
      i === 0 ? `${payload} bytes, ${framesPerMessage.toFixed(0)} in a batch` : "",
      SIDE_NAMES[side],
      renderSpread(perSecondAndCore),
      renderSpread(mapSpread(bytesPerSecondAndCore, (bytes) => bytes / 1e6)),
      usPerMessage.toFixed(2),
      side === "link" ? renderSpread(timesEcho, 2) : "",
      side === "link" ? renderSpread(timesPlain, 2) : "",
      `${(leastSaturation * 100).toFixed(0)} %`,
    ]),
  );
  const shares = ["link / plain echo", "link / plain ws"];
  return renderTable(
    ["payload", "side", "per second and core", "MB/s and core", "us CPU", ...shares, "server CPU, least"],
    rows,
  );
}

const mapSpread = (spread, convert) =>
  Object.fromEntries(Object.entries(spread).map(([name, value]) => [name, convert(value)]));

export function renderLatency({ ratePerSecond, rows }) {
  return renderTable(
    [`${ratePerSecond} messages/s`, "delay ms", "p50 less the delay, ms", "p99 less the delay, ms"],
    rows.map(({ side, delayMs, addedP50Ms, addedP99Ms }) => [
      SIDE_NAMES[side],
      delayMs,
      addedP50Ms.toFixed(2),
      addedP99Ms.toFixed(2),
    ]),
  );
}

export const describeRate = (ratePerSecond) =>
  ratePerSecond === undefined ? "as fast as it goes" : `${ratePerSecond}/s`;

export function renderCompression(rows) {
  return renderTable(
    ["1,000 messages", "rate", "KB off", "KB on", "on / off", "CPU s off", "CPU s on", "on / off"],
    rows.map(({ payload, ratePerSecond, off, on }) => [
      PAYLOADS[payload].summary,
      describeRate(ratePerSecond),
      (off.bytes / 1_000).toFixed(0),
      (on.bytes / 1_000).toFixed(0),
      (on.bytes / off.bytes).toFixed(2),
      off.cpuSeconds.toFixed(3),
      on.cpuSeconds.toFixed(3),
      (on.cpuSeconds / off.cpuSeconds).toFixed(1),
    ]),
  );
}
