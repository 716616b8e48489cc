/** Writes the units in systemd/, those of a standard installation, from the built generator; `--check` only says whether they are current. */

import fs from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const { configSettings } = await import("../dist/config/schema.js");
const { readPlan } = await import("../dist/systemd/read-plan.js");
const { renderFiles } = await import("../dist/systemd/unit-files.js");

const directory = fileURLToPath(new URL("../systemd", import.meta.url));
const defaults = Object.fromEntries(configSettings.map(({ key, defaultValue }) => [key, defaultValue]));
/** As install.mjs puts it on a machine; with 16 CPUs the limits fit smaller ones as well. */
const installation = {
  nodePath: "/usr/bin/node",
  cliPath: "/opt/signalbox/dist/cli/main.js",
  appDirectory: "/srv/app",
  linkTarget: undefined,
  neededPaths: [],
};

const plans = [
  readPlan({ isTemplate: false }, { ...defaults, app: "/srv/app/app.js" }, installation, new Map()),
  readPlan({ isTemplate: true }, defaults, installation, new Map([["SIGNALBOX_WORKERS", "2"]])),
];
const isCheck = process.argv.includes("--check");
for (const { plan } of plans) {
  const { service, socket, environment } = renderFiles(plan);
  for (const { path: place, text } of [service, socket, environment]) {
    const file = path.join(directory, path.basename(place));
    const isCurrent = fs.existsSync(file) && fs.readFileSync(file, "utf8") === text;
    if (isCurrent) continue;
    if (isCheck) {
      console.error(
        `systemd/${path.basename(place)} is not current. Run: npm run build && node scripts/generate-units.mjs`,
      );
      process.exitCode = 1;
    } else {
      fs.writeFileSync(file, text);
      console.log(`systemd/${path.basename(place)}: written`);
    }
  }
}
