// Entry of `npm run bench -- <scenario>`: finds the scenario and runs it; measures nothing itself.
import { UsageError } from "./shared/options.mjs";
import { stopAll } from "./shared/processes.mjs";

const DEFAULT_SCENARIO = "messages";
const SCENARIOS = {
  messages: {
    file: "./messages/scenario.mjs",
    summary: "messages per second and core: routed, stock, in-memory (the default, 8 minutes)",
  },
  hosts: {
    file: "./hosts/scenario.mjs",
    summary: "messages per second and core through several hosts and Redis, against @socket.io/redis-adapter",
  },
  regions: { file: "./regions/scenario.mjs", summary: "one link between two regions, against plain ws" },
  router: { file: "./router/scenario.mjs", summary: "frames per second and core of the router alone" },
  rooms: { file: "./rooms/scenario.mjs", summary: "a million rooms announced by one host to another" },
  accept: { file: "./accept/scenario.mjs", summary: "connections accepted per second and core, against stock" },
};

function showHelp() {
  console.log("Usage: npm run bench -- [scenario] [options]\n\nScenarios:");
  for (const [name, { summary }] of Object.entries(SCENARIOS)) {
    console.log(`  ${name.padEnd(10)}${summary}`);
  }
  console.log(
    "\nOptions of a scenario: npm run bench -- <scenario> --help\nLoad goes to 127.0.0.1 only. Servers run on core 0, the load on core 1.",
  );
}

let isInterrupted = false;
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, () => {
    isInterrupted = true;
    void stopAll().finally(() => process.exit(130));
  });
}

async function runScenario(name, args) {
  try {
    const { run } = await import(SCENARIOS[name].file);
    process.exitCode = await run(args);
  } catch (error) {
    if (isInterrupted) {
      return; // the processes end because we end them
    }
    console.error(error instanceof UsageError ? error.message : error);
    process.exitCode = error instanceof UsageError ? 2 : 1;
  } finally {
    await stopAll();
  }
}

const [first, ...rest] = process.argv.slice(2);
if (first === "--help" || first === "-h") {
  showHelp();
} else if (first === undefined || first.startsWith("-")) {
  await runScenario(DEFAULT_SCENARIO, process.argv.slice(2));
} else if (Object.hasOwn(SCENARIOS, first)) {
  await runScenario(first, rest);
} else {
  console.error(`There is no scenario "${first}", only ${Object.keys(SCENARIOS).join(", ")}`);
  process.exitCode = 2;
}
