/** Takes a command line apart; what is wrong with it is collected, not thrown, so that all of it can be shown. Pure. */

import { chooseNearestName, renderSuggestion } from "../config/nearest-name.js";
import { configSettings } from "../config/schema.js";
import { type NginxCommandLine, parseNginxArguments } from "./parse-nginx-arguments.js";
import { type SystemdFlag, type SystemdFlagName, systemdFlags } from "./systemd-flags.js";
import { type Token, tokenize } from "./tokenize.js";

export const commandNames = ["start", "check", "status", "reload", "nginx", "systemd"] as const;
export type CommandName = (typeof commandNames)[number];

/** A command that takes the settings of a host. */
export interface CommandLine {
  readonly command: Exclude<CommandName, "nginx" | "systemd">;
  /** Text by flag as typed, dashes included; a bare flag is "true". Unknown flags are here as well. */
  readonly flags: Readonly<Record<string, string>>;
  readonly configPath: string | undefined;
  readonly envPath: string | undefined;
  readonly json: boolean;
  /** A reload brings its own variables to the host. */
  readonly withVariables: boolean;
  /** To be reported together with the faults of the settings. */
  readonly faults: readonly string[];
}

/** Besides the settings of a host it has flags of its own. */
export interface SystemdCommandLine extends Pick<CommandLine, "flags" | "configPath" | "envPath" | "faults"> {
  /** Text by flag, dashes included; a bare flag is "true". */
  readonly options: Readonly<Partial<Record<SystemdFlagName, string>>>;
}

export type ParsedArguments =
  | { readonly kind: "help"; readonly command: CommandName | undefined }
  | { readonly kind: "version" }
  | { readonly kind: "no-command"; readonly fault: string | undefined }
  | ({ readonly kind: "command" } & CommandLine)
  | ({ readonly kind: "nginx-command" } & NginxCommandLine)
  | ({ readonly kind: "systemd-command" } & SystemdCommandLine);

const switches = new Set(configSettings.filter((setting) => setting.kind.isSwitch).map((setting) => setting.flagName));
const valueFlags = [
  "--config",
  "--env-file",
  ...configSettings.map((setting) => setting.flagName).filter((name) => !switches.has(name)),
  ...systemdFlags.filter(({ placeholder }: SystemdFlag) => placeholder !== "").map(({ name }) => name),
];

/** Parses what follows `signalbox`. `--help` and `--version` win over every fault. */
export function parseArguments(argv: readonly string[]): ParsedArguments {
  const flags: Record<string, string> = {};
  const faults: string[] = [];
  const positionals: string[] = [];

  const tokens = tokenize(argv);
  for (let index = 0; index < tokens.length; index++) {
    const token = tokens[index];
    if (token?.kind === "positional") positionals.push(token.value);
    if (token?.kind !== "option") continue;
    const next = tokens[index + 1];
    if (token.value !== undefined || !takesValue(token.rawName)) {
      flags[token.rawName] = token.value ?? "true";
    } else if (next?.kind === "positional") {
      flags[token.rawName] = next.value;
      index += 1;
    } else if (valueFlags.includes(token.rawName)) {
      faults.push(`the flag ${token.rawName} needs a value`);
    } else {
      flags[token.rawName] = "true";
    }
  }

  const [given, ...operands] = positionals;
  const command = commandNames.find((name) => name === given);
  if (tokens.some((token) => isOption(token, "help"))) return { kind: "help", command };
  if (tokens.some((token) => isOption(token, "version"))) return { kind: "version" };
  if (command === undefined) return { kind: "no-command", fault: describeMissingCommand(given) };
  // Its flags are no settings: it speaks of hosts that need not be here.
  if (command === "nginx") return { kind: "nginx-command", ...parseNginxArguments(tokens) };

  const app = command === "status" || command === "reload" ? undefined : operands.shift();
  if (app !== undefined && flags["--app"] !== undefined) {
    faults.push(`the application is given twice, as ${app} and as --app ${flags["--app"]}; keep one of them`);
  } else if (app !== undefined) {
    flags["--app"] = app;
  }
  faults.push(...operands.map((operand) => `the argument ${JSON.stringify(operand)} is one too many for ${command}`));

  const takeSwitch = (name: string, owner: CommandName): boolean => {
    if (command !== owner || flags[name] === undefined) return false;
    delete flags[name];
    return true;
  };
  const json = takeSwitch("--json", "status");
  const withVariables = takeSwitch("--with-variables", "reload");
  const [configPath, envPath] = ["--config", "--env-file"].map((name) => {
    const path = flags[name];
    delete flags[name];
    if (path === "") faults.push(`the flag ${name} needs a value`);
    return path || undefined;
  });
  if (command === "systemd") {
    const options = takeSystemdOptions(flags, faults);
    return { kind: "systemd-command", options, flags, configPath, envPath, faults };
  }
  return { kind: "command", command, flags, configPath, envPath, json, withVariables, faults };
}

/** Moves them out of the flags that are settings. */
function takeSystemdOptions(flags: Record<string, string>, faults: string[]): SystemdCommandLine["options"] {
  const options: Partial<Record<SystemdFlagName, string>> = {};
  for (const { name } of systemdFlags) {
    const value = flags[name];
    delete flags[name];
    if (value === "") faults.push(`the flag ${name} needs a value`);
    else if (value !== undefined) options[name] = value;
  }
  return options;
}

/** An unknown flag takes the next word if the flag that was probably meant does; else that word would be a second fault. */
function takesValue(rawName: string): boolean {
  if (valueFlags.includes(rawName)) return true;
  const nearest = chooseNearestName(rawName, [
    ...valueFlags,
    ...switches,
    "--json",
    "--with-variables",
    "--help",
    "--version",
  ]);
  return nearest !== undefined && valueFlags.includes(nearest);
}

function isOption(token: Token, name: string): boolean {
  return token.kind === "option" && token.name === name;
}

function describeMissingCommand(given: string | undefined): string | undefined {
  if (given === undefined) return undefined;
  const suggestion = renderSuggestion(given, commandNames);
  return `${JSON.stringify(given)} is not a command${suggestion}\nCommands: ${commandNames.join(", ")}. See signalbox --help.`;
}
