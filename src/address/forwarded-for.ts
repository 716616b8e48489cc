/** Finds the client's address in what the proxies in front have written. Pure. */

import { isIP } from "node:net";
import { type TrustedProxies, withoutZone } from "./trusted-proxies.js";

/** Entries that are looked at: no chain of proxies is longer, and the header's sender chooses how many there are. */
const maxEntries = 32;

/**
 * The address of whoever is not a proxy that is believed: from the connection's peer on, through X-Forwarded-For from right
 * to left, as each proxy adds whom it got the request from on the right. What an unbelieved one has written further left is
 * never looked at. An entry that is no address ends the search at the proxy that wrote it; empty ones do not count.
 *
 * @param peer address of the connection's other end; undefined when it has none, as on a Unix socket
 * @param forwardedFor the header's value, several headers joined by commas
 */
export function findClientAddress(
  peer: string | undefined,
  forwardedFor: string | undefined,
  proxies: TrustedProxies,
): string | undefined {
  let address = peer;
  let hop = 0;
  for (const entry of readFromRight(forwardedFor ?? "")) {
    if (!proxies.trusts(address, hop)) break;
    const written = parseEntry(entry);
    if (written === undefined) break;
    address = written;
    hop++;
  }
  return address;
}

/** Entries of the list, the last first, without empty ones (RFC 9110 §5.6.1.2). */
function* readFromRight(list: string): Generator<string> {
  let end = list.length;
  for (let entries = 0; entries < maxEntries && end >= 0; entries++) {
    const comma = end === 0 ? -1 : list.lastIndexOf(",", end - 1);
    const entry = list.slice(comma + 1, end).trim();
    if (entry !== "") yield entry;
    end = comma;
  }
}

/** Some proxies add the port, and then brackets to an IPv6 address. */
function parseEntry(entry: string): string | undefined {
  const bracketed = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(entry)?.[1];
  if (bracketed !== undefined) return isIP(bracketed) === 6 ? withoutZone(bracketed) : undefined;
  const withPort = /^([\d.]+):\d{1,5}$/.exec(entry)?.[1];
  if (withPort !== undefined) return isIP(withPort) === 4 ? withPort : undefined;
  return isIP(entry) === 0 ? undefined : withoutZone(entry);
}
