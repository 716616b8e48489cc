// The load process: holds the clients of all sides, loads one side at a time and counts. Commands come over IPC from the scenario.
import { ClientGroup } from "./client-group.mjs";

const groups = new Map();
let failure;

const commands = {
  async connect({ side, ...settings }) {
    const group = new ClientGroup();
    groups.set(side, group);
    await group.connect(settings, (error) => {
      failure ??= new Error(`${side}: ${error.message}`);
      process.send({ type: "failed", reason: failure.message });
    });
    return { type: "connected" };
  },
  start({ side, ratePerSecond }) {
    if (ratePerSecond === undefined) {
      groups.get(side).startAtLimit();
    } else {
      groups.get(side).startAtRate(ratePerSecond);
    }
    return { type: "started" };
  },
  startRecording({ side }) {
    groups.get(side).startRecording();
    return { type: "recording" };
  },
  endRecording({ side }) {
    groups.get(side).endRecording();
    return { type: "recorded" };
  },
  readLatencies({ side }) {
    return { type: "latencies", ...groups.get(side).readLatencies() };
  },
  read({ side }) {
    const cpuUs = Object.values(process.cpuUsage()).reduce((sum, us) => sum + us, 0);
    return { type: "counters", ...groups.get(side).readCounters(), atMs: performance.now(), cpuUs };
  },
  async stop({ side }) {
    await groups.get(side).stop();
    return { type: "stopped" };
  },
};

process.on("message", async ({ type, ...settings }) => {
  if (failure !== undefined) {
    process.send({ type: "failed", reason: failure.message });
    return;
  }
  process.send(await commands[type](settings));
});
process.on("SIGINT", () => {}); // Ctrl-C reaches the whole group; the scenario ends its processes itself
process.on("disconnect", () => process.exit());
