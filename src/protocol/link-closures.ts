/** Why a link between regions ends: the close code of its WebSocket, and whether the dialler tries again. One table. Pure. */

/** Codes from 4000 on are an application's own (RFC 6455, 7.4.2). */
export const linkClosures = {
  /** The host ends, or takes no links any more. */
  leaving: { code: 4000, reconnect: "now" },
  /** It speaks a version that is not known here. */
  unknownVersion: { code: 4001, reconnect: "later" },
  /** It does not know the secret, or knows another. */
  notProven: { code: 4002, reconnect: "later" },
  /** It is of the same region, or its host key is that of a host here. */
  notExpected: { code: 4003, reconnect: "later" },
  /** It said what no link says. */
  badMessage: { code: 4004, reconnect: "soon" },
  /** It did not say who it is in time. */
  handshakeTimeout: { code: 4005, reconnect: "soon" },
  /** Too many that did not say who they are. */
  tooMany: { code: 4006, reconnect: "soon" },
  /** It has linked anew. */
  replaced: { code: 4007, reconnect: "later" },
  /** It does not read, or does not answer. */
  silent: { code: 4008, reconnect: "soon" },
} as const satisfies Record<string, { readonly code: number; readonly reconnect: "now" | "soon" | "later" }>;

export type LinkClosure = keyof typeof linkClosures;

/** What a dialler makes of a close code; unknown codes come from a later version, or from what is in between. */
export function findLinkClosure(code: number): LinkClosure | undefined {
  for (const name of Object.keys(linkClosures) as LinkClosure[]) if (linkClosures[name].code === code) return name;
  return undefined;
}
