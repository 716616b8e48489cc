/** Versions of nginx, and which of the directives that we write each of them knows. Pure. */

/** Major, minor, patch. */
export type NginxVersion = readonly [number, number, number];

/** The oldest that the generated text is written for: that of Ubuntu 20.04 and Debian 11. */
export const oldestVersion: NginxVersion = [1, 18, 0];

/** From which version on nginx knows what we write in two ways (http://nginx.org/en/CHANGES). */
const sinceVersion = {
  /** `http2 on;`. The parameter of `listen` before it has been deprecated since. */
  http2Directive: [1, 25, 1],
  /** The command line's `-e`: where the log goes until the configuration has been read. */
  errorLogOption: [1, 19, 5],
} as const satisfies Readonly<Record<string, NginxVersion>>;

type NginxFeature = keyof typeof sinceVersion;

/** Reads `1.22.1`; undefined for anything else. */
export function parseVersion(text: string): NginxVersion | undefined {
  const match = /^(\d{1,4})\.(\d{1,4})\.(\d{1,4})$/.exec(text);
  return match === null ? undefined : [Number(match[1]), Number(match[2]), Number(match[3])];
}

/** Finds the version in what `nginx -v` says: `nginx version: nginx/1.22.1`. */
export function findVersion(output: string): NginxVersion | undefined {
  return parseVersion(/^nginx version: [^/\s]+\/(\d+\.\d+\.\d+)/m.exec(output)?.[1] ?? "");
}

export function isOlder(version: NginxVersion, than: NginxVersion): boolean {
  const index = version.findIndex((part, at) => part !== than[at]);
  return index >= 0 && (version[index] ?? 0) < (than[index] ?? 0);
}

export function hasFeature(version: NginxVersion, feature: NginxFeature): boolean {
  return !isOlder(version, sinceVersion[feature]);
}
