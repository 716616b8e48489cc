/** The flags of `signalbox nginx`: the parser and the help are made from this table. Pure. */

export interface NginxFlag {
  readonly name: string;
  /** Names of the words that follow. */
  readonly values: readonly string[];
  readonly canRepeat: boolean;
  readonly meaning: string;
}

export const nginxFlags = [
  {
    name: "--host",
    values: ["KEY=ADDRESS"],
    canRepeat: true,
    meaning:
      "a host, once for each: its key, which begins its session ids (signalbox status shows it), and where it listens: " +
      "host:port, [ipv6]:port or unix:/path",
  },
  {
    name: "--unix",
    values: [],
    canRepeat: false,
    meaning:
      "every ADDRESS is the path of the Unix socket (SIGNALBOX_LISTEN) of a host on this machine: one TCP address has " +
      "28,000 ports for connections of nginx, a socket has no such limit",
  },
  {
    name: "--drain",
    values: ["KEY"],
    canRepeat: true,
    meaning: "a host that is to get no new sessions and keeps those it has; it can be ended when they have gone",
  },
  {
    name: "--server-name",
    values: ["NAME"],
    canRepeat: true,
    meaning: "name of the site, such as example.com or *.example.com [every name]",
  },
  {
    name: "--path",
    values: ["PATH"],
    canRepeat: false,
    meaning: "path of Socket.IO, if the application has set another [/socket.io/]",
  },
  {
    name: "--listen",
    values: ["[ADDRESS:]PORT"],
    canRepeat: false,
    meaning: "where nginx listens, instead of port 80, or 443 with --tls; port 80 then does not redirect",
  },
  {
    name: "--tls",
    values: ["CERT", "KEY"],
    canRepeat: false,
    meaning:
      "PEM files of the certificate with its chain and of its key: TLS and HTTP/2 on port 443, port 80 redirects",
  },
  {
    name: "--link",
    values: [],
    canRepeat: false,
    meaning: "open /signalbox/link for the servers of other regions [closed]",
  },
  {
    name: "--handshake-limit",
    values: ["RATE"],
    canRepeat: false,
    meaning:
      "new sessions of one client address, such as 20r/s or 100r/m; more get 429. Everybody behind one NAT shares it " +
      "[no limit]",
  },
  {
    name: "--nginx-version",
    values: ["VERSION"],
    canRepeat: false,
    meaning: "version to write for, 1.18.0 or later [that of the nginx installed here, else 1.18.0]",
  },
  { name: "--out", values: ["FILE"], canRepeat: false, meaning: "write to this file [print]" },
  {
    name: "--check",
    values: [],
    canRepeat: false,
    meaning: "have the nginx installed here test the result first (nginx -t, in a temporary directory)",
  },
] as const satisfies readonly NginxFlag[];

export type NginxFlagName = (typeof nginxFlags)[number]["name"];
