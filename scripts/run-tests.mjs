/**
 * Runs the test files with Node's runner and proves that each listed file was run: unit files in groups, then those that
 * start processes, two at a time or, at full size, one. `--unit`, `--full`, and words that a file's path must contain.
 */

import fs from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { finished } from "node:stream/promises";
import { run } from "node:test";
import { spec } from "node:test/reporters";
import { fileURLToPath, pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Folders of test/ whose files start processes, browsers or compilers: they are kept apart from the unit tests. */
const processFolders = ["cluster", "contract", "browser", "packed", "bench", "tooling"];

/** Node bounds a file as a whole, not a test; within a file the tests bound themselves. */
const fileTimeoutMs = {
  unit: { normal: 120_000, full: 900_000 },
  process: { normal: 600_000, full: 1_800_000 },
};
const slowestShown = 10;
/** Tests with processes wait much of their time; at their full sizes they load the machine by themselves. */
const processConcurrency = { normal: 2, full: 1 };

/** The closing lines of Node's runner, in its order. */
const totalNames = ["tests", "suites", "pass", "fail", "cancelled", "skipped", "todo"];

const usage = `npm test -- [options] [words]

  --unit    only the tests that start no process
  --full    the long variants of the tests as well (TEST_SIZE=full)
  words     only files whose path contains one of them, for example: npm test -- restart
`;

async function main() {
  const options = parseOptions();
  if (options === undefined) return 2;
  if (!process.execArgv.includes("tsx")) {
    process.stderr.write("The tests are TypeScript: node --import tsx scripts/run-tests.mjs (or npm test)\n");
    return 2;
  }
  prepareEnvironment(options.size);
  const { unit, process: processFiles } = listFiles(options);
  const listed = [...unit, ...processFiles];
  if (listed.length === 0) {
    process.stderr.write(`No test file matches${options.words.map((word) => ` "${word}"`).join(" or")}.\n`);
    return 1;
  }

  const startedMs = performance.now();
  const tally = makeTally(listed);
  const reporter = new spec();
  reporter.pipe(process.stdout);
  const stop = stopOnSignal();
  const groups = writeUnitGroups(unit);
  const phases = [
    { files: groups.files, concurrency: availableParallelism(), timeout: fileTimeoutMs.unit[options.size] },
    {
      files: processFiles,
      concurrency: processConcurrency[options.size],
      timeout: fileTimeoutMs.process[options.size],
    },
  ];
  for (const phase of phases) {
    if (phase.files.length > 0 && !stop.signal.aborted) await runPhase(phase, stop.signal, tally, reporter);
  }
  groups.remove();
  const seconds = (performance.now() - startedMs) / 1000;
  reportFiles(reporter, tally, listed.length);
  for (const name of totalNames) report(reporter, `${name} ${tally.totals[name]}`);
  report(reporter, `duration_ms ${seconds * 1000}`);
  reporter.end();
  await finished(reporter);

  return judge(tally, listed, stop.signal);
}

function parseOptions() {
  try {
    const { values, positionals } = parseArgs({
      options: { unit: { type: "boolean" }, full: { type: "boolean" }, help: { type: "boolean", short: "h" } },
      allowPositionals: true,
    });
    if (values.help) {
      process.stdout.write(usage);
      return undefined;
    }
    return { isUnitOnly: values.unit === true, size: values.full ? "full" : "normal", words: positionals };
  } catch (error) {
    process.stderr.write(`${error.message}\n\n${usage}`);
    return undefined;
  }
}

/** The tests see the same settings whatever the caller's shell holds; they start the CLI with their own. */
function prepareEnvironment(size) {
  for (const name of Object.keys(process.env)) if (name.startsWith("SIGNALBOX_")) delete process.env[name];
  process.env.TEST_SIZE = size;
}

function listFiles({ isUnitOnly, words }) {
  const files = fs
    .readdirSync(path.join(root, "test"), { recursive: true })
    .map((file) => path.join("test", file))
    .filter((file) => file.endsWith(".test.ts") && !file.includes("fixtures"))
    .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
    .sort();
  const isProcessFile = (file) => processFolders.includes(file.split(path.sep)[1]);
  const toPath = (file) => path.join(root, file);
  return {
    unit: files.filter((file) => !isProcessFile(file)).map(toPath),
    process: isUnitOnly ? [] : files.filter(isProcessFile).map(toPath),
  };
}

/**
 * Modules that import a group of unit files each, every one as a suite: to start Node and tsx for each file would take longer
 * than the tests. A file that cannot be loaded is a failed suite, and the others of its group run.
 */
function writeUnitGroups(files) {
  const directory = fs.mkdtempSync(path.join(tmpdir(), "signalbox-unit-"));
  const groups = Array.from({ length: Math.min(files.length, availableParallelism()) }, () => []);
  for (const [index, file] of files.entries()) groups[index % groups.length].push(file);
  const groupFiles = groups.map((group, index) => {
    const suites = group.map((file) => {
      const url = JSON.stringify(pathToFileURL(file).href);
      return `describe(${JSON.stringify(path.relative(root, file))}, async () => await import(${url}));\n`;
    });
    const groupFile = path.join(directory, `unit-files-${index + 1}-of-${groups.length}.mjs`);
    fs.writeFileSync(groupFile, `import { describe } from "node:test";\n${suites.join("")}`);
    return groupFile;
  });
  return { files: groupFiles, remove: () => fs.rmSync(directory, { recursive: true, force: true }) };
}

function makeTally(listed) {
  return {
    totals: Object.fromEntries(totalNames.map((name) => [name, 0])),
    listed: new Set(listed),
    durationMsByFile: new Map(),
    filesWithTests: new Set(),
  };
}

/** Hands the runner's events on to the one reporter, except its totals, which are added up over the phases. */
async function runPhase({ files, concurrency, timeout }, signal, tally, reporter) {
  for await (const event of run({ files, concurrency, timeout, signal })) {
    if (event.type === "test:complete") noteComplete(tally, event.data);
    if (isTotal(event)) addTotal(tally, event.data.message);
    else if (event.type !== "test:summary") await write(reporter, event);
  }
}

/** The runner reports a file like a test that is named by its path; in a group it is a suite of that name. */
function noteComplete({ listed, durationMsByFile, filesWithTests }, { name, file, nesting, details }) {
  const listedFile = path.resolve(root, name);
  if (nesting === 0 && listed.has(listedFile)) durationMsByFile.set(listedFile, details.duration_ms);
  else filesWithTests.add(file);
}

function isTotal({ type, data }) {
  return (
    type === "test:diagnostic" &&
    data.nesting === 0 &&
    /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+$/.test(data.message)
  );
}

function addTotal(tally, message) {
  const [name, count] = message.split(" ");
  if (name in tally.totals) tally.totals[name] += Number(count);
}

/** A line of its own in the reporter's hand. */
function report(reporter, message) {
  reporter.write({ type: "test:diagnostic", data: { nesting: 0, message } });
}

function write(reporter, event) {
  if (reporter.write(event)) return undefined;
  return new Promise((resolve) => reporter.once("drain", resolve));
}

function stopOnSignal() {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(name, () => controller.abort());
  return controller;
}

function reportFiles(reporter, { durationMsByFile }, listedCount) {
  const slowest = [...durationMsByFile].sort((a, b) => b[1] - a[1]).slice(0, slowestShown);
  for (const [file, durationMs] of slowest) {
    report(reporter, `slow file ${(durationMs / 1000).toFixed(1).padStart(6)} s  ${path.relative(root, file)}`);
  }
  report(reporter, `files ${durationMsByFile.size} of ${listedCount} run`);
}

/** Exit code: a file that was not run, or ran no test, is a failure although Node's runner is content. */
function judge(tally, listed, signal) {
  const faults = [];
  for (const file of listed) {
    const name = path.relative(root, file);
    if (!tally.durationMsByFile.has(file)) faults.push(`${name} was listed but not run.`);
    else if (!tally.filesWithTests.has(file)) faults.push(`${name} ran no test.`);
  }
  if (signal.aborted) faults.push("The run was interrupted.");
  if (tally.totals.tests === 0) faults.push("No test was run.");
  for (const fault of faults) process.stderr.write(`${fault}\n`);
  const hasFailed = faults.length > 0 || tally.totals.fail > 0 || tally.totals.cancelled > 0;
  return hasFailed ? 1 : 0;
}

process.exitCode = await main();
