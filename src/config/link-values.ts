/** The kinds of value of the settings of links to other regions. Pure. */

import { isIP } from "node:net";
import { z } from "zod";
import type { LinkListenSetting, LinkSetting } from "./config.js";
import type { ValueKind } from "./value-kinds.js";

/** Names of regions: the setting `region`, and the keys of `links`. */
export const regionPattern = /^[a-z0-9][a-z0-9-]{0,31}$/;
const maxLinks = 64;
/** `sun_path` holds 108 bytes with its final zero; Node cuts longer paths in silence. */
const maxSocketPathBytes = 107;
/** 32 characters of base64 are 192 bits: what signs a handshake can be tried out offline by whoever was dialled. */
const secretPattern = /^[\x21-\x2b\x2d-\x7e]{32,256}$/;

/** Other regions and where each takes links: `{ "us": { "url": "wss://…" } }` in the file, `us=wss://…,ap=…` elsewhere. */
export function regionLinks(): ValueKind<readonly LinkSetting[]> {
  const record = z
    .record(z.string().regex(regionPattern), z.strictObject({ url: z.string().max(2_048).refine(isLinkUrl) }))
    .refine((links) => Object.keys(links).length <= maxLinks)
    .transform((links) => Object.entries(links).map(([region, { url }]) => ({ region, url })));
  return {
    schema: record,
    expectation:
      'a list of regions with where they take links, such as {"us": {"url": "wss://us.example.com/signalbox/link"}} in the ' +
      "file or us=wss://us.example.com/signalbox/link elsewhere; a URL holds no user, password, query or fragment",
    coerceText: readPairs,
    render: (links) => links.map(({ region, url }) => `${region}=${url}`).join(","),
    isSwitch: false,
  };
}

/** Text that is no list of pairs is returned as it is: the schema refuses it. */
function readPairs(text: string): unknown {
  const links: Record<string, { url: string }> = {};
  for (const pair of text.split(",")) {
    const at = pair.indexOf("=");
    const region = pair.slice(0, at).trim();
    if (at === -1 || Object.hasOwn(links, region)) return text;
    links[region] = { url: pair.slice(at + 1).trim() };
  }
  return links;
}

/** `ws+unix:/path:` is ws's own form of a Unix socket; the path of the request follows it. */
function isLinkUrl(text: string): boolean {
  const socketPath = /^ws\+unix:(\/[^\s?#:]+)(:\/[^\s?#]*)?$/.exec(text)?.[1];
  if (socketPath !== undefined) return Buffer.byteLength(socketPath) <= maxSocketPathBytes;
  if (!URL.canParse(text) || /[\s?#]/.test(text)) return false;
  const { protocol, username, password } = new URL(text);
  return (protocol === "ws:" || protocol === "wss:") && username === "" && password === "";
}

/** Secrets that are accepted; the first signs. */
export function linkSecrets(): ValueKind<readonly string[]> {
  return {
    schema: z.array(z.string().regex(secretPattern)).min(1).max(8),
    expectation:
      "a list of 1 to 8 secrets, each 32 to 256 printable characters without space or comma, such as `openssl rand -base64 32` gives",
    coerceText: (text) => text.split(",").map((secret) => secret.trim()),
    render: (secrets) => secrets.join(","),
    isSwitch: false,
  };
}

/** Where links are taken: `10.0.0.1:9465`, `[::]:9465`, a path, or `public`. */
export function linkListen(): ValueKind<LinkListenSetting> {
  const schema = z
    .string()
    .max(2_048)
    .transform((text, context) => {
      const setting = readListen(text);
      if (setting !== undefined) return setting;
      context.addIssue({ code: "custom", message: "not a place to listen" });
      return z.NEVER;
    });
  return {
    schema,
    expectation:
      '"public" (the path /signalbox/link of the public address), ADDRESS:PORT, or the absolute path of a Unix socket, ' +
      `which has ${maxSocketPathBytes} bytes at most`,
    coerceText: (text) => text,
    render: renderListen,
    isSwitch: false,
  };
}

function readListen(text: string): LinkListenSetting | undefined {
  if (text === "public") return { kind: "public" };
  if (text.startsWith("/")) {
    const isPath = !text.includes("\0") && Buffer.byteLength(text) <= maxSocketPathBytes;
    return isPath ? { kind: "unix", path: text } : undefined;
  }
  const [, host = "", digits = ""] = /^(\[[^\]]+\]|[^:]+):(\d{1,5})$/.exec(text) ?? [];
  const address = host.replace(/^\[|\]$/g, "");
  const port = Number(digits);
  if (digits === "" || port > 65_535 || isIP(address) === 0) return undefined;
  return { kind: "tcp", host: address, port };
}

function renderListen(setting: LinkListenSetting): string {
  switch (setting.kind) {
    case "public":
      return "public";
    case "unix":
      return setting.path;
    case "tcp":
      return setting.host.includes(":") ? `[${setting.host}]:${setting.port}` : `${setting.host}:${setting.port}`;
  }
}
