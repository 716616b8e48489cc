/** `signalbox nginx`: writes a configuration for nginx in front of the hosts. */

import { writeFileSync } from "node:fs";
import { describeBriefly, UsageError } from "../errors.js";
import { readSite } from "../nginx/read-site.js";
import { renderSite } from "../nginx/render-site.js";
import { checkSite, findNginx } from "./nginx-program.js";
import type { NginxCommandLine } from "./parse-nginx-arguments.js";

/** Throws UsageError with every fault; with `--check`, SignalboxError when nginx refuses the result, of which nothing is written then. */
export function runNginxCommand({ options, outPath, isCheckWanted, faults }: NginxCommandLine): number {
  const installed = isCheckWanted || options.nginxVersion === undefined ? findNginx() : undefined;
  const read = readSite(options, installed?.version);
  const allFaults = [...faults, ...(read.kind === "faults" ? read.faults : [])];
  if (read.kind === "faults" || allFaults.length > 0) throw new UsageError(renderFaults(allFaults));
  if (isCheckWanted) checkSite(read.site, installed);
  const text = renderSite(read.site);
  if (outPath === undefined) process.stdout.write(text);
  else write(outPath, text);
  return 0;
}

function renderFaults(faults: readonly string[]): string {
  const count = faults.length === 1 ? "1 fault" : `${faults.length} faults`;
  return `The nginx configuration cannot be written; ${count}:\n${faults.map((fault) => `  - ${fault}`).join("\n")}`;
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (error) {
    throw new UsageError(`--out: the file cannot be written (${describeBriefly(error)})`);
  }
}
