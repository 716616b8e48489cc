#!/usr/bin/env node
/** The program: arguments to command to exit code. The only place that ends the process, apart from the workers. */

import { readFileSync } from "node:fs";
import { readRuntimeEnvironment } from "../config/load-config.js";
import { describeThrown, SignalboxError } from "../errors.js";
import { isJournal, journalPriority, prefixPriority } from "../journal.js";
import { chooseExitCode, exitCodes } from "./exit-codes.js";
import { type CommandLine, parseArguments } from "./parse-arguments.js";
import { renderHelp } from "./render-help.js";

/** Runs the command line and returns the exit code; whatever a command throws passes through. */
async function run(argv: readonly string[]): Promise<number> {
  const parsed = parseArguments(argv);
  switch (parsed.kind) {
    case "help":
      process.stdout.write(renderHelp(parsed.command));
      return exitCodes.ok;
    case "version":
      process.stdout.write(`${readVersion()}\n`);
      return exitCodes.ok;
    case "no-command":
      process.stderr.write(parsed.fault === undefined ? renderHelp(undefined) : `signalbox: ${parsed.fault}\n`);
      return exitCodes.usage;
    case "command":
      return await runCommand(parsed);
    case "nginx-command":
      return (await import("./nginx-command.js")).runNginxCommand(parsed);
    case "systemd-command":
      return (await import("./systemd-command.js")).runSystemdCommand(parsed);
  }
}

/** Each command is loaded when it is asked for, so that `--help` does not wait for the rest of the program. */
async function runCommand(line: CommandLine): Promise<number> {
  switch (line.command) {
    case "start":
      return await (await import("./start-command.js")).runStartCommand(line);
    case "check":
      return (await import("./check-command.js")).runCheckCommand(line);
    case "status":
      return await (await import("./status-command.js")).runStatusCommand(line);
    case "reload":
      return await (await import("./reload-command.js")).runReloadCommand(line);
  }
}

function readVersion(): string {
  const manifest: { version: string } = JSON.parse(
    readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
  );
  return manifest.version;
}

/** Prints the error, with its stack only if it is a fault of Signalbox itself, and returns its exit code. */
function reportError(error: unknown): number {
  const isExpected = error instanceof SignalboxError;
  const text = `signalbox: ${isExpected ? error.message : describeThrown(error)}\n`;
  const isRead = isJournal(2, readRuntimeEnvironment().journalStream);
  process.stderr.write(isRead ? prefixPriority(text, journalPriority.error) : text);
  return chooseExitCode(isExpected ? error.code : undefined);
}

// `signalbox start --help | head` closes the pipe early, which is no fault.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
});

// Output to files, pipes and terminals is synchronous on Unix: nothing printed is lost by exiting at once.
process.exit(await run(process.argv.slice(2)).catch(reportError));
