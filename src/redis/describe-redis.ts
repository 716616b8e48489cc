/** What may be told of a Redis in logs, errors and status: never a password. Pure. */

import type { RedisEndpoint, RedisTarget } from "./redis-url.js";

/** The target as a URL, with the user and without the password. */
export function describeRedis(target: RedisTarget): string {
  const user = target.credentials?.user;
  const at = user === undefined ? "" : `${encodeURIComponent(user)}@`;
  switch (target.kind) {
    case "server":
      return `${target.isTls ? "rediss" : "redis"}://${at}${formatEndpoint(target)}`;
    case "unix":
      return `unix://${at}${target.path}`;
    case "sentinel": {
      const hosts = target.sentinels.map(formatEndpoint).join(",");
      return `${target.isTls ? "rediss" : "redis"}+sentinel://${at}${hosts}/${encodeURIComponent(target.masterName)}`;
    }
    case "cluster":
      return `${target.isTls ? "rediss" : "redis"}+cluster://${at}${target.nodes.map(formatEndpoint).join(",")}`;
  }
}

/** A text of others (an error of Redis or of a library) that is to be told: the password in it is made unreadable. */
export function hidePassword(target: RedisTarget, text: string): string {
  const password = target.credentials?.password;
  if (password === undefined) return text;
  return text.replaceAll(password, "***").replaceAll(encodeURIComponent(password), "***");
}

function formatEndpoint({ host, port }: RedisEndpoint): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
