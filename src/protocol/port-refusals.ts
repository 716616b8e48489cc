/** Why a router closes a worker's connection: code, reason, and what the worker is to do. One table for both sides. Pure. */

export const portRefusals = {
  /** It speaks a version that this router does not: it was installed anew under running processes. */
  unknownVersion: { code: 1, reconnect: "later" },
  /** Its place is not of this host, or it said something before hello. */
  notExpected: { code: 2, reconnect: "later" },
  /** It sent what is not a frame, or what only a router says. */
  badFrame: { code: 3, reconnect: "now" },
  /** Another connection has said hello for the same worker. */
  replaced: { code: 4, reconnect: "later" },
} as const;

export type PortRefusal = keyof typeof portRefusals;
export type RefusalCode = (typeof portRefusals)[PortRefusal]["code"];

/** How a worker takes a refusal; unknown codes come from a later version. */
export function shouldReconnectNow(code: number): boolean {
  return Object.values(portRefusals).some((refusal) => refusal.code === code && refusal.reconnect === "now");
}
