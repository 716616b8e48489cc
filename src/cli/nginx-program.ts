/** The nginx that is installed here: which version it is, and what it says of a configuration. It serves nothing for us. */

import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readErrorCode, SignalboxError } from "../errors.js";
import { findVersion, hasFeature, type NginxVersion } from "../nginx/nginx-version.js";
import { renderMain } from "../nginx/render-main.js";
import { renderSite } from "../nginx/render-site.js";
import type { NginxSite } from "../nginx/site.js";

/** Reading the certificate and looking names up is all that it does. */
const timeoutMs = 20_000;

/** Where it may be: in PATH, or where only root's PATH has it. */
const usualPlaces = ["nginx", "/usr/sbin/nginx", "/usr/local/sbin/nginx"];

interface InstalledNginx {
  readonly program: string;
  /** Undefined when it does not say. */
  readonly version: NginxVersion | undefined;
}

/** The nginx installed here; undefined when there is none. */
export function findNginx(places: readonly string[] = usualPlaces): InstalledNginx | undefined {
  for (const program of places) {
    const said = run(program, ["-v"]);
    if (said !== undefined) return { program, version: findVersion(said.output) };
  }
  return undefined;
}

/**
 * Has nginx test the site, without privileges and without touching what it would use: it listens on Unix sockets and logs in a
 * temporary directory. Throws SignalboxError with what nginx says against it, or when there is no nginx.
 */
export function checkSite(site: NginxSite, installed: InstalledNginx | undefined): void {
  if (installed === undefined)
    throw refuse("--check needs nginx, which is not installed here: leave it out, or install it");
  const directory = mkdtempSync(join(tmpdir(), "sbx-nginx-"));
  try {
    const path = join(directory, "nginx.conf");
    const replaced: NginxSite = {
      ...site,
      listen: `unix:${directory}/main.sock`,
      redirectFrom: site.redirectFrom === undefined ? undefined : `unix:${directory}/redirect.sock`,
      accessLogPath: "access.log",
    };
    // Names are looked at only where an address has several servers, as it has beside a default site.
    const neighbour = `server {\n    listen ${replaced.listen};\n    server_name neighbour.invalid;\n    return 404;\n}\n`;
    writeFileSync(path, renderMain(renderSite(replaced) + (site.tls === undefined ? neighbour : "")));
    const tested = run(installed.program, ["-t", ...listStartArguments(installed.version, directory, path)]);
    if (tested?.isContent !== true) throw refuse(`nginx refuses this configuration:\n${tested?.output.trimEnd()}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** How nginx is started without touching what is the system's. */
export function listStartArguments(
  version: NginxVersion | undefined,
  directory: string,
  configuration: string,
): string[] {
  // An older one only warns that it cannot write the log that it was built with.
  const log = version !== undefined && hasFeature(version, "errorLogOption") ? ["-e", "stderr"] : [];
  return ["-p", directory, ...log, "-c", configuration];
}

function refuse(message: string): SignalboxError {
  return new SignalboxError("SIGNALBOX_NGINX_CHECK_FAILED", message);
}

/** Undefined when there is no such program. */
function run(program: string, args: readonly string[]): { output: string; isContent: boolean } | undefined {
  const { error, status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8", timeout: timeoutMs });
  if (error === undefined) return { output: stdout + stderr, isContent: status === 0 };
  if (readErrorCode(error) === "ENOENT") return undefined;
  throw refuse(`${program} cannot be run: ${error.message}`);
}
