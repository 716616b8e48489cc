/** A generated site in a real nginx of the test's own. */

import type { NginxVersion } from "../../src/nginx/nginx-version.js";
import { noSiteOptions, readSite, type SiteOptions } from "../../src/nginx/read-site.js";
import { renderSite } from "../../src/nginx/render-site.js";
import { Nginx } from "./nginx.js";

/** What the tests run. */
const installedVersion: NginxVersion = [1, 22, 1];

/** Starts nginx with a site in front of these hosts, on a port of 127.0.0.1; `change` has the last word on the text. */
export async function startSite(
  hosts: Readonly<Record<string, string>>,
  options: Partial<SiteOptions> = {},
  change: (site: string) => string = (site) => site,
): Promise<Nginx> {
  return await Nginx.start((port) => {
    const read = readSite(
      {
        ...noSiteOptions,
        hosts: Object.entries(hosts).map(([hostKey, address]) => `${hostKey}=${address}`),
        listen: `127.0.0.1:${port}`,
        ...options,
      },
      installedVersion,
    );
    if (read.kind === "faults") throw new Error(read.faults.join("\n"));
    return change(renderSite({ ...read.site, accessLogPath: "access.log" }));
  });
}
