/** The help of the program and of each command, generated from the tables of settings and exit codes. Pure. */

import { renderDefault } from "../config/render-config.js";
import { configSettings, type Setting, settingGroups } from "../config/schema.js";
import { exitCodeTable } from "./exit-codes.js";
import { nginxFlags } from "./nginx-flags.js";
import type { CommandName } from "./parse-arguments.js";
import { systemdFlags } from "./systemd-flags.js";

const columns = 80;

export const commandSummaries: Readonly<Record<CommandName, { usage: string; summary: string; details: string }>> = {
  start: {
    usage: "signalbox start [app] [flags]",
    summary: "run the application on every CPU of this host",
    details:
      "Runs the application in one worker process per CPU until SIGTERM or SIGINT; a second signal, 1 s or more " +
      "after the first, ends it at once. Without an application the built-in demo runs.",
  },
  check: {
    usage: "signalbox check [app] [flags]",
    summary: "show the configuration and what is wrong with it",
    details:
      "Prints every setting with its value and the place it came from, and looks whether the application is there. " +
      "Starts nothing. Takes the flags of start.",
  },
  status: {
    usage: "signalbox status [--json] [flags]",
    summary: "show what the running host is doing",
    details:
      "Asks the running host over its control socket, which is found by the same flags, variables and config file " +
      "that the host was started with. If only one host of this user runs, none are needed.",
  },
  reload: {
    usage: "signalbox reload [flags]",
    summary: "replace the workers of the running host, nobody noticing",
    details:
      "Has the running host read its configuration again and run the application anew, one worker at a time. Shows how far " +
      "it is and ends when all workers are replaced; if a new worker does not become ready, the old ones go on and the exit " +
      "code is 7. The host is found as by status. SIGHUP to the host does the same.",
  },
  nginx: {
    usage: "signalbox nginx --host KEY=ADDRESS ... [flags]",
    summary: "write a configuration for nginx in front of the hosts",
    details:
      "Prints the configuration of a site for nginx, with the reasons for its lines: each request of a session goes to " +
      "the host that its session id names, new sessions go to the hosts in turn, and a host that is down or drains is " +
      "passed over. Takes no settings.",
  },
  systemd: {
    usage: "signalbox systemd --app PATH [flags]",
    summary: "write the units of a service that runs the application",
    details:
      "Prints a service unit, a socket unit and an environment file for systemd, with the reasons for their lines: limits " +
      "that fit the settings, the rights that a host needs and no others. The settings that are given, as flags or variables, " +
      "are those of the service. Installs nothing.",
  },
};

/** Flags that are no settings. */
const ownFlagsByCommand: Readonly<Partial<Record<CommandName, readonly [string, string][]>>> = {
  status: [["--json", "print the status as JSON"]],
  reload: [
    ["--with-variables", "bring the variables of this command to the host in place of its own, as a service unit does"],
  ],
  systemd: systemdFlags.map(({ name, placeholder, meaning }) => [`${name} ${placeholder}`.trimEnd(), meaning]),
};

/** Settings that say where a host's control socket is. */
const addressKeys = ["runtimeDir", "host", "port", "listen"];

/** Help of a command, or of the program; ends with a newline. */
export function renderHelp(command: CommandName | undefined): string {
  return `${(command === undefined ? programHelp() : commandHelp(command)).join("\n\n")}\n`;
}

function programHelp(): string[] {
  const rows = Object.entries(commandSummaries).map(([name, { summary }]): [string, string] => [name, summary]);
  return [
    "Usage: signalbox <command> [flags]",
    "Runs a Socket.IO application on every core of a host.",
    section("Commands", renderDefinitions(rows)),
    section("Flags", renderDefinitions([...generalFlags, ["-v, --version", "print the version"]])),
    "The settings: signalbox start --help",
    renderExitCodes(),
  ];
}

function commandHelp(command: CommandName): string[] {
  const { usage, details } = commandSummaries[command];
  if (command === "nginx") {
    const rows = nginxFlags.map(({ name, values, meaning }): [string, string] => [
      [name, ...values].join(" "),
      meaning,
    ]);
    return [
      `Usage: ${usage}`,
      wrap(details, 0),
      section("Flags", renderEntries([...rows, ...generalFlags])),
      renderExitCodes(),
    ];
  }
  const ownFlags = ownFlagsByCommand[command] ?? [];
  const fileFlags: [string, string][] = [
    ["--config PATH", configMeaning],
    ["--env-file PATH", envFileMeaning],
  ];
  const flags = section("Flags", renderDefinitions([...ownFlags, ...fileFlags, ...generalFlags]));
  const settings =
    command === "status" || command === "reload"
      ? [renderSettings("Settings that find the host (the others are accepted)", findSettings(addressKeys))]
      : settingGroups.map((group) =>
          renderSettings(
            group,
            configSettings.filter((setting) => setting.group === group),
          ),
        );
  return [`Usage: ${usage}`, wrap(details, 0), flags, wrap(namesExplained, 0), ...settings, renderExitCodes()];
}

const generalFlags: [string, string][] = [["-h, --help", "print help; after a command, that of the command"]];
const configMeaning = "JSON file of settings (or SIGNALBOX_CONFIG)";
const envFileMeaning = "file of variables, for settings and the application; those that are set already win";
const namesExplained =
  "A setting comes from its flag, else its variable, else the config file, else its default. The variable of " +
  "--drain-timeout-ms is SIGNALBOX_DRAIN_TIMEOUT_MS, its name in the file drainTimeoutMs, and so on.";

function findSettings(keys: readonly string[]): Setting[] {
  return configSettings.filter((setting) => keys.includes(setting.key));
}

function renderSettings(heading: string, settings: readonly Setting[]): string {
  const rows = settings.map((setting): [string, string] => [
    `${setting.flagName} ${setting.placeholder}`.trimEnd(),
    `${setting.description} [${renderDefault(setting)}]`,
  ]);
  return section(heading, renderEntries(rows));
}

function renderExitCodes(): string {
  return section("Exit codes", renderDefinitions(exitCodeTable.map(({ code, meaning }) => [String(code), meaning])));
}

function section(heading: string, body: string): string {
  return `${heading}:\n${body}`;
}

/** Terms on lines of their own, their meanings below them. */
function renderEntries(rows: readonly (readonly [term: string, meaning: string])[]): string {
  return rows.map(([term, meaning]) => `  ${term}\n${wrap(meaning, 6)}`).join("\n");
}

/** Terms in one column, their meanings wrapped in another. */
function renderDefinitions(rows: readonly (readonly [term: string, meaning: string])[]): string {
  const indent = Math.max(...rows.map(([term]) => term.length)) + 4;
  const renderRow = ([term, meaning]: readonly [string, string]): string =>
    `  ${term}`.padEnd(indent) + wrap(meaning, indent).trimStart();
  return rows.map(renderRow).join("\n");
}

/** Breaks text between words so that no line is longer than the terminal is wide; a longer word stays whole. */
function wrap(text: string, indent: number): string {
  const lines: string[] = [];
  let line = "";
  // The tables are written for Markdown as well; a terminal has no use for its backticks.
  for (const word of text.replaceAll("`", "").split(" ")) {
    if (line !== "" && indent + line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].map((content) => " ".repeat(indent) + content).join("\n");
}
