// Writes the figures of the regions scenario into their place in README.md.
import { readFileSync, writeFileSync } from "node:fs";
import { PAYLOADS } from "./payloads.mjs";
import { describeRate } from "./tables.mjs";

const PLACE = /(<!-- measured: regions[^\n]*-->\n)[\s\S]*?(<!-- end -->)/;
const FULL_CORE = 0.95;

export function writeReadme(file, results) {
  const before = readFileSync(file, "utf8");
  if (!PLACE.test(before)) {
    throw new Error(`${file} has no place for the figures of regions`);
  }
  writeFileSync(
    file,
    before.replace(PLACE, (_whole, start, end) => `${start}${renderReadme(results)}\n${end}`),
  );
}

/** Figures of a machine that had other things to do say so. */
function describeCore(throughput) {
  const least = Math.min(...throughput.flatMap(({ sides }) => sides.map(({ leastSaturation }) => leastSaturation)));
  return least >= FULL_CORE
    ? "at a full core"
    : "on a machine that did other things as well (they had a part of their core: a run to be repeated)";
}

const whole = (value) => Math.round(value).toLocaleString("en");

export function renderReadme({ about, windows, throughput, latency, compression }) {
  return [
    "**One link**, measured with `npm run bench -- regions`: the routers of two regions on one core, the load, which plays a worker of each, on " +
      `another, ${describeCore(throughput)}, median of ${windows} windows in turn (smallest to largest).`,
    "`Plain echo` are two programs of a few lines in the routers' place, which put the same bytes into WebSocket messages of the same length, and look at none of it: the one",
    "passes on what comes, and sends it back; `one way` sends back no more than a link does. `Within one host` is one router between two workers, without a link. All over Unix sockets; ws as it comes, with its masks, which a link leaves",
    `out where nobody can read what passes (\`wss:\`, Unix sockets). Node ${about.node.slice(1)}, ws ${about.ws}, ${about.cpu}, ${about.startedAt.slice(0, 10)}.`,
    "Most of what the plain programs take are the masks: without them they would do several times as much, and a link to a `ws:` URL, which has them, does about half as much as here.",
    "",
    "| payload (messages in a batch) | messages per second and core: link | plain echo | one way | within one host | MB/s and core: link | link, share of a plain echo | of one way |",
    "|---|---|---|---|---|---|---|---|",
    ...throughput.map(renderThroughputLine),
    "",
    "Two routers look at each message, and the plain programs at none: where hundreds of small ones are in a batch, that is what counts.",
    ...renderLatencyText(latency),
    "",
    "`linkCompression`, per 1,000 messages of JSON, both routers together:",
    "",
    "| messages | KB on the wire: off | on | CPU seconds: off | on |",
    "|---|---|---|---|---|",
    ...compression.map(renderCompressionLine),
  ].join("\n");
}

const spread = ({ median, min, max }) => `**${median.toFixed(2)}** (${min.toFixed(2)} to ${max.toFixed(2)})`;

function renderThroughputLine({ payload, framesPerMessage, timesEcho, timesPlain, sides }) {
  const of = (name) => sides.find(({ side }) => side === name);
  const cells = [
    `${whole(payload)} bytes (${whole(framesPerMessage)})`,
    ...["link", "echo", "ws", "within"].map((name) => whole(of(name).perSecondAndCore.median)),
    whole(of("link").bytesPerSecondAndCore.median / 1e6),
    spread(timesEcho),
    spread(timesPlain),
  ];
  return `| ${cells.join(" | ")} |`;
}

function renderLatencyText({ ratePerSecond, rows }) {
  const describe = ({ delayMs, addedP50Ms, addedP99Ms }) => {
    const way = delayMs === 0 ? "without a delay" : `over a way that takes ${delayMs} ms`;
    return `${addedP50Ms.toFixed(2)} ms (p99 ${addedP99Ms.toFixed(2)} ms) ${way}`;
  };
  const of = (name) =>
    rows
      .filter(({ side }) => side === name)
      .map(describe)
      .join(", ");
  return [
    `From a worker to a worker of another region at ${ratePerSecond} messages/s, less the delay, half of all messages take at most ${of("link")};`,
    `plain ws ${of("ws")}.`,
  ];
}

function renderCompressionLine({ payload, ratePerSecond, off, on }) {
  const cells = [
    `${PAYLOADS[payload].summary}, ${describeRate(ratePerSecond)}`,
    whole(off.bytes / 1_000),
    whole(on.bytes / 1_000),
    off.cpuSeconds.toFixed(3),
    on.cpuSeconds.toFixed(3),
  ];
  return `| ${cells.join(" | ")} |`;
}
