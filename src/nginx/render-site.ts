/** Writes the configuration of a site: which host gets which request, and what becomes of it when that host is down. Pure. */

import { hasFeature } from "./nginx-version.js";
import type { NginxSite, SiteHost } from "./site.js";

/** Where a host takes the links of other regions. */
const linkPath = "/signalbox/link";

/** Idle connections to a group that each process of nginx keeps for the next request. */
const keptConnections = 64;

/** Ends with a newline. Belongs inside `http { }`. */
export function renderSite(site: NginxSite): string {
  const parts = [
    renderHead(site),
    renderSessionMap(site),
    renderGroups(site),
    renderMaps(site),
    ...(site.redirectFrom === undefined ? [] : [renderRedirect(site, site.redirectFrom)]),
    renderServer(site),
  ];
  return `${parts.join("\n\n")}\n`;
}

/** The command that writes the same text again, in lines of a comment: nginx takes none of more than 4 KiB. */
function renderCommand(site: NginxSite): string {
  const defaults = { path: "/socket.io/", listen: site.tls === undefined ? "80" : "443" };
  const flags = [
    ...site.hosts.map(({ hostKey, address }) => `--host ${hostKey}=${address}`),
    ...site.hosts.filter(({ isDraining }) => isDraining).map(({ hostKey }) => `--drain ${hostKey}`),
    ...site.serverNames.map((name) => `--server-name ${name.startsWith("*") ? `'${name}'` : name}`),
    ...(site.path === defaults.path ? [] : [`--path ${site.path}`]),
    ...(site.listen === defaults.listen ? [] : [`--listen ${site.listen}`]),
    ...(site.tls === undefined ? [] : [`--tls ${site.tls.certificatePath} ${site.tls.keyPath}`]),
    ...(site.hasLink ? ["--link"] : []),
    ...(site.handshakeLimit === undefined ? [] : [`--handshake-limit ${site.handshakeLimit}`]),
    `--nginx-version ${site.version.join(".")}`,
  ];
  return ["signalbox nginx", ...flags].join(" \\\n#     ");
}

function renderHead(site: NginxSite): string {
  const hosts = site.hosts.length === 1 ? "one Signalbox host" : `${site.hosts.length} Signalbox hosts`;
  return `# nginx ${site.version.join(".")} or later in front of ${hosts}. Belongs inside http { }, for example as
# /etc/nginx/conf.d/signalbox.conf. Written by
#   ${renderCommand(site)}`;
}

function renderSessionMap({ hosts }: NginxSite): string {
  const entries = hosts.map(({ hostKey }, index) => `    "~^${hostKey}" ${hostGroup(index)};`);
  return `# A session id begins with the key of the host that has the session, and every request but the first carries it.
# Regular expressions, because the strings of a map ignore case, and keys do not.
map $arg_sid $signalbox_upstream {
    # No session yet, or one of a host that is not listed: any host. It answers the latter with "Session ID unknown", and
    # the client begins anew.
    default signalbox_sessions;
${entries.join("\n")}
}`;
}

function renderGroups({ hosts, hasLink }: NginxSite): string {
  const alone = hosts.map(
    ({ hostKey, address }, index) => `# Host ${hostKey}.
upstream ${hostGroup(index)} {
    server ${address} max_fails=0;
    keepalive ${keptConnections};
}`,
  );
  return `# Each host by itself, for the requests of its sessions: there is no other server that they could be retried on. If the host
# is down the client gets 502 at once, and begins anew. Numbered, because the names of groups ignore case.
${alone.join("\n")}

# All hosts, for first requests, in turn: each session counts once. (least_conn would count WebSockets only, and give
# a host that comes back everything until it has as many as the others.)
# A host that fails, or answers 503 because it drains, ${sessionFails.maxFails} times is left alone for ${sessionFails.seconds} s; a single failure is no verdict.
upstream signalbox_sessions {
    zone signalbox_sessions ${zoneSize(hosts)};
${renderServers(hosts, `max_fails=${sessionFails.maxFails} fail_timeout=${sessionFails.seconds}s`)}
    keepalive ${keptConnections};
}

# All hosts, for everything else. A turn of its own: with a page and a handshake for each visitor, two hosts that share one
# would get the pages and the sessions. No host is ever left out here: a route of the application that answers 503, or
# hangs, would take all of them out.
upstream signalbox_pages {
    zone signalbox_pages ${zoneSize(hosts)};
${renderServers(hosts, "max_fails=0")}
    keepalive ${keptConnections};
}${hasLink ? renderLinkGroup(hosts) : ""}`;
}

function renderLinkGroup(hosts: readonly SiteHost[]): string {
  return `

# All hosts, for the links of other regions: without kept connections, because a host looks at the first request of each for a link.
upstream signalbox_links {
    zone signalbox_links ${zoneSize(hosts)};
${renderServers(hosts, "max_fails=0")}
}`;
}

/** Few enough that a draining host is soon left alone, more than one client's mishap; short, as all hosts may be out at once. */
const sessionFails = { maxFails: 5, seconds: 5 };

function renderServers(hosts: readonly SiteHost[], parameters: string): string {
  const renderServer = ({ address, isDraining }: SiteHost): string =>
    // Not the word drain of nginx 1.29.6: without its sticky sessions that means the same, and older ones do not know it.
    `    server ${address} ${parameters}${isDraining ? " down" : ""};`;
  return hosts.map(renderServer).join("\n");
}

function renderMaps({ path, handshakeLimit }: NginxSite): string {
  const maps = `# A WebSocket asks for an upgrade; every other request leaves the connection to the host open.
map $http_upgrade $signalbox_connection {
    default upgrade;
    "" "";
}

# Without the query, which holds session ids: whoever reads the log could take over a session.
log_format signalbox '$remote_addr [$time_local] "$request_method $uri" $status $body_bytes_sent $request_time $upstream_addr';`;
  if (handshakeLimit === undefined) return maps;
  const pathPattern = path.replaceAll(".", "\\.");
  return `${maps}

# Requests of Socket.IO without a session count against the limit of their address; an empty key counts against none. By
# what the host gets to read, which is not what nginx makes of it: not $arg_sid, which takes SID= or the first of two for the
# session, and not a location, which /socket.io/../x would escape.
map $request_uri $signalbox_handshake_from {
    default "";
    "~^${pathPattern}[^?]*\\?${sessionArguments}$" "";
    "~^${pathPattern}" $binary_remote_addr;
}
limit_req_zone $signalbox_handshake_from zone=signalbox_handshakes:10m rate=${handshakeLimit};`;
}

/** One argument named sid that has a value, and others that no decoding makes a sid: the host takes the last of several. */
const otherArgument = "(?!sid(?:=|&|$))[^&=%+#]*(?:=[^&#]*)?";
const sessionArguments = `(?:${otherArgument}&)*sid=[A-Za-z0-9_-]+(?:&${otherArgument})*`;

function renderRedirect({ serverNames }: NginxSite, listen: string): string {
  return `server {
    listen ${listen};
    server_name ${renderNames(serverNames)};
    access_log off;
    return 308 https://$host$request_uri;
}`;
}

function renderServer(site: NginxSite): string {
  const lines = [
    ...renderListen(site),
    `    server_name ${renderNames(site.serverNames)};`,
    `    access_log ${site.accessLogPath} signalbox;`,
  ];
  return `server {
${lines.join("\n")}

    # The largest request body. Socket.IO takes 1 MB by itself; raise it for larger uploads of your own.
    client_max_body_size 1m;
    # What long-polling clients send stays in memory up to here; larger bodies pass through a file.
    client_body_buffer_size 128k;
${site.handshakeLimit === undefined ? "" : renderLimit(site.handshakeLimit)}
    proxy_http_version 1.1;
    proxy_set_header Upgrade $http_upgrade;
    proxy_set_header Connection $signalbox_connection;
    proxy_set_header Host $http_host;
    # Set, not added to: what a client writes there itself is not to be trusted. Behind another proxy of yours it is
    # $proxy_add_x_forwarded_for, which keeps what that one has written.
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;

    # An answer to a long poll goes out at once.
    proxy_buffering off;
    # A host that is there answers sooner: this is one lost packet sent again, and a session's client learns of its end.
    proxy_connect_timeout 3s;
    # Above Socket.IO's pingInterval + pingTimeout (25 s + 20 s): a quiet connection is not a dead one.
    proxy_read_timeout 60s;
    proxy_send_timeout 60s;

    # A host that is down, or drains, is passed over. A POST or PATCH goes to another host only if it was never sent: it may have
    # been carried out. GET, PUT and DELETE, which HTTP allows to repeat, are repeated, also when a route of yours answers 503.
    # In a group of one there is no other host, only a new connection for a kept one.
    proxy_next_upstream error timeout http_503;
    proxy_next_upstream_tries 3;
    proxy_next_upstream_timeout 10s;

${renderLocations(site).join("\n\n")}
}`;
}

function renderListen({ listen, tls, version }: NginxSite): string[] {
  if (tls === undefined) return [`    listen ${listen};`];
  const hasHttp2Directive = hasFeature(version, "http2Directive");
  return [
    "    # Pages come over HTTP/2; browsers open WebSockets over HTTP/1.1 beside it.",
    `    listen ${listen} ssl${hasHttp2Directive ? "" : " http2"};`,
    ...(hasHttp2Directive ? ["    http2 on;"] : []),
    `    ssl_certificate ${tls.certificatePath};`,
    `    ssl_certificate_key ${tls.keyPath};`,
    "    ssl_protocols TLSv1.2 TLSv1.3;",
    `    ssl_ciphers ${tlsCiphers.join(":")};`,
    "    ssl_prefer_server_ciphers off;",
    "    ssl_session_cache shared:signalbox_tls:10m;",
    "    ssl_session_timeout 1d;",
    "    ssl_session_tickets off;",
  ];
}

/** Of TLS 1.2, those with forward secrecy that HTTP/2 allows (RFC 9113, appendix A, lists the others). */
const tlsCiphers = [
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
];

function renderLocations({ path, hasLink }: NginxSite): string[] {
  return [
    `    # Socket.IO.
    location = ${path} {
        proxy_pass http://$signalbox_upstream;
    }`,
    hasLink
      ? `    # Servers of other regions. They prove to the host who they are; allow only their addresses if you know them.
    location = ${linkPath} {
        proxy_pass http://signalbox_links;
    }`
      : `    # For servers of other regions; closed, because no link was asked for.
    location = ${linkPath} {
        return 404;
    }`,
    `    # The rest of the application.
    location / {
        proxy_pass http://signalbox_pages;
    }`,
  ];
}

function renderLimit(rate: string): string {
  return `
    # New sessions: at most as many at once as the rate has in its second or minute.
    limit_req zone=signalbox_handshakes burst=${rate.replace(/r.*/, "")} nodelay;
    limit_req_status 429;
`;
}

function renderNames(names: readonly string[]): string {
  return names.length === 0 ? "_" : names.join(" ");
}

function hostGroup(index: number): string {
  return `signalbox_host_${index + 1}`;
}

/** Memory that the processes of nginx share about a group; a server takes less than 1 KB of it. */
function zoneSize(hosts: readonly SiteHost[]): string {
  return `${Math.max(64, hosts.length * 2)}k`;
}
