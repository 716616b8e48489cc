// What must hold of the routed fabric through Redis; pure.

/** Redis CPU per message, as a share of the stock adapter's that needs less of it. */
const MAX_REDIS_SHARE = 1 / 8;
const CONNECTIONS_PER_HOST = 2;
/** Idle traffic with the most workers over that with the fewest: it depends on hosts alone, but for the noise of seconds. */
const MAX_WORKERS_FACTOR = 1.15;
/** Each host says as much as before and hears the others: what it costs a host grows no faster than their number. */
const MAX_GROWTH_FACTOR = 1.1;

const atLeast = (what, limit, value) => ({ what, limit, value, isMax: false, isPassed: value >= limit });
const atMost = (what, limit, value) => ({ what, limit, value, isMax: true, isPassed: value <= limit });

/** Load by load; a gate whose sides were not measured is left out. */
export function judgeLoads(summaries) {
  return summaries.flatMap(({ name, hosts, leastRatio, sides }) => {
    const routed = sides.find(({ side }) => side === "routed");
    if (routed === undefined) {
      return [];
    }
    const gates = [
      judgeDeliveries(routed.counters),
      atMost("connections to Redis", CONNECTIONS_PER_HOST * hosts, routed.connections),
    ];
    if (routed.timesBetter !== undefined) {
      gates.push(atLeast("times the better stock adapter's capacity", leastRatio, routed.timesBetter.median));
      const stockUs = sides.filter(({ side }) => side === "classic" || side === "sharded").map(redisUsOf);
      gates.push(atMost("Redis CPU, share of stock's", MAX_REDIS_SHARE, redisUsOf(routed) / Math.min(...stockUs)));
    }
    return gates.map((gate) => ({ place: name, ...gate }));
  });
}

const redisUsOf = ({ meterPerMessage }) => meterPerMessage.redisUs;

function judgeDeliveries({ lost, double, unexpected }) {
  return atMost("deliveries lost, double or unexpected", 0, lost + double + unexpected);
}

export function judgeGrowth({ points }) {
  return points.map(({ hosts, counters }) => ({ place: `growth ${hosts}x1`, ...judgeDeliveries(counters) }));
}

/** Traffic of idle hosts: it grows with hosts, not with workers. */
export function judgeIdle(rows) {
  const gates = [];
  const sizes = [...new Set(rows.map(({ hosts }) => hosts))];
  for (const hosts of sizes) {
    const own = rows.filter((row) => row.hosts === hosts).sort((a, b) => a.workers - b.workers);
    const [fewest, most] = [own[0], own.at(-1)];
    for (const row of own) {
      const place = `idle ${hosts}x${row.workers}`;
      gates.push({ place, ...atMost("connections to Redis", CONNECTIONS_PER_HOST * hosts, row.connections) });
    }
    if (fewest !== most) {
      const what = `bytes with ${most.workers} workers over those with ${fewest.workers}`;
      gates.push({ place: `idle ${hosts}`, ...atMost(what, MAX_WORKERS_FACTOR, most.bytes / fewest.bytes) });
    }
  }
  if (sizes.length > 1) {
    const [small, large] = [Math.min(...sizes), Math.max(...sizes)];
    const bytesAt = (size) => rows.find(({ hosts }) => hosts === size).bytes;
    const what = `bytes per host, ${large} hosts over ${small}`;
    gates.push({
      place: "idle",
      ...atMost(what, (large / small) * MAX_GROWTH_FACTOR, bytesAt(large) / bytesAt(small)),
    });
  }
  return gates;
}
