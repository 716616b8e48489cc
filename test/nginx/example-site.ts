/** Sites for tests: what the command line would give, and what comes of it. */

import assert from "node:assert/strict";
import { parseNginxArguments } from "../../src/cli/parse-nginx-arguments.js";
import { tokenize } from "../../src/cli/tokenize.js";
import { noSiteOptions, readSite, type SiteOptions } from "../../src/nginx/read-site.js";
import type { NginxSite } from "../../src/nginx/site.js";

/** Two hosts and nothing else. */
export const plainOptions: SiteOptions = {
  ...noSiteOptions,
  hosts: ["h001=10.0.0.1:3000", "h002=10.0.0.2:3000"],
  nginxVersion: "1.18.0",
};

export function readGoodSite(options: Partial<SiteOptions> = {}): NginxSite {
  const read = readSite({ ...plainOptions, ...options }, undefined);
  assert.ok(read.kind === "site", read.kind === "faults" ? read.faults.join("\n") : "");
  return read.site;
}

export function readFaults(options: Partial<SiteOptions>): readonly string[] {
  const read = readSite({ ...plainOptions, ...options }, undefined);
  return read.kind === "faults" ? read.faults : [];
}

/** The command that the head of a site names, and the site that it makes. */
export function readCommand(text: string): { command: string; site: NginxSite } {
  const [, lines = ""] = /^# {3}signalbox ((?:.*\\\n)*.*)$/m.exec(text) ?? [];
  const command = lines.replaceAll(/ \\\n# +/g, " ");
  const { options, faults } = parseNginxArguments(tokenize(command.split(" ")));
  assert.deepEqual(faults, []);
  const read = readSite(options, undefined);
  assert.ok(read.kind === "site", command);
  return { command, site: read.site };
}
