/** The resolved configuration as the rest of the program sees it: plain, complete, read-only values. */

import type { TrustedProxySetting } from "../address/trusted-proxies.js";

/** `journal`: readable lines with the priority that systemd's journal takes from their beginning. */
export type LogFormat = "pretty" | "json" | "journal";
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error";
export type FabricName = "routed" | "stock";
/** Which of the two adapters of `@socket.io/redis-adapter` the fabric `stock` uses. */
export type StockAdapterName = "classic" | "sharded";

/** Another region, and where its hosts take links. */
export interface LinkSetting {
  readonly region: string;
  /** `ws:`, `wss:` or `ws+unix:`, without user, password or query. */
  readonly url: string;
}

/** Where this host takes links of other regions. */
export type LinkListenSetting =
  /** At a path of the public address. */
  | { readonly kind: "public" }
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

/** Where a value came from, for `signalbox check`. */
export type ConfigOrigin = "flag" | "environment" | "file" | "default";

export interface SignalboxConfig {
  /** Path of the application module as given; undefined runs the demo. */
  readonly app: string | undefined;
  readonly host: string;
  readonly port: number;
  /** Path of a Unix socket to listen on instead of host and port. */
  readonly listen: string | undefined;
  /** File mode of that Unix socket, for example 0o660. */
  readonly listenMode: number;
  /** Whose word on the client's address is taken. */
  readonly trustProxy: TrustedProxySetting;
  /** Whether those begin each connection with a PROXY protocol header. */
  readonly proxyProtocol: boolean;
  readonly workers: number | "auto";
  readonly fabric: FabricName;
  /** Four characters of the URL-safe base64 alphabet; undefined derives it. */
  readonly hostKey: string | undefined;
  readonly region: string;
  readonly adminPort: number;
  /** Base directory for the control socket and the workers' private sockets; undefined picks one. */
  readonly runtimeDir: string | undefined;
  /** Where Redis is, with its password: never to be printed. Undefined: this host is alone. */
  readonly redisUrl: string | undefined;
  /** Prefix of the channels of the fabric `routed`. */
  readonly redisPrefix: string;
  /** Path of a PEM file with the certificate authority of Redis. */
  readonly redisCa: string | undefined;
  /** Prefix of the channels of `@socket.io/redis-emitter`, or "none". */
  readonly emitterKey: string;
  readonly stockAdapter: StockAdapterName;
  /** Prefix of the channels of the fabric `stock`, as in the fleet that is joined. */
  readonly stockKey: string;
  /** Other regions; undefined: there is one region. */
  readonly links: readonly LinkSetting[] | undefined;
  /** Undefined: hosts of other regions cannot link to this one. */
  readonly linkListen: LinkListenSetting | undefined;
  /** Never to be printed. The first signs, all are accepted. */
  readonly linkSecrets: readonly string[] | undefined;
  /** Path of a PEM file with the certificate authority of the other regions. */
  readonly linkCa: string | undefined;
  /** Paths of PEM files: certificate and key by which this host is known to proxies of other regions. */
  readonly linkCertificate: string | undefined;
  readonly linkKey: string | undefined;
  readonly linkCompression: boolean;
  readonly startTimeoutMs: number;
  readonly drainTimeoutMs: number;
  readonly reloadTimeoutMs: number;
  readonly headTimeoutMs: number;
  readonly requestTimeoutMs: number;
  readonly keepAliveTimeoutMs: number;
  readonly maxHeadBytes: number;
  readonly maxPendingConnections: number;
  /** Bytes that may wait for one worker in the router, and for the router in one worker. */
  readonly maxOutboxBytes: number;
  /** Rooms beyond which a worker gets every message instead of announcing them. */
  readonly maxRoomsPerWorker: number;
  /** Bytes that are kept for one other host. */
  readonly maxHostOutboxBytes: number;
  /** How long they are kept; and after how long without a sign of life a host is given up. */
  readonly hostOutboxAgeMs: number;
  /** Without a sign of life for this long, no answers of another host are waited for. */
  readonly hostUnreachableAfterMs: number;
  /** Rooms beyond which this host gets every message instead of announcing them to other hosts. */
  readonly maxRoomsPerHost: number;
  /** Resident memory beyond which a worker is replaced; undefined never. */
  readonly maxWorkerRssBytes: number | undefined;
  /** Age beyond which a worker is replaced; undefined never. */
  readonly maxWorkerAgeMs: number | undefined;
  /** How long a worker's event loop may be blocked before it is killed; 0 for ever. */
  readonly hangTimeoutMs: number;
  readonly slowStartMs: number;
  readonly restartBackoffMinMs: number;
  readonly restartBackoffMaxMs: number;
  readonly maxRestarts: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat | "auto";
  readonly inspect: boolean;
  readonly inspectPort: number;
  readonly watch: boolean;
}
