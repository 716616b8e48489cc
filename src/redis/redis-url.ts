/** Reads the setting `redisUrl` into what a client connects to. Pure; no fault that it tells repeats a secret. */

export interface RedisEndpoint {
  readonly host: string;
  readonly port: number;
}

export interface RedisCredentials {
  /** Undefined is the user `default`, whom a URL without a user name means. */
  readonly user: string | undefined;
  readonly password: string;
}

interface CommonTarget {
  readonly credentials: RedisCredentials | undefined;
}

interface NetworkTarget extends CommonTarget {
  readonly isTls: boolean;
}

/** One server on the network. */
export interface ServerTarget extends NetworkTarget, RedisEndpoint {
  readonly kind: "server";
}

/** One server on this machine, by its Unix socket. */
export interface UnixTarget extends CommonTarget {
  readonly kind: "unix";
  readonly path: string;
}

/** The server that Sentinels name as master. The credentials are the server's: Sentinels are asked without any. */
export interface SentinelTarget extends NetworkTarget {
  readonly kind: "sentinel";
  readonly sentinels: readonly RedisEndpoint[];
  readonly masterName: string;
}

/** A Redis Cluster; some of its nodes, by which the others are found. */
export interface ClusterTarget extends NetworkTarget {
  readonly kind: "cluster";
  readonly nodes: readonly RedisEndpoint[];
}

export type RedisTarget = ServerTarget | UnixTarget | SentinelTarget | ClusterTarget;

export type RedisUrlResult = { readonly target: RedisTarget } | { readonly fault: string };

const forms =
  "redis://[user:password@]host[:port], rediss:// (TLS), unix:///path, redis+sentinel://host,host/master-name or redis+cluster://host,host";
const defaultPort = 6379;
const defaultSentinelPort = 26379;

class UrlFault extends Error {}

/**
 * Reads a URL; the answer is the target, or a sentence that says what is wrong, without the password.
 * A database number (`redis://host/0`) is accepted and ignored: publish and subscribe know no databases, their channels
 * are those of the whole server. User and password are percent-decoded.
 */
export function parseRedisUrl(text: string): RedisUrlResult {
  try {
    return { target: parse(text) };
  } catch (error) {
    if (error instanceof UrlFault) return { fault: error.message };
    throw error;
  }
}

function parse(text: string): RedisTarget {
  const match = /^([a-z+]+):\/\/(.*)$/is.exec(text);
  const scheme = match?.[1]?.toLowerCase() ?? "";
  const rest = match?.[2] ?? "";
  // What follows the scheme may hold a password, so only the scheme is ever told.
  if (match === null) throw new UrlFault(`is no URL of a Redis; the forms are ${forms}`);
  if (/[\s\p{Cc}]/u.test(rest)) throw new UrlFault("has white space in it; encode it as %20");
  if (/[?#]/.test(rest)) {
    throw new UrlFault('has a "?" or "#", which no form has; in a user or password they are %3F and %23');
  }
  const slash = rest.indexOf("/");
  const authority = slash === -1 ? rest : rest.slice(0, slash);
  const path = slash === -1 ? "" : rest.slice(slash + 1);
  if (scheme !== "unix" && path.includes("@")) {
    throw new UrlFault('has an "@" behind a "/"; in a user or password these are %40 and %2F');
  }
  const at = authority.lastIndexOf("@");
  const credentials = at === -1 ? undefined : parseCredentials(authority.slice(0, at));
  const hosts = authority.slice(at + 1);

  switch (scheme) {
    case "redis":
    case "rediss": {
      expectDatabase(path);
      const [endpoint, ...others] = parseEndpoints(hosts, defaultPort);
      if (endpoint === undefined || others.length > 0) {
        throw new UrlFault(`names several hosts, which ${scheme}+sentinel: and ${scheme}+cluster: do`);
      }
      return { kind: "server", ...endpoint, isTls: scheme === "rediss", credentials };
    }
    case "unix": {
      if (hosts !== "") throw new UrlFault("names a host; a Unix socket has a path only, as in unix:///run/redis.sock");
      if (path === "") throw new UrlFault("has no path, as in unix:///run/redis.sock");
      return { kind: "unix", path: `/${decode(path, "path")}`, credentials };
    }
    case "redis+sentinel":
    case "rediss+sentinel": {
      const [masterName = "", ...database] = path.split("/");
      if (masterName === "") {
        throw new UrlFault(`has no master name, as in ${scheme}://host/master-name (Sentinel calls many "mymaster")`);
      }
      expectDatabase(database.join("/"));
      const sentinels = parseEndpoints(hosts, defaultSentinelPort);
      const isTls = scheme === "rediss+sentinel";
      return { kind: "sentinel", sentinels, masterName: decode(masterName, "master name"), isTls, credentials };
    }
    case "redis+cluster":
    case "rediss+cluster": {
      expectDatabase(path);
      const nodes = parseEndpoints(hosts, defaultPort);
      return { kind: "cluster", nodes, isTls: scheme === "rediss+cluster", credentials };
    }
    default:
      throw new UrlFault(`begins with "${scheme}:", which is no form of a Redis URL; the forms are ${forms}`);
  }
}

function parseCredentials(text: string): RedisCredentials {
  const colon = text.indexOf(":");
  if (colon === -1) throw new UrlFault('has no ":" before the "@"; it is user:password@, or :password@ without a user');
  const user = decode(text.slice(0, colon), "user");
  const password = decode(text.slice(colon + 1), "password");
  if (password === "") throw new UrlFault("has no password before the @; without one leave out user and @ as well");
  return { user: user === "" ? undefined : user, password };
}

function parseEndpoints(text: string, portIfNone: number): RedisEndpoint[] {
  return text.split(",").map((part) => {
    const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]@]*))(?::([^:]*))?$/i.exec(part);
    const host = match?.[1] ?? match?.[2] ?? "";
    // A stray part may be a piece of an unencoded password, and is not repeated.
    if (match === null) throw new UrlFault("has a host that cannot be read; IPv6 addresses are written [::1]");
    if (host === "") throw new UrlFault("has no host where there should be one");
    const portText = match[3];
    if (portText === undefined) return { host, port: portIfNone };
    const port = /^\d{1,5}$/.test(portText) ? Number(portText) : 0;
    if (port < 1 || port > 65_535) throw new UrlFault("has a port that is no number from 1 to 65535");
    return { host, port };
  });
}

function expectDatabase(path: string): void {
  if (/^\d*$/.test(path)) return;
  throw new UrlFault("has a path that is no database number");
}

function decode(text: string, what: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new UrlFault(`has a "%" in its ${what} that begins no character; "%" itself is %25`);
  }
}
