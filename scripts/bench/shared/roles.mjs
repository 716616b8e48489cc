// Which process of a fleet does what, and what each role costs in CPU time and memory, from /proc. Linux only.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { listTree, readCpuSeconds } from "./cpu.mjs";

export const ROLES = ["primary", "router", "workers", "redis", "other"];

/** Process ids by role. A fleet reports its primary and workers; its router is a child started from a file named so. */
export function findRoles({ primaryPid, workerPids }) {
  const pidsByRole = { primary: [], router: [], workers: workerPids, redis: [], other: [] };
  const rootPid = primaryPid ?? workerPids[0];
  if (primaryPid !== undefined) {
    pidsByRole.primary.push(primaryPid);
  }
  for (const pid of listTree(rootPid)) {
    const words = pid === primaryPid || workerPids.includes(pid) ? undefined : readCommandLine(pid);
    if (words !== undefined) {
      const isRouter = words.slice(1).some((word) => basename(word).includes("router"));
      pidsByRole[isRouter ? "router" : "other"].push(pid);
    }
  }
  return pidsByRole;
}

/** The roles of several fleets, or hosts, as those of one. */
export function joinRoles(all) {
  return Object.fromEntries(ROLES.map((role) => [role, all.flatMap((pidsByRole) => pidsByRole[role])]));
}

function readCommandLine(pid) {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return undefined; // ended between the listing and the read
  }
}

/** CPU seconds so far by role. A process that is gone makes its role's sum NaN: such a window cannot count. */
export function readRoleCpu(pidsByRole) {
  return mapRoles(pidsByRole, (pid) => readCpuSeconds(pid) ?? Number.NaN);
}

/** Resident bytes by role, all processes of the role together. */
export function readRoleRssBytes(pidsByRole) {
  return mapRoles(pidsByRole, (pid) => {
    const [, kib] = readFileSync(`/proc/${pid}/status`, "utf8").match(/^VmRSS:\s+(\d+) kB/m) ?? [];
    return Number(kib) * 1_024;
  });
}

function mapRoles(pidsByRole, read) {
  const sum = (pids) => pids.reduce((total, pid) => total + read(pid), 0);
  return Object.fromEntries(ROLES.map((role) => [role, sum(pidsByRole[role])]));
}
