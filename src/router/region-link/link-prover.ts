/** Proves the knowledge of a secret without saying it: HMAC-SHA-256, compared in constant time. */

import { createHmac, timingSafeEqual } from "node:crypto";
import { type LinkRole, linkRoles, proofBytes } from "../../protocol/link-handshake.js";
import type { LinkProver } from "./handshake.js";

/** @param secrets the first signs, each is accepted */
export function createLinkProver(secrets: readonly string[]): LinkProver {
  const sign = (secret: string, role: LinkRole, transcript: Buffer): Buffer =>
    createHmac("sha256", secret).update(linkRoles[role]).update("\0").update(transcript).digest();
  return {
    sign: (role, transcript) => sign(secrets[0] ?? "", role, transcript),
    isProof: (role, transcript, mac) => {
      if (mac.length !== proofBytes) return false;
      // Each of them, always: how long it takes must not tell which.
      return secrets.map((secret) => timingSafeEqual(sign(secret, role, transcript), mac)).includes(true);
    },
  };
}
