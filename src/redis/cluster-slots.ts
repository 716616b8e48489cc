/** Reads what a node of a cluster answers to CLUSTER SLOTS. Pure; what cannot be read is left out. */

import type { RedisEndpoint } from "./redis-url.js";

/** The master of the range that holds the slot; `asked` is the node that answered, which may not know its own name. */
export function findSlotOwner(answer: unknown, slot: number, asked: RedisEndpoint): RedisEndpoint | undefined {
  for (const [first, last, master] of listRanges(answer)) {
    if (typeof first !== "number" || typeof last !== "number") continue;
    if (first <= slot && slot <= last) return readNode(master, asked);
  }
  return undefined;
}

/** Masters and replicas of all ranges, those of several ranges more than once. */
export function listNodes(answer: unknown, asked: RedisEndpoint): RedisEndpoint[] {
  return listRanges(answer).flatMap(([, , ...nodes]) =>
    nodes.map((node) => readNode(node, asked)).filter((node) => node !== undefined),
  );
}

function listRanges(answer: unknown): unknown[][] {
  return Array.isArray(answer) ? answer.filter((range) => Array.isArray(range)) : [];
}

function readNode(node: unknown, asked: RedisEndpoint): RedisEndpoint | undefined {
  if (!Array.isArray(node)) return undefined;
  const [host, port] = node as unknown[];
  if (typeof port !== "number") return undefined;
  return { host: typeof host === "string" && host !== "" && host !== "?" ? host : asked.host, port };
}
