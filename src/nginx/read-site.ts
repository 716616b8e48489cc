/** Checks what a configuration is to be made of; nothing gets through that could end a directive and begin another. Pure. */

import { isIPv4, isIPv6 } from "node:net";
import { isHostKey } from "../address/address.js";
import { isOlder, type NginxVersion, oldestVersion, parseVersion } from "./nginx-version.js";
import type { NginxSite, SiteHost } from "./site.js";

/** As given on the command line. */
export interface SiteOptions {
  /** Each `KEY=ADDRESS`. */
  readonly hosts: readonly string[];
  /** Keys of hosts that are to get no new sessions. */
  readonly draining: readonly string[];
  /** Addresses are paths of Unix sockets. */
  readonly areAddressesPaths: boolean;
  readonly serverNames: readonly string[];
  readonly path: string | undefined;
  /** Port, or address and port, to listen on. */
  readonly listen: string | undefined;
  readonly tls: readonly [certificatePath: string, keyPath: string] | undefined;
  readonly hasLink: boolean;
  readonly handshakeLimit: string | undefined;
  readonly nginxVersion: string | undefined;
}

/** Of a command line that says nothing; a site needs hosts at least. */
export const noSiteOptions: SiteOptions = {
  hosts: [],
  draining: [],
  areAddressesPaths: false,
  serverNames: [],
  path: undefined,
  listen: undefined,
  tls: undefined,
  hasLink: false,
  handshakeLimit: undefined,
  nginxVersion: undefined,
};

type ReadSite =
  | { readonly kind: "site"; readonly site: NginxSite }
  /** A sentence for each, all of them. */
  | { readonly kind: "faults"; readonly faults: readonly string[] };

const defaultPath = "/socket.io/";
const accessLogPath = "/var/log/nginx/signalbox.log";

/** Bytes of a Unix socket's path that Linux takes, without the final zero (unix(7)). */
const maxSocketPathBytes = 107;
/** Lengths are bounded, because nginx takes no word of more than 4 KiB. */
const hostNamePattern = /^(?!.*\.\.)[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,250}[A-Za-z0-9_])?$/;
const serverNamePattern = /^(?:\*\.)?(?!.*\.\.)[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,250}[A-Za-z0-9_])?$/;
/** None of these characters means anything to nginx within a word. */
const filePathPattern = /^\/[A-Za-z0-9._\-/+@,=:~%]{1,1000}$/;
const urlPathPattern = /^(?=.{1,1000}$)(?:\/[A-Za-z0-9._~-]+)+\/?$/;
const filePathRule = "an absolute path of letters, digits and . _ - / + @ , = : ~ %";

/** Everything that is wrong is told together. `installedVersion` holds when the options name no version. */
export function readSite(options: SiteOptions, installedVersion: NginxVersion | undefined): ReadSite {
  const faults: string[] = [];
  const hosts = readHosts(options, faults);
  const tls = readTls(options.tls, faults);
  const site: NginxSite = {
    hosts,
    serverNames: options.serverNames.filter((name) => checkServerName(name, faults)),
    path: readPath(options.path ?? defaultPath, faults),
    listen: readListen(options.listen, faults) ?? (tls === undefined ? "80" : "443"),
    redirectFrom: tls !== undefined && options.listen === undefined ? "80" : undefined,
    tls,
    hasLink: options.hasLink,
    handshakeLimit: readHandshakeLimit(options.handshakeLimit, faults),
    accessLogPath,
    version: readVersion(options.nginxVersion, installedVersion, faults),
  };
  return faults.length === 0 ? { kind: "site", site } : { kind: "faults", faults };
}

function readHosts({ hosts, draining, areAddressesPaths }: SiteOptions, faults: string[]): SiteHost[] {
  if (hosts.length === 0) {
    faults.push("no host is given; name each with --host KEY=ADDRESS (signalbox status shows the key of a host)");
  }
  const read: SiteHost[] = [];
  for (const text of hosts) {
    const [, hostKey = "", given = ""] = /^([^=]*)=(.*)$/s.exec(text) ?? [];
    if (!isHostKey(hostKey)) {
      faults.push(`--host ${quote(text)} does not begin with a host key, 4 characters of A-Z a-z 0-9 - _, and "="`);
      continue;
    }
    const address = areAddressesPaths ? readSocketPath(given, faults) : readAddress(given, faults);
    if (read.some((host) => host.hostKey === hostKey)) faults.push(`the host key ${hostKey} is given twice`);
    if (address === undefined) continue;
    const twin = read.find((host) => host.address === address);
    if (twin !== undefined) faults.push(`the hosts ${twin.hostKey} and ${hostKey} have one address, ${address}`);
    read.push({ hostKey, address, isDraining: draining.includes(hostKey) });
  }
  for (const hostKey of draining) {
    const isKnown = hosts.some((text) => text.startsWith(`${hostKey}=`));
    if (!isKnown) faults.push(`--drain ${quote(hostKey)} is not the key of any --host`);
  }
  if (read.length > 0 && read.every(({ isDraining }) => isDraining)) {
    faults.push("every host is to drain; one has to be left for new sessions");
  }
  return read;
}

function readAddress(text: string, faults: string[]): string | undefined {
  if (text.startsWith("unix:")) return readSocketPath(text, faults);
  const [, host = "", port = ""] = /^(.+):(\d{1,5})$/s.exec(text) ?? [];
  // What has digits only is meant as an address, and the system would take 1.2.3 for 1.2.0.3.
  const isName = hostNamePattern.test(host) && !/^[\d.]+$/.test(host);
  if ((isName || isNumeric(host)) && isPort(port)) return text;
  faults.push(`the address ${quote(text)} is not host:port, [ipv6]:port or unix:/path`);
  return undefined;
}

function readSocketPath(text: string, faults: string[]): string | undefined {
  const path = text.startsWith("unix:") ? text.slice("unix:".length) : text;
  if (!filePathPattern.test(path)) {
    faults.push(`the address ${quote(text)} is not the path of a Unix socket: ${filePathRule}`);
    return undefined;
  }
  if (path.length > maxSocketPathBytes) {
    faults.push(`the socket path ${path} has ${path.length} bytes; the system takes ${maxSocketPathBytes}`);
    return undefined;
  }
  return `unix:${path}`;
}

function checkServerName(name: string, faults: string[]): boolean {
  const isName = serverNamePattern.test(name);
  if (!isName) {
    faults.push(`--server-name ${quote(name)} is not a name like example.com or *.example.com, in ASCII`);
  }
  return isName;
}

function readPath(text: string, faults: string[]): string {
  // nginx resolves dot segments before it compares: a path with them would never be found.
  if (!urlPathPattern.test(text) || /\/\.\.?(?:\/|$)/.test(text)) {
    faults.push(`--path ${quote(text)} is not a path like /socket.io/, of letters, digits and . _ ~ - /`);
  }
  // As Socket.IO adds it to the path that servers and clients are given.
  return text.endsWith("/") ? text : `${text}/`;
}

function readListen(text: string | undefined, faults: string[]): string | undefined {
  if (text === undefined) return undefined;
  if (isPort(text)) return text;
  const [, host = "", port = ""] = /^(.+):(\d{1,5})$/s.exec(text) ?? [];
  // nginx listens for IPv6 alone, where an address of IPv4 has no place.
  if (!isPort(port) || !isNumeric(host) || /^\[::ffff:/i.test(host)) {
    faults.push(`--listen ${quote(text)} is not a port, address:port or [ipv6]:port`);
  }
  return text;
}

function readTls(paths: SiteOptions["tls"], faults: string[]): NginxSite["tls"] {
  if (paths === undefined) return undefined;
  for (const path of paths) {
    if (!filePathPattern.test(path)) faults.push(`--tls ${quote(path)} is not ${filePathRule}`);
  }
  const [certificatePath, keyPath] = paths;
  return { certificatePath, keyPath };
}

function readHandshakeLimit(text: string | undefined, faults: string[]): string | undefined {
  if (text !== undefined && !/^[1-9]\d{0,5}r\/[sm]$/.test(text)) {
    faults.push(`--handshake-limit ${quote(text)} is not a rate like 20r/s or 100r/m`);
  }
  return text;
}

function readVersion(text: string | undefined, installed: NginxVersion | undefined, faults: string[]): NginxVersion {
  const version = text === undefined ? installed : parseVersion(text);
  if (version === undefined) {
    if (text !== undefined) faults.push(`--nginx-version ${quote(text)} is not a version like 1.22.1`);
    return oldestVersion;
  }
  if (isOlder(version, oldestVersion)) {
    const whose = text === undefined ? "the nginx installed here is" : "--nginx-version names";
    faults.push(`${whose} ${version.join(".")}; the oldest supported is ${oldestVersion.join(".")}`);
  }
  return version;
}

/** An IPv4 address, or an IPv6 one in brackets. */
function isNumeric(text: string): boolean {
  return text.startsWith("[") ? text.endsWith("]") && !text.includes("%") && isIPv6(text.slice(1, -1)) : isIPv4(text);
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
}

/** Control characters come out as escapes: a fault is a line. */
function quote(text: string): string {
  return JSON.stringify(text);
}
