/** Writes the generated parts of README.md from the built schema; `--check` only says whether they are current. */

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const { renderMarkdownTable } = await import("../dist/config/render-config.js");
const { reloadedKeys } = await import("../dist/config/reload-settings.js");
const { exitCodeTable } = await import("../dist/cli/exit-codes.js");

const parts = {
  configuration: renderMarkdownTable().trim(),
  "reloaded-settings": `${reloadedKeys.map((key) => `\`${key}\``).join(", ")}.`,
  "exit-codes": [
    "| Code | Meaning |",
    "|---|---|",
    ...exitCodeTable.map(({ code, meaning }) => `| ${code} | ${meaning} |`),
  ].join("\n"),
};

const path = fileURLToPath(new URL("../README.md", import.meta.url));
const before = readFileSync(path, "utf8");
let after = before;
for (const [name, text] of Object.entries(parts)) {
  const pattern = new RegExp(`(<!-- generated: ${name} [^\\n]*-->\\n)[\\s\\S]*?(<!-- end -->)`);
  if (!pattern.test(after)) throw new Error(`README.md has no place for the generated part "${name}"`);
  after = after.replace(pattern, (_whole, start, end) => `${start}${text}\n${end}`);
}

if (process.argv.includes("--check")) {
  if (after !== before) {
    console.error("README.md is not current. Run: npm run build && node scripts/generate-readme.mjs");
    process.exitCode = 1;
  }
} else if (after !== before) {
  writeFileSync(path, after);
  console.log("README.md: generated parts written");
} else {
  console.log("README.md: generated parts are current");
}
