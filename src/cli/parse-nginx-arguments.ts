/** Takes the command line of `signalbox nginx` apart; what is wrong with it is collected, to be told all together. Pure. */

import { chooseNearestName, renderSuggestion } from "../config/nearest-name.js";
import type { SiteOptions } from "../nginx/read-site.js";
import { type NginxFlag, type NginxFlagName, nginxFlags } from "./nginx-flags.js";
import type { Token } from "./tokenize.js";

export interface NginxCommandLine {
  readonly options: SiteOptions;
  readonly outPath: string | undefined;
  readonly isCheckWanted: boolean;
  readonly faults: readonly string[];
}

/** `tokens` are those of the whole command line, the name of the command among them. */
export function parseNginxArguments(tokens: readonly Token[]): NginxCommandLine {
  const faults: string[] = [];
  /** For each time that a flag was given, the words after it. */
  const given = new Map<string, string[][]>();
  let isCommandSeen = false;
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index];
    if (token?.kind === "positional") {
      if (isCommandSeen) faults.push(`the argument ${JSON.stringify(token.value)} is one too many for nginx`);
      isCommandSeen = true;
    }
    if (token?.kind !== "option") continue;
    const flag = findFlag(token.rawName, faults);
    const words = token.value === undefined ? [] : [token.value];
    for (let next = tokens[index + 1]; words.length < (flag?.values.length ?? 0); next = tokens[index + 1]) {
      if (next?.kind !== "positional") break;
      words.push(next.value);
      index += 1;
    }
    if (flag === undefined) continue;
    if (words.length !== flag.values.length || words.includes("")) {
      // Of one that was guessed it has been said that it is none.
      if (flag.name === token.rawName) faults.push(`the flag ${flag.name} needs ${describeValues(flag)}`);
      continue;
    }
    const times = [...(given.get(flag.name) ?? []), words];
    if (times.length === 2 && !flag.canRepeat) faults.push(`the flag ${flag.name} is given twice`);
    given.set(flag.name, times);
  }
  return { ...collect(given), faults };
}

function collect(given: ReadonlyMap<string, readonly (readonly string[])[]>): Omit<NginxCommandLine, "faults"> {
  const all = (name: NginxFlagName): string[] => (given.get(name) ?? []).flat();
  const one = (name: NginxFlagName): string | undefined => all(name)[0];
  const [certificatePath, keyPath] = all("--tls");
  return {
    options: {
      hosts: all("--host"),
      draining: all("--drain"),
      areAddressesPaths: given.has("--unix"),
      serverNames: all("--server-name"),
      path: one("--path"),
      listen: one("--listen"),
      tls: certificatePath === undefined || keyPath === undefined ? undefined : [certificatePath, keyPath],
      hasLink: given.has("--link"),
      handshakeLimit: one("--handshake-limit"),
      nginxVersion: one("--nginx-version"),
    },
    outPath: one("--out"),
    isCheckWanted: given.has("--check"),
  };
}

/** The flag, or the one that was probably meant, so that its words are not taken for arguments. */
function findFlag(name: string, faults: string[]): NginxFlag | undefined {
  const names = nginxFlags.map((flag) => flag.name);
  const known = nginxFlags.find((flag) => flag.name === name);
  if (known !== undefined) return known;
  faults.push(`${name} is not a flag of nginx${renderSuggestion(name, names)}`);
  const nearest = chooseNearestName(name, names);
  return nginxFlags.find((flag) => flag.name === nearest);
}

function describeValues({ values }: NginxFlag): string {
  if (values.length === 0) return "no value";
  return `${values.length === 1 ? "a value" : `${values.length} values`}: ${values.join(" ")}`;
}
