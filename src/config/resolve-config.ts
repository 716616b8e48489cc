/** Makes one configuration out of flags, environment, file and defaults, or lists every fault of all of them. Pure. */

import { nameRegionKey } from "../address/region-key.js";
import { ConfigError } from "../errors.js";
import { parseRedisUrl } from "../redis/redis-url.js";
import type { ConfigOrigin, SignalboxConfig } from "./config.js";
import { renderSuggestion } from "./nearest-name.js";
import { configSettings, type Setting, type SettingKey } from "./schema.js";

/** Where a value came from, and what it is called there: `--port`, `SIGNALBOX_PORT`, the path of the file. */
export interface SettingOrigin {
  readonly source: ConfigOrigin;
  readonly name: string;
}

export type ConfigOrigins = Readonly<Record<SettingKey, SettingOrigin>>;

export interface ResolvedConfig {
  readonly config: SignalboxConfig;
  readonly origins: ConfigOrigins;
}

export interface ConfigSources {
  /** Text by flag as typed, dashes included; a bare flag is "true". */
  readonly flags: Readonly<Record<string, string>>;
  /** All variables of the process; only those that begin with SIGNALBOX_ are looked at. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly file?: { readonly path: string; readonly values: Readonly<Record<string, unknown>> } | undefined;
  /** What was found wrong before, to be reported together with the faults found here. */
  readonly earlierFaults?: readonly string[];
}

/** Variables of Signalbox that are not settings: one names the config file, one is between primary and worker. */
export const configPathVariable = "SIGNALBOX_CONFIG";
const knownVariables = [configPathVariable, "SIGNALBOX_BOOTSTRAP"];

/** Flags that the command line takes besides the settings; listed for suggestions. */
const otherFlags = ["--config", "--env-file", "--help", "--version"];

interface Findings {
  readonly valueByKey: Map<string, unknown>;
  readonly originByKey: Map<string, SettingOrigin>;
  readonly faultyKeys: Set<string>;
  readonly faults: string[];
}

/** Precedence: flags > environment > file > defaults. Throws one ConfigError with all faults, overridden values' too. */
export function resolveConfig(sources: ConfigSources, settings: readonly Setting[] = configSettings): ResolvedConfig {
  const findings: Findings = {
    valueByKey: new Map(settings.map((setting) => [setting.key, setting.defaultValue])),
    originByKey: new Map(settings.map((setting) => [setting.key, { source: "default", name: "default" }])),
    faultyKeys: new Set(),
    faults: [...(sources.earlierFaults ?? [])],
  };
  // From weak to strong: a later source overwrites what an earlier one said.
  if (sources.file !== undefined) readFile(sources.file, settings, findings);
  readEnvironment(sources.environment, settings, findings);
  readFlags(sources.flags, settings, findings);

  // The table holds a setting for every key (its type says so) and each value has passed that setting's schema.
  const config = Object.fromEntries(findings.valueByKey) as unknown as SignalboxConfig;
  const origins = Object.fromEntries(findings.originByKey) as ConfigOrigins;
  findings.faults.push(...findConflicts(config, origins, findings.faultyKeys));
  if (findings.faults.length > 0) throw new ConfigError(findings.faults);
  return { config, origins };
}

function readFile(file: NonNullable<ConfigSources["file"]>, settings: readonly Setting[], findings: Findings): void {
  const settingByKey = new Map(settings.map((setting) => [setting.key, setting]));
  for (const [key, value] of Object.entries(file.values)) {
    const setting = settingByKey.get(key);
    if (setting !== undefined) {
      acceptValue(setting, value, value, { source: "file", name: file.path }, findings);
    } else {
      const suggestion = renderSuggestion(key, [...settingByKey.keys()]);
      findings.faults.push(`${JSON.stringify(key)} is not a setting (from ${file.path})${suggestion}`);
    }
  }
}

function readEnvironment(
  environment: ConfigSources["environment"],
  settings: readonly Setting[],
  findings: Findings,
): void {
  const settingByVariable = new Map(settings.map((setting) => [setting.environmentName, setting]));
  for (const [name, text] of Object.entries(environment)) {
    // An empty variable is how shells and container files say "not set".
    if (!name.startsWith("SIGNALBOX_") || text === undefined || text === "" || knownVariables.includes(name)) continue;
    const setting = settingByVariable.get(name);
    if (isServiceLink(name, text)) {
      findings.faults.push(
        `the variable ${name} was set by Kubernetes for a Service named "signalbox"; ` +
          "set enableServiceLinks: false in the pod, or rename the Service",
      );
    } else if (setting !== undefined) {
      acceptValue(setting, text, setting.kind.coerceText(text), { source: "environment", name }, findings);
    } else {
      const suggestion = renderSuggestion(name, [...settingByVariable.keys(), configPathVariable]);
      findings.faults.push(`the variable ${name} is not known${suggestion}`);
    }
  }
}

function readFlags(flags: ConfigSources["flags"], settings: readonly Setting[], findings: Findings): void {
  const settingByFlag = new Map(settings.map((setting) => [setting.flagName, setting]));
  for (const [name, text] of Object.entries(flags)) {
    const setting = settingByFlag.get(name);
    if (setting !== undefined) {
      acceptValue(setting, text, setting.kind.coerceText(text), { source: "flag", name }, findings);
    } else {
      const suggestion = renderSuggestion(name, [...settingByFlag.keys(), ...otherFlags]);
      findings.faults.push(`the flag ${name} is not known${suggestion}`);
    }
  }
}

/** Kubernetes describes every Service to every pod in variables such as SIGNALBOX_PORT=tcp://10.0.0.1:3000. */
function isServiceLink(name: string, text: string): boolean {
  return /^SIGNALBOX_(SERVICE_(HOST|PORT)|PORT_\d+_(TCP|UDP))/.test(name) || /^(tcp|udp):\/\//.test(text);
}

function acceptValue(
  setting: Setting,
  given: unknown,
  coerced: unknown,
  origin: SettingOrigin,
  findings: Findings,
): void {
  const checked = setting.kind.schema.safeParse(coerced);
  if (checked.success) {
    findings.valueByKey.set(setting.key, checked.data);
    findings.originByKey.set(setting.key, origin);
  } else {
    const shown = setting.secret === true ? "the secret value" : shortenValue(given);
    findings.faultyKeys.add(setting.key);
    findings.faults.push(`${setting.key}: ${shown} is not ${setting.kind.expectation} (from ${origin.name})`);
  }
}

/** A password in a URL is not to be told again. */
function shortenValue(value: unknown): string {
  const text = JSON.stringify(value).replace(/\/\/[^/@\s"]*@/g, "//…@");
  return text.length <= 80 ? text : `${text.slice(0, 79)}…`;
}

/** Settings that are right one by one and wrong together; those already reported are left out. */
function findConflicts(config: SignalboxConfig, origins: ConfigOrigins, faultyKeys: ReadonlySet<string>): string[] {
  const faults: string[] = [];
  const areSound = (...keys: SettingKey[]): boolean => !keys.some((key) => faultyKeys.has(key));
  const name = (key: SettingKey): string => `${key} (from ${origins[key].name})`;

  for (const key of ["host", "port"] as const) {
    if (config.listen === undefined || origins[key].source === "default") continue;
    faults.push(`${name("listen")} and ${name(key)} exclude each other; keep one of them`);
  }
  const { restartBackoffMinMs: min, restartBackoffMaxMs: max } = config;
  if (areSound("restartBackoffMinMs", "restartBackoffMaxMs") && min > max) {
    const fault = `${name("restartBackoffMinMs")} is ${min}, more than the ${max} of ${name("restartBackoffMaxMs")}`;
    faults.push(`${fault}; lower the first or raise the second`);
  }
  const usesTcp = config.listen === undefined && areSound("listen");
  if (usesTcp && areSound("port", "adminPort") && config.port !== 0 && config.port === config.adminPort) {
    faults.push(`${name("port")} and ${name("adminPort")} are both ${config.port}; give each its own port`);
  }
  const { proxyProtocol, trustProxy } = config;
  if (
    areSound("proxyProtocol", "trustProxy") &&
    proxyProtocol &&
    (trustProxy === 0 || (typeof trustProxy === "object" && trustProxy.length === 0))
  ) {
    faults.push(`${name("proxyProtocol")} is for the proxies of ${name("trustProxy")}, which are none; name them`);
  }
  if (areSound("listen", "linkListen", "host", "port", "adminPort")) faults.push(...findPlaceFaults(config, name));
  if (areSound("region", "links", "linkListen", "linkSecrets", "linkCertificate", "linkKey", "fabric")) {
    faults.push(...findLinkFaults(config, name));
  }
  if (areSound("redisUrl")) faults.push(...findRedisFaults(config, origins));
  return faults;
}

/** Links are taken where something else of this host is. */
function findPlaceFaults(config: SignalboxConfig, name: (key: SettingKey) => string): string[] {
  const { linkListen, listen, host, port, adminPort } = config;
  if (linkListen?.kind === "unix" && linkListen.path === listen) {
    return [
      `${name("linkListen")} and ${name("listen")} are the same socket; name another one, or set linkListen to public`,
    ];
  }
  if (linkListen?.kind !== "tcp" || linkListen.port === 0) return [];
  const isTaken = (takenHost: string, takenPort: number): boolean =>
    linkListen.port === takenPort && [takenHost, "0.0.0.0", "::"].includes(linkListen.host);
  const same = isTaken("127.0.0.1", adminPort)
    ? "adminPort"
    : isTaken(host, port) && listen === undefined
      ? "port"
      : undefined;
  if (same === undefined) return [];
  return [`${name("linkListen")} and ${name(same)} have both the port ${linkListen.port}; give each its own`];
}

/** What is wrong with the settings of links. */
function findLinkFaults(config: SignalboxConfig, name: (key: SettingKey) => string): string[] {
  const faults: string[] = [];
  const { region, links = [], linkListen, linkSecrets, linkCertificate, linkKey, fabric } = config;
  const own = links.find((link) => link.region === region);
  if (own !== undefined) {
    faults.push(
      `${name("links")} has a link to ${region}, which is this host's own ${name("region")}; leave it out, or name the region`,
    );
  }
  const regionByKey = new Map([[nameRegionKey(region), region]]);
  for (const { region: other } of links) {
    const same = regionByKey.get(nameRegionKey(other));
    if (same !== undefined && other !== region) {
      faults.push(
        `${name("links")}: the names ${same} and ${other} cannot be told apart; rename one of the two regions`,
      );
    }
    regionByKey.set(nameRegionKey(other), other);
  }
  if ((links.length > 0 || linkListen !== undefined) && linkSecrets === undefined) {
    const what = links.length > 0 ? "links" : "linkListen";
    faults.push(`${name(what)} needs linkSecrets, the same as in the other regions; set SIGNALBOX_LINK_SECRETS`);
  }
  if (fabric === "stock" && (links.length > 0 || linkListen !== undefined)) {
    faults.push(
      `links to other regions are of the fabric routed, and ${name("fabric")} is stock; leave out one of them`,
    );
  }
  if ((linkCertificate === undefined) !== (linkKey === undefined)) {
    faults.push("linkCertificate and linkKey belong together; set both, or neither");
  }
  return faults;
}

/** What is wrong with Redis's settings, in words that hold nothing of the URL: it may have a password. */
function findRedisFaults({ redisUrl, redisCa }: SignalboxConfig, origins: ConfigOrigins): string[] {
  const faults: string[] = [];
  if (redisUrl === undefined) return faults;
  const url = `redisUrl (from ${origins.redisUrl.name})`;
  const result = parseRedisUrl(redisUrl);
  if ("fault" in result) {
    faults.push(`${url} ${result.fault}`);
  } else if (redisCa !== undefined && (result.target.kind === "unix" || !result.target.isTls)) {
    const ca = `redisCa (from ${origins.redisCa.name})`;
    faults.push(`${ca} is for a Redis behind TLS, and ${url} asks for none; write rediss: in place of redis:`);
  }
  return faults;
}
