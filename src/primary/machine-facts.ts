/** Reads what the host's configuration depends on from the machine: CPU quota and machine id. */

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { availableParallelism, hostname } from "node:os";
import { join } from "node:path";
import { chooseHostKey } from "../address/address.js";
import type { CpuFacts } from "./worker-count.js";

function readTextIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // Not every system has it; the caller has a fallback.
    return undefined;
  }
}

/** CPUs, and the `cpu.max` of this process's own cgroup or of the nearest one above it that has a quota. */
export function readCpuFacts(): CpuFacts {
  return { availableParallelism: availableParallelism(), cpuMax: readCpuMax() };
}

function readCpuMax(): string | undefined {
  // In a container the cgroup namespace makes this "0::/"; on a host it is the unit's path.
  const own = readTextIfThere("/proc/self/cgroup")?.match(/^0::(\/.*)$/m)?.[1];
  if (own === undefined) return undefined;
  const parts = own.split("/").filter((part) => part !== "");
  for (let depth = parts.length; depth >= 0; depth--) {
    const text = readTextIfThere(join("/sys/fs/cgroup", ...parts.slice(0, depth), "cpu.max"));
    if (text !== undefined && !text.startsWith("max")) return text;
  }
  return undefined;
}

/** Stable across restarts, because nginx maps it: derived from the machine id and the listen address. */
export function deriveHostKey(listenName: string): string {
  const machineId = readTextIfThere("/etc/machine-id")?.trim() || readTextIfThere("/var/lib/dbus/machine-id")?.trim();
  // Machine ids are not for publishing (machine-id(5)): only a digest of it leaves this function.
  const digest = createHash("sha256")
    .update(`signalbox\n${machineId || hostname()}\n${listenName}`)
    .digest("base64url");
  return chooseHostKey(digest);
}
