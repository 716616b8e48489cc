/** Knows which proxies are believed when they say whom they speak for. Pure. */

import { BlockList, isIP } from "node:net";

/**
 * How many proxies stand in front, each of which is believed, or who they are: addresses, networks ("10.0.0.0/8"), and
 * "loopback".
 */
export type TrustedProxySetting = number | readonly string[];

const networksByWord: ReadonlyMap<string, readonly string[]> = new Map([["loopback", ["127.0.0.0/8", "::1/128"]]]);

/** A proxy on a Unix socket is on this machine. */
const unixPeerAddress = "127.0.0.1";

interface Network {
  readonly address: string;
  readonly family: "ipv4" | "ipv6";
  readonly prefixLength: number;
}

/** Whether the text is an address, a network, or "loopback". */
export function isProxyEntry(text: string): boolean {
  return networksByWord.has(text) || parseNetwork(text) !== undefined;
}

export class TrustedProxies {
  readonly #hasUnixPeers: boolean;
  readonly #hops: number;
  readonly #networks = new BlockList();

  /**
   * @param hasUnixPeers the host listens on a Unix socket; with TCP, a peer without an address has closed the connection
   * @throws Error for an entry that `isProxyEntry` does not accept
   */
  constructor(setting: TrustedProxySetting, hasUnixPeers: boolean) {
    this.#hasUnixPeers = hasUnixPeers;
    this.#hops = typeof setting === "number" ? setting : 0;
    if (typeof setting === "number") return;
    for (const text of setting.flatMap((entry) => networksByWord.get(entry) ?? entry)) {
      const network = parseNetwork(text);
      if (network === undefined) throw new Error(`${text} is neither an address nor a network`);
      this.#networks.addSubnet(network.address, network.prefixLength, network.family);
    }
  }

  /**
   * Whether that proxy is believed.
   * @param address as `isIP` accepts it; IPv4 written as IPv6 counts as IPv4; undefined is a peer without one
   * @param hop 0 for the connection's peer, one more for each proxy behind it
   */
  trusts(address: string | undefined, hop: number): boolean {
    if (hop < this.#hops) return true;
    if (address === undefined && !this.#hasUnixPeers) return false;
    const bare = withoutZone(address ?? unixPeerAddress);
    const family = isIP(bare);
    return family !== 0 && this.#networks.check(bare, family === 4 ? "ipv4" : "ipv6");
  }
}

/** A zone ("%eth0") has a meaning on one machine only (RFC 4007 §6). */
export function withoutZone(address: string): string {
  const zone = address.indexOf("%");
  return zone === -1 ? address : address.slice(0, zone);
}

function parseNetwork(text: string): Network | undefined {
  const [address = "", length, ...rest] = text.split("/");
  const family = isIP(address);
  if (family === 0 || address.includes("%") || rest.length > 0) return undefined;
  const longest = family === 4 ? 32 : 128;
  if (length !== undefined && !/^\d{1,3}$/.test(length)) return undefined;
  const prefixLength = length === undefined ? longest : Number(length);
  return prefixLength > longest ? undefined : { address, family: family === 4 ? "ipv4" : "ipv6", prefixLength };
}
