// tmp
import { readSettings } from "./settings.mjs";
import { LOADS } from "./loads.mjs";
import { startRedis } from "./redis.mjs";
import { measureFleets } from "./load-windows.mjs";
import { SERVER_CORE } from "../messages/measure.mjs";
import { median } from "../shared/statistics.mjs";
export async function run(args) {
  const settings = readSettings(args, new Date());
  if (!settings) return 0;
  const redis = await startRedis(SERVER_CORE);
  try {
    for (const name of settings.loads) {
      const { hosts, workers, workload } = LOADS[name];
      const fleets = settings.sides.map((side) => ({ name: side, side, hosts, workers }));
      const m = await measureFleets({ fleets, workload, redis, settings, windows: settings.windows, say: (t) => console.log(name, t) });
      const cap = (s) => median(m.windows.filter((w) => w.side === s).map((w) => w.perSecondAndCore));
      const caps = Object.fromEntries(settings.sides.map((s) => [s, Math.round(cap(s))]));
      console.log("FIRST", name, JSON.stringify(caps), "ratio", (cap("routed") / Math.max(cap("classic"), cap("sharded"))).toFixed(2), "gate", LOADS[name].leastRatio, JSON.stringify(m.connectionsByFleet), JSON.stringify(m.countersByFleet.routed));
    }
  } finally { await redis.stop(); }
  return 0;
}
