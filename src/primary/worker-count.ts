/** Decides how many workers a host runs. Pure. */

export interface CpuFacts {
  /** `os.availableParallelism()`: CPUs this process may run on. */
  readonly availableParallelism: number;
  /** Contents of the cgroup's `cpu.max` (v2), when there is one. */
  readonly cpuMax: string | undefined;
}

/** CPUs' worth of time that a cgroup v2 may use, from `cpu.max` (`"150000 100000"` is 1.5); undefined without a quota. */
export function parseCpuMax(text: string): number | undefined {
  const [quota, period] = text.trim().split(/\s+/);
  if (quota === undefined || quota === "max") return undefined;
  const quotaMicroseconds = Number(quota);
  const periodMicroseconds = Number(period ?? "100000");
  if (!(quotaMicroseconds > 0) || !(periodMicroseconds > 0)) return undefined;
  return quotaMicroseconds / periodMicroseconds;
}

/** The setting, else the smaller of the CPUs and the quota rounded up, at least 1. */
export function chooseWorkerCount(setting: number | "auto", facts: CpuFacts): number {
  if (setting !== "auto") return setting;
  const quota = facts.cpuMax === undefined ? undefined : parseCpuMax(facts.cpuMax);
  const byQuota = quota === undefined ? Number.POSITIVE_INFINITY : Math.ceil(quota);
  return Math.max(1, Math.min(facts.availableParallelism, byQuota));
}
