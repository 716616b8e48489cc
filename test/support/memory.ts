/** Reads what a process holds in memory, and the most it held while something ran. */

import { readFileSync } from "node:fs";

/** Resident memory now, in KiB, from /proc. */
export function readRssKib(pid: number): number {
  const line = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  if (line?.[1] === undefined) throw new Error(`process ${pid} says nothing about its memory`);
  return Number(line[1]);
}

const sampleIntervalMs = 5;

/** Runs something and resolves with its result and the most resident memory that the process was seen to have. */
export async function watchPeakRss<T>(pid: number, run: () => Promise<T>): Promise<{ value: T; peakKib: number }> {
  let peakKib = readRssKib(pid);
  const sampler = setInterval(() => {
    peakKib = Math.max(peakKib, readRssKib(pid));
  }, sampleIntervalMs);
  try {
    return { value: await run(), peakKib: Math.max(peakKib, readRssKib(pid)) };
  } finally {
    clearInterval(sampler);
  }
}
