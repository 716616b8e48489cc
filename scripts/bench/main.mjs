// Entry of `npm run bench -- <scenario>`: finds the scenario and runs it; measures nothing itself.
import { stopAll } from "./shared/processes.mjs";

const SCENARIOS = {
  accept: { file: "./accept/scenario.mjs", summary: "connections accepted per second and core, against stock" },
};

function showHelp() {
  console.log("Usage: npm run bench -- <scenario> [options]\n\nScenarios:");
  for (const [name, { summary }] of Object.entries(SCENARIOS)) {
    console.log(`  ${name.padEnd(10)}${summary}`);
  }
  console.log(
    "\nOptions of a scenario: npm run bench -- <scenario> --help\nLoad goes to 127.0.0.1 only. Servers run on core 0, the load on core 1.",
  );
}

for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    void stopAll().finally(() => process.exit(130));
  });
}

const [name, ...args] = process.argv.slice(2);
if (name === undefined || name === "--help" || name === "-h") {
  showHelp();
} else if (!Object.hasOwn(SCENARIOS, name)) {
  console.error(`Unknown scenario "${name}".`);
  showHelp();
  process.exitCode = 2;
} else {
  try {
    const { run } = await import(SCENARIOS[name].file);
    process.exitCode = await run(args);
  } catch (error) {
    console.error(error);
    process.exitCode = 1;
  } finally {
    await stopAll();
  }
}
