// CPU time of a process tree and of a core, from /proc. Linux only.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";

const TICKS_PER_SECOND = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/** Parent and CPU seconds of one process; undefined once it has ended. */
function readProcess(pid) {
  let stat;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  } catch {
    return undefined; // ended between the listing and the read
  }
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return { parentPid: Number(fields[1]), cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND };
}

/** The process ids of a tree, its root first. */
export function listTree(rootPid) {
  const childrenByPid = new Map();
  for (const name of readdirSync("/proc")) {
    const pid = Number(name);
    const found = Number.isInteger(pid) ? readProcess(pid) : undefined;
    if (found !== undefined) {
      childrenByPid.set(found.parentPid, [...(childrenByPid.get(found.parentPid) ?? []), pid]);
    }
  }
  const tree = [rootPid];
  for (const pid of tree) {
    tree.push(...(childrenByPid.get(pid) ?? []));
  }
  return tree;
}

/** CPU seconds so far of one process, all its threads; undefined once it has ended. */
export function readCpuSeconds(pid) {
  return readProcess(pid)?.cpuSeconds;
}

/** CPU seconds so far of the root process and of all its descendants together. */
export function readTreeCpu(pids) {
  const [root, ...descendants] = pids.map((pid) => readProcess(pid)?.cpuSeconds ?? Number.NaN);
  return { root, descendants: descendants.reduce((sum, seconds) => sum + seconds, 0) };
}

/** Context switches so far of all these processes: at saturation, what wake-ups cost. */
export function readSwitches(pids) {
  let count = 0;
  for (const pid of pids) {
    for (const [, switches] of readFileSync(`/proc/${pid}/status`, "utf8").matchAll(/ctxt_switches:\s+(\d+)/g)) {
      count += Number(switches);
    }
  }
  return count;
}

/** CPU seconds so far that a core was busy, whoever kept it busy. */
export function readCoreBusySeconds(core) {
  const line = readFileSync("/proc/stat", "utf8")
    .split("\n")
    .find((text) => text.startsWith(`cpu${core} `));
  const [user, nice, system, , , irq, softirq, steal] = line.split(/\s+/).slice(1).map(Number);
  return (user + nice + system + irq + softirq + steal) / TICKS_PER_SECOND;
}
