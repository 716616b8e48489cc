// Starts what is measured side by side, with one load before all of it, and ends it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { nameWay } from "../../fleet-regions.mjs";
import { LOAD_CORE } from "../messages/measure.mjs";
import { ask } from "../shared/ask.mjs";
import { startPinned, stop } from "../shared/processes.mjs";
import { startLinkPair } from "./link-pair.mjs";
import { startPlainPair } from "./plain-pair.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Calls back with what starts sides; ends all of them, and the load, afterwards. */
export async function withSides(run) {
  const directory = mkdtempSync(join(tmpdir(), "sbx-bench-"));
  const processes = [];
  const start = (name, file) => {
    const started = startPinned({ name, core: LOAD_CORE, args: [here(file)], ipc: true });
    processes.push(started);
    return started;
  };
  try {
    const load = start("load", "./load.mjs");
    return await run({ load, startLink, startPlain, connect });

    /** Where a side listens, and where its other end finds it: through a wire with this delay, or, without one, at once. */
    async function lay(name, delayMs) {
      const path = join(directory, `${name}.link`);
      if (delayMs === undefined) {
        return { listen: { kind: "unix", path }, target: path, wire: undefined };
      }
      const wire = start(`${name}-wire`, "./wire.mjs");
      await ask(wire, { type: "open", region: name, targetPath: path, delayMs, directory }, "opened");
      return { listen: { kind: "unix", path }, target: nameWay(directory, name), wire };
    }

    async function startLink({ name, payload, delayMs, isCompressed }) {
      const { listen, target, wire } = await lay(name, delayMs);
      const url = `ws+unix:${target}:/signalbox/link`;
      const pair = await startLinkPair({ name, directory, listen, url, isCompressed });
      processes.push(...pair.processes);
      await connect({ side: name, payload, isPlain: false, ...pair.ends });
      await pair.waitForRooms();
      return { ...pair, wire };
    }

    async function startPlain({ name, payload, delayMs, batch }) {
      const { listen, target } = await lay(name, delayMs);
      const pair = await startPlainPair({ name, directory, listen, url: `ws+unix:${target}:/`, batch });
      processes.push(...pair.processes);
      await connect({ side: name, payload, isPlain: true, ...pair.ends });
      return pair;
    }

    async function connect(message) {
      await ask(load, { type: "connect", ...message }, "connected");
    }
  } finally {
    for (const { child } of processes.filter((each) => each.child.connected)) {
      child.disconnect(); // a router ends when its primary has let go of it
    }
    await Promise.all(processes.map(stop));
    rmSync(directory, { recursive: true, force: true });
  }
}
