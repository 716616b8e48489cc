/** The one table of settings: names, allowed values, defaults and meanings; everything else is generated from it. Pure. */

import type { SignalboxConfig } from "./config.js";
import { linkListen, linkSecrets, regionLinks, regionPattern } from "./link-values.js";
import {
  octalMode,
  oneOf,
  onOff,
  path,
  text,
  textLike,
  trustedProxies,
  type ValueKind,
  wholeNumber,
  wholeNumberOr,
} from "./value-kinds.js";

export type SettingKey = keyof SignalboxConfig;

/** Headings of the help, in order. */
export const settingGroups = [
  "Application and workers",
  "Public address",
  "Identity and administration",
  "Redis",
  "Other regions",
  "Limits and timeouts",
  "Restarts",
  "Logging and debugging",
] as const;

export interface SettingDefinition<T = unknown> {
  readonly group: (typeof settingGroups)[number];
  readonly kind: ValueKind<Exclude<T, undefined>>;
  readonly defaultValue: T;
  /** What happens while it is unset, for a default of undefined. */
  readonly whenUnset?: string;
  /** Stands for the value in the help; it names the unit where there is one. */
  readonly placeholder: string;
  /** What it does and why the default is what it is. */
  readonly description: string;
  /** Never printed: neither by `check` nor in a fault. */
  readonly secret?: boolean;
}

export interface Setting<T = unknown> extends SettingDefinition<T> {
  readonly key: string;
  /** `SIGNALBOX_DRAIN_TIMEOUT_MS` */
  readonly environmentName: string;
  /** `--drain-timeout-ms` */
  readonly flagName: string;
}

const portNumber = wholeNumber(0, 65_535);
const minute = 60_000;
/** Part of a channel's name in Redis; "*" and "?" would make a pattern of it. */
const channelPrefix = textLike(/^[\w.:/{}-]{1,64}$/, "1 to 64 characters out of A-Z, a-z, 0-9 and _ . : / { } -");

const definitions: { readonly [Key in SettingKey]: SettingDefinition<SignalboxConfig[Key]> } = {
  app: {
    group: "Application and workers",
    kind: path(),
    defaultValue: undefined,
    whenUnset: "the built-in demo runs",
    placeholder: "PATH",
    description: "Module of the application; `start` and `check` also take it as their argument.",
  },
  workers: {
    group: "Application and workers",
    kind: wholeNumberOr("auto", 1, 256),
    defaultValue: "auto",
    placeholder: "COUNT",
    description: "Number of worker processes; auto is one for each CPU that the process may use.",
  },
  fabric: {
    group: "Application and workers",
    kind: oneOf(["routed", "stock"]),
    defaultValue: "routed",
    placeholder: "NAME",
    description:
      "How the workers reach each other: routed sends a message only to workers with somebody in the room; " +
      "stock is the cluster adapter of Socket.IO, or with redisUrl its Redis adapter, unchanged.",
  },
  watch: {
    group: "Application and workers",
    kind: onOff(),
    defaultValue: false,
    placeholder: "",
    description: "Replaces the workers whenever a file of the application changes; off because it is for development.",
  },
  host: {
    group: "Public address",
    kind: textLike(/^[^\s/[\]]+$/, "an IP address (IPv6 without brackets) or a host name"),
    defaultValue: "127.0.0.1",
    placeholder: "ADDRESS",
    description: "Address to listen on; only this machine by default, because a proxy should stand in front.",
  },
  port: {
    group: "Public address",
    kind: portNumber,
    defaultValue: 3000,
    placeholder: "PORT",
    description: "TCP port to listen on; 0 lets the system pick one, and 3000 is what Node tutorials use.",
  },
  listen: {
    group: "Public address",
    kind: path(),
    defaultValue: undefined,
    whenUnset: "host and port are used",
    placeholder: "PATH",
    description: "Unix socket to listen on instead of host and port.",
  },
  listenMode: {
    group: "Public address",
    kind: octalMode(),
    defaultValue: 0o660,
    placeholder: "MODE",
    description: "File mode of that Unix socket, in octal; a proxy in the same group may connect by default.",
  },
  trustProxy: {
    group: "Public address",
    kind: trustedProxies(),
    defaultValue: ["loopback"],
    placeholder: "PROXIES",
    description:
      "Proxies whose X-Forwarded-For is believed: how many stand in front of this host, or a list of addresses and networks " +
      "(10.0.0.0/8,loopback); 0 believes nobody. Only those on this machine by default, as others could write what they like.",
  },
  proxyProtocol: {
    group: "Public address",
    kind: onOff(),
    defaultValue: false,
    placeholder: "",
    description:
      "The proxies of trustProxy begin each connection with a PROXY protocol header (1 or 2), without which they are refused; " +
      "off because a proxy has to be told to send it.",
  },
  hostKey: {
    group: "Identity and administration",
    kind: textLike(/^[A-Za-z0-9_-]{4}$/, "4 characters out of A-Z, a-z, 0-9, - and _"),
    defaultValue: undefined,
    whenUnset: "derived from the machine and the public address",
    placeholder: "KEY",
    description: "Names this host at the start of every session id; it has to stay the same across restarts.",
  },
  region: {
    group: "Identity and administration",
    kind: textLike(regionPattern, "1 to 32 characters out of a-z, 0-9 and - (not first)"),
    defaultValue: "default",
    placeholder: "NAME",
    description:
      "Name of the region this host is in, by which others name it in links; one region needs no name of its own.",
  },
  adminPort: {
    group: "Identity and administration",
    kind: portNumber,
    defaultValue: 9464,
    placeholder: "PORT",
    description:
      "Port of health, metrics and status on 127.0.0.1; 0 lets the system pick one, 9464 is customary for metrics.",
  },
  runtimeDir: {
    group: "Identity and administration",
    kind: path(),
    defaultValue: undefined,
    whenUnset: "that of systemd, of the login session, or one under the temporary directory",
    placeholder: "PATH",
    description: "Directory for the control socket and the private sockets of the workers.",
  },
  redisUrl: {
    group: "Redis",
    kind: text(4096),
    defaultValue: undefined,
    whenUnset: "this host is alone",
    placeholder: "URL",
    description:
      "Redis that joins this host to others, such as redis://user:password@host:6379; better in the environment or the " +
      "config file than in a flag, which other users of the machine can see.",
    secret: true,
  },
  redisPrefix: {
    group: "Redis",
    kind: channelPrefix,
    defaultValue: "signalbox",
    placeholder: "PREFIX",
    description: "Beginning of the names of the channels of the fabric routed; one Redis can serve several fleets.",
  },
  redisCa: {
    group: "Redis",
    kind: path(),
    defaultValue: undefined,
    whenUnset: "the authorities that Node knows",
    placeholder: "PATH",
    description: "PEM file with the certificate authority of a Redis behind TLS; those that Node knows by default.",
  },
  emitterKey: {
    group: "Redis",
    kind: channelPrefix,
    defaultValue: "socket.io",
    placeholder: "PREFIX",
    description:
      "Key of the @socket.io/redis-emitter whose messages the fabric routed takes in, by default the emitter's own default; " +
      "none takes in nothing.",
  },
  stockAdapter: {
    group: "Redis",
    kind: oneOf(["classic", "sharded"]),
    defaultValue: "classic",
    placeholder: "NAME",
    description:
      "Adapter of the fabric stock with redisUrl, the same as in the fleet to be joined: classic is createAdapter, " +
      "sharded is createShardedAdapter, which needs Redis 7.",
  },
  stockKey: {
    group: "Redis",
    kind: channelPrefix,
    defaultValue: "socket.io",
    placeholder: "PREFIX",
    description:
      "Beginning of the names of the channels of the fabric stock, the same as in the fleet to be joined: key of the " +
      "classic adapter, channelPrefix of the sharded one.",
  },
  links: {
    group: "Other regions",
    kind: regionLinks(),
    defaultValue: undefined,
    whenUnset: "there is one region",
    placeholder: "LINKS",
    description:
      'Other regions and where their hosts take links: in the file `{"us": {"url": "wss://us.example.com/signalbox/link"}}`, ' +
      "elsewhere us=wss://us.example.com/signalbox/link; a URL may be that of a load balancer.",
  },
  linkListen: {
    group: "Other regions",
    kind: linkListen(),
    defaultValue: undefined,
    whenUnset: "no links are taken",
    placeholder: "PLACE",
    description:
      "Where this host takes links of other regions: public (the path /signalbox/link of the public address, behind nginx), " +
      "ADDRESS:PORT, or the path of a Unix socket.",
  },
  linkSecrets: {
    group: "Other regions",
    kind: linkSecrets(),
    defaultValue: undefined,
    whenUnset: "there are no links",
    placeholder: "SECRETS",
    description:
      "Secrets by which regions know each other, the same in all of them: the first signs, all are accepted, so that they can be " +
      "changed one after the other, by reloads. Better in the environment or the config file than in a flag, which other users of the machine can see.",
    secret: true,
  },
  linkCa: {
    group: "Other regions",
    kind: path(),
    defaultValue: undefined,
    whenUnset: "the authorities that Node knows",
    placeholder: "PATH",
    description:
      "PEM file with the certificate authority of the other regions' wss: URLs; those that Node knows by default.",
  },
  linkCertificate: {
    group: "Other regions",
    kind: path(),
    defaultValue: undefined,
    whenUnset: "no client certificate is shown",
    placeholder: "PATH",
    description: "PEM file with the certificate that this host shows to the other regions' wss: URLs; with linkKey.",
  },
  linkKey: {
    group: "Other regions",
    kind: path(),
    defaultValue: undefined,
    whenUnset: "no client certificate is shown",
    placeholder: "PATH",
    description: "PEM file with the key of that certificate.",
  },
  linkCompression: {
    group: "Other regions",
    kind: onOff(),
    defaultValue: false,
    placeholder: "",
    description:
      "Compresses what is sent to other regions (permessage-deflate), if both ends have it on; off because it costs more CPU " +
      "than all the rest of a link.",
  },
  startTimeoutMs: {
    group: "Limits and timeouts",
    kind: wholeNumber(1, 10 * minute),
    defaultValue: 30_000,
    placeholder: "MS",
    description: "Milliseconds a worker has to become ready; enough for an application that connects to a database.",
  },
  drainTimeoutMs: {
    group: "Limits and timeouts",
    kind: wholeNumber(0, 10 * minute),
    defaultValue: 10_000,
    placeholder: "MS",
    description:
      "Milliseconds that a worker which is to end, in a reload or with its host, has for closing its clients one after another, " +
      "answers in flight and drain functions, before connections are cut; the default ends well before service managers lose patience.",
  },
  reloadTimeoutMs: {
    group: "Limits and timeouts",
    kind: wholeNumber(1_000, 24 * 60 * minute),
    defaultValue: 10 * minute,
    placeholder: "MS",
    description:
      "Milliseconds that a reload may take in all; with many workers each one's drain is shortened to fit; the default leaves " +
      "it whole for some 50 workers.",
  },
  headTimeoutMs: {
    group: "Limits and timeouts",
    kind: wholeNumber(1, 10 * minute),
    defaultValue: 10_000,
    placeholder: "MS",
    description:
      "Milliseconds a new connection has to send its first request head; long enough for a slow phone, " +
      "short enough to shed idle connections.",
  },
  requestTimeoutMs: {
    group: "Limits and timeouts",
    kind: wholeNumber(0, 24 * 60 * minute),
    defaultValue: 300_000,
    placeholder: "MS",
    description: "Milliseconds a whole request may take to arrive, 0 for no limit; the default is that of Node.",
  },
  keepAliveTimeoutMs: {
    group: "Limits and timeouts",
    kind: wholeNumber(1, 60 * minute),
    defaultValue: 65_000,
    placeholder: "MS",
    description:
      "Milliseconds an idle connection stays open between requests; above the 60 seconds of nginx, " +
      "so that nginx never sends a request into a closing connection.",
  },
  maxHeadBytes: {
    group: "Limits and timeouts",
    kind: wholeNumber(1024, 65_536),
    defaultValue: 16_384,
    placeholder: "BYTES",
    description: "Bytes a request head may have, cookies included; the default is that of Node.",
  },
  maxPendingConnections: {
    group: "Limits and timeouts",
    kind: wholeNumber(1, 1_000_000),
    defaultValue: 4096,
    placeholder: "COUNT",
    description:
      "Connections that may wait to send their head, and as many for a ready worker; beyond it the oldest without " +
      "a head is closed and new requests get 503, which bounds the memory of a burst.",
  },
  maxOutboxBytes: {
    group: "Limits and timeouts",
    kind: wholeNumber(65_536, 1_073_741_824),
    defaultValue: 268_435_456,
    placeholder: "BYTES",
    description:
      "Bytes that may wait for one worker in the router, and for the router, or for Redis, in one worker; beyond it " +
      "messages are lost, which is counted, and the clients that may have missed some reconnect.",
  },
  maxRoomsPerWorker: {
    group: "Limits and timeouts",
    kind: wholeNumber(1, 10_000_000),
    defaultValue: 200_000,
    placeholder: "COUNT",
    description:
      "Rooms with members on one worker, beyond which it gets every message instead of announcing them " +
      "(fabric routed); it bounds the memory of the router.",
  },
  maxHostOutboxBytes: {
    group: "Limits and timeouts",
    kind: wholeNumber(65_536, 1_073_741_824),
    defaultValue: 67_108_864,
    placeholder: "BYTES",
    description:
      "Bytes that are kept for each other host, and for each other region, while it cannot take them (fabric routed): a minute " +
      "of 1 MB/s; beyond it the oldest are given up, which is counted on both sides, and the clients there reconnect.",
  },
  hostOutboxAgeMs: {
    group: "Limits and timeouts",
    kind: wholeNumber(1_000, 60 * minute),
    defaultValue: minute,
    placeholder: "MS",
    description:
      "Milliseconds that messages are kept for another host or region; longer than Redis needs to start again or to fail over, and as " +
      "long as a client's patience. After as long without a sign of life a host is given up.",
  },
  hostUnreachableAfterMs: {
    group: "Limits and timeouts",
    kind: wholeNumber(1_500, 10 * minute),
    defaultValue: 3_000,
    placeholder: "MS",
    description:
      "Milliseconds without a sign of life, of which there is one a second, until nobody waits for another host's answers; " +
      "what is for it is kept.",
  },
  maxRoomsPerHost: {
    group: "Limits and timeouts",
    kind: wholeNumber(1, 100_000_000),
    defaultValue: 1_000_000,
    placeholder: "COUNT",
    description:
      "Rooms with members on this host, beyond which other hosts send it every message (fabric routed with redisUrl); it " +
      "bounds the memory of their routers.",
  },
  maxWorkerRssBytes: {
    group: "Restarts",
    kind: wholeNumber(67_108_864, 1_099_511_627_776),
    defaultValue: undefined,
    whenUnset: "no limit",
    placeholder: "BYTES",
    description:
      "Bytes of resident memory beyond which a worker is replaced as in a reload, one at a time, for an application that leaks; " +
      "a new worker has some 100 MB before the application has loaded anything.",
  },
  maxWorkerAgeMs: {
    group: "Restarts",
    kind: wholeNumber(1_000, 366 * 24 * 60 * minute),
    defaultValue: undefined,
    whenUnset: "no limit",
    placeholder: "MS",
    description: "Milliseconds after which a worker is replaced as in a reload, one at a time.",
  },
  hangTimeoutMs: {
    group: "Restarts",
    kind: wholeNumber(0, 24 * 60 * minute),
    defaultValue: 30_000,
    placeholder: "MS",
    description:
      "Milliseconds that the event loop of a worker may be blocked before the worker is killed and replaced, with the stack in " +
      "the log; longer than any healthy application blocks, 0 for no limit, as while its debugger is open.",
  },
  slowStartMs: {
    group: "Restarts",
    kind: wholeNumber(0, 10 * minute),
    defaultValue: 10_000,
    placeholder: "MS",
    description:
      "Milliseconds for which a new worker gets at most every other new session; being empty it would get them all " +
      "while it is still cold.",
  },
  restartBackoffMinMs: {
    group: "Restarts",
    kind: wholeNumber(1, 10 * minute),
    defaultValue: 500,
    placeholder: "MS",
    description: "Milliseconds before the first restart of a crashed worker; short, as most crashes are single ones.",
  },
  restartBackoffMaxMs: {
    group: "Restarts",
    kind: wholeNumber(1, 60 * minute),
    defaultValue: 30_000,
    placeholder: "MS",
    description:
      "Milliseconds that the growing wait between restarts never exceeds; a repaired fault heals in this time.",
  },
  maxRestarts: {
    group: "Restarts",
    kind: wholeNumber(1, 1000),
    defaultValue: 10,
    placeholder: "COUNT",
    description:
      "Restarts of one worker in a row, while no worker at all becomes ready, after which the host gives up; " +
      "a service manager then sees the failure.",
  },
  logLevel: {
    group: "Logging and debugging",
    kind: oneOf(["trace", "debug", "info", "warn", "error"]),
    defaultValue: "info",
    placeholder: "LEVEL",
    description: "Least level that is logged: trace, debug, info, warn or error; info tells the life of the host.",
  },
  logFormat: {
    group: "Logging and debugging",
    kind: oneOf(["auto", "pretty", "json", "journal"]),
    defaultValue: "auto",
    placeholder: "FORMAT",
    description:
      "Form of the log: pretty, json, journal (readable, with priorities for systemd's journal), or auto: pretty on a " +
      "terminal, journal where systemd's journal reads it, json otherwise.",
  },
  inspect: {
    group: "Logging and debugging",
    kind: onOff(),
    defaultValue: false,
    placeholder: "",
    description: "Opens Node's debugger in every worker, on 127.0.0.1; off because whoever reaches it can run code.",
  },
  inspectPort: {
    group: "Logging and debugging",
    // The last of 256 workers has a port, too, and the one more that a reload has.
    kind: wholeNumber(1, 65_279),
    defaultValue: 9229,
    placeholder: "PORT",
    description: "Port of the first worker's debugger, each further worker one higher; 9229 is what tools look for.",
  },
};

function completeSetting([key, definition]: [string, SettingDefinition]): Setting {
  const words = key.split(/(?=[A-Z])/).map((word) => word.toLowerCase());
  const environmentName = `SIGNALBOX_${words.join("_").toUpperCase()}`;
  return { ...definition, key, environmentName, flagName: `--${words.join("-")}` };
}

/** Every setting, in the order of the help and of the README. */
export const configSettings: readonly Setting[] = Object.entries(definitions).map(completeSetting);

/** Settings that are paths of files or directories. */
export const pathKeys: readonly SettingKey[] = configSettings
  .filter(({ kind }) => kind.isPath === true)
  .map(({ key }) => key as SettingKey);
