// Writes the figures of the hosts scenario into their place in README.md.
import { readFileSync, writeFileSync } from "node:fs";
import { WORKLOADS } from "../messages/workloads.mjs";

const PLACE = /(<!-- measured: several hosts[^\n]*-->\n)[\s\S]*?(<!-- end -->)/;

export function writeReadme(file, results) {
  const before = readFileSync(file, "utf8");
  if (!PLACE.test(before)) {
    throw new Error(`${file} has no place for the figures of several hosts`);
  }
  writeFileSync(
    file,
    before.replace(PLACE, (_whole, start, end) => `${start}${renderReadme(results)}\n${end}`),
  );
}

const whole = (value) => Math.round(value).toLocaleString("en");

const FULL_CORE = 0.95;

/** Figures of a machine that had other things to do say so. */
function describeCore(summaries) {
  const least = Math.min(...summaries.flatMap(({ sides }) => sides.map(({ leastSaturation }) => leastSaturation)));
  return least >= FULL_CORE
    ? "all servers at a full core"
    : "on a machine that did other things as well (the servers had a part of their core: a run to be repeated)";
}

/** `growth` and `idle` are left out when they were not measured. */
export function renderReadme({ about, windows, summaries, growth, idle }) {
  const lines = [
    `**Several hosts**, measured with \`npm run bench -- hosts\`: servers and one Redis without persistence on one core, load on another, ${describeCore(summaries)}, ` +
      `median of ${windows} windows in turn (smallest to largest). \`classic\` and \`sharded\` are those of`,
    `\`@socket.io/redis-adapter\` ${about.redisAdapter}, in plain Socket.IO servers. Node ${about.node.slice(1)}, Socket.IO ${about.socketIo}, Redis ${about.redis}, ${about.cpu}, ${about.startedAt.slice(0, 10)}.`,
    "",
    "| hosts × workers, load | messages per second and core: `routed` | `classic` | `sharded` | one process alone | times the better adapter | Redis CPU per message, µs: `routed`, the better | bytes through Redis per message |",
    "|---|---|---|---|---|---|---|---|",
    ...summaries.map(renderLine),
  ];
  if (growth !== undefined) {
    const off = Math.max(...growth.off.map(Math.abs)) * 100;
    lines.push(
      "",
      `With one worker on each of ${growth.points.map(({ hosts }) => hosts).join(", ")} hosts and rooms of 4 members, a message costs ${growth.a.toFixed(0)} µs of CPU, and ` +
        `${growth.b.toFixed(0)} µs for each other host it goes to (no point is further than ${off.toFixed(0)} % off).`,
    );
  }
  if (idle !== undefined) {
    lines.push("", renderIdleSentence(idle));
  }
  return lines.join("\n");
}

function renderLine({ hosts, workers, workload, better, sides }) {
  const of = (name) => sides.find(({ side }) => side === name);
  const [routed, stock] = [of("routed"), of(better)];
  const { median, min, max } = routed.timesBetter;
  const bytes = ({ meterPerMessage }) => whole(meterPerMessage.bytesIn + meterPerMessage.bytesOut);
  const cells = [
    `${hosts} × ${workers}, ${WORKLOADS[workload].summary.replace(" anywhere", "")}`,
    ...["routed", "classic", "sharded", "in-memory"].map((name) => whole(of(name).perSecondAndCore.median)),
    `**${median.toFixed(1)}** (${min.toFixed(1)} to ${max.toFixed(1)})`,
    `${routed.meterPerMessage.redisUs.toFixed(1)}, ${stock.meterPerMessage.redisUs.toFixed(1)}`,
    `${bytes(routed)}, ${bytes(stock)}`,
  ];
  return `| ${cells.join(" | ")} |`;
}

function renderIdleSentence(idle) {
  const kilobytes = (bytes) => `${(bytes / 1_000).toFixed(1)} KB`;
  const sizes = [...new Set(idle.map(({ hosts }) => hosts))];
  const parts = sizes.map((size) => {
    const own = idle.filter(({ hosts }) => hosts === size);
    return `${size} hosts ${own.map(({ bytes }) => kilobytes(bytes)).join(" and ")}`;
  });
  const workers = [...new Set(idle.map((row) => row.workers))].join(" and ");
  return (
    `Without clients, each host costs Redis these bytes per second, in and out, with ${workers} workers: ${parts.join("; ")}. ` +
    "It has two connections to Redis, however many workers there are."
  );
}
