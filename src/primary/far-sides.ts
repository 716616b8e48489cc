/** What a router is told of the sides beyond this host, by the configuration: the bus of its region, and the links to others. */

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import type { SignalboxConfig } from "../config/config.js";
import { BusError, describeBriefly, type SignalboxErrorCode } from "../errors.js";
import type { Logger } from "../logging.js";
import type { RouterBusInit, RouterLinksInit } from "../protocol/router-messages.js";

/** 9 bytes are 12 characters of base64url. */
const instanceBytes = 9;

/** @throws BusError when the certificates cannot be read */
export function readBusInit(config: SignalboxConfig): RouterBusInit | null {
  const { redisUrl, redisCa } = config;
  if (redisUrl === undefined) return null;
  return {
    redisUrl,
    ca: readPemFile("redisCa", redisCa, "SIGNALBOX_REDIS_CA_UNREADABLE"),
    channelPrefix: config.redisPrefix,
    emitterKey: config.emitterKey === "none" ? null : config.emitterKey,
    instance: randomBytes(instanceBytes).toString("base64url"),
    name: `${hostname()}, process ${process.pid}`,
    isServing: false,
    restarts: 0,
    maxOutboxBytes: config.maxHostOutboxBytes,
    maxOutboxAgeMs: config.hostOutboxAgeMs,
    unreachableAfterMs: config.hostUnreachableAfterMs,
    maxRooms: config.maxRoomsPerHost,
  };
}

/** @throws BusError when a certificate cannot be read */
export function readLinksInit(config: SignalboxConfig): RouterLinksInit | null {
  const { region, links = [], linkListen, linkSecrets, linkCompression } = config;
  if (linkSecrets === undefined || (links.length === 0 && linkListen === undefined)) return null;
  return {
    region,
    links,
    listen: linkListen ?? null,
    secrets: linkSecrets,
    ca: readPemFile("linkCa", config.linkCa, "SIGNALBOX_LINK_FILE_UNREADABLE"),
    certificate: readPemFile("linkCertificate", config.linkCertificate, "SIGNALBOX_LINK_FILE_UNREADABLE"),
    key: readPemFile("linkKey", config.linkKey, "SIGNALBOX_LINK_FILE_UNREADABLE"),
    isCompressed: linkCompression,
    instance: randomBytes(instanceBytes).toString("base64url"),
    maxOutboxBytes: config.maxHostOutboxBytes,
    maxOutboxAgeMs: config.hostOutboxAgeMs,
    unreachableAfterMs: config.hostUnreachableAfterMs,
    maxRooms: config.maxRoomsPerHost,
  };
}

function readPemFile(setting: string, path: string | undefined, code: SignalboxErrorCode): string | null {
  if (path === undefined) return null;
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const message = `${setting}: cannot read ${path}: ${describeBriefly(cause)}; name a PEM file that this user can read.`;
    throw new BusError(code, message, { cause });
  }
}

/** Whoever is on the way could read and change what is said after the handshake. */
export function warnOfPlainLinks({ links }: RouterLinksInit, log: Logger): void {
  for (const { region, url } of links) {
    const { protocol, hostname } = new URL(url);
    if (protocol !== "ws:" || /^(localhost|127\.[\d.]+|\[::1\])$/.test(hostname)) continue;
    log.warn(
      `the link to region ${region} (${url}) leaves this machine without TLS: who is on the way can read and change what is sent on ` +
        "it. Write wss: where the network is not your own",
    );
  }
}
