/** How the bus's channels are named in Redis, and what its user must be allowed there. Pure. */

import type { RedisTarget } from "../../redis/redis-url.js";
import type { Refusal } from "../../redis/refusal.js";

/**
 * What stands before each channel. In a cluster the prefix becomes a hash tag, `{prefix}`: all channels of a fleet are in
 * one slot, so that one node carries them, in order, and two connections per host do.
 */
export function chooseWirePrefix(target: RedisTarget, channelPrefix: string): string {
  return target.kind === "cluster" ? `{${channelPrefix}}` : channelPrefix;
}

/**
 * The least ACL rules of a user of Redis for the bus, as `ACL SETUSER` takes them. HELLO and AUTH need none.
 * @param patterns that are subscribed besides: Redis compares them with those of the rules character by character
 */
export function listAclRules(target: RedisTarget, channelPrefix: string, patterns: readonly string[] = []): string {
  const rules = listChannelRules(target, channelPrefix);
  return patterns.length === 0 ? rules : `${rules} ${patterns.map((each) => `&${each}`).join(" ")} +psubscribe`;
}

function listChannelRules(target: RedisTarget, channelPrefix: string): string {
  const channels = `resetchannels &${chooseWirePrefix(target, channelPrefix)}*`;
  switch (target.kind) {
    case "server":
    case "unix":
      return `${channels} +ping +publish +subscribe`;
    case "sentinel":
      return `${channels} +ping +publish +subscribe +info`;
    case "cluster":
      return `${channels} +ping +spublish +ssubscribe +cluster|slots +cluster|keyslot`;
  }
}

/** What to do about a refusal; `message` is what Redis said. */
export function explainRefusal(refusal: Refusal, message: string, rules: string): string {
  const cause =
    refusal === "credentials"
      ? "Redis refuses the user or the password: correct them in redisUrl; the user needs the ACL rules"
      : "Redis does not let this user do what the bus needs: give it the ACL rules";
  return `${cause} "${rules}" (${message})`;
}
