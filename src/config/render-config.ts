/** The configuration as text: the table of `signalbox check` and that of the README. Pure. */

import { renderColumns } from "./render-columns.js";
import type { ResolvedConfig, SettingOrigin } from "./resolve-config.js";
import { configSettings, type Setting, type SettingKey } from "./schema.js";

const origins: Record<SettingOrigin["source"], (name: string) => string> = {
  flag: (name) => `flag ${name}`,
  environment: (name) => `variable ${name}`,
  file: (name) => `file ${name}`,
  default: () => "default",
};

/** Every setting with its value and the place it came from, in aligned columns; secrets are masked. */
export function renderConfigTable(resolved: ResolvedConfig, settings: readonly Setting[] = configSettings): string {
  const rows = settings.map((setting) => {
    // The keys of the table are those of the configuration: the type of the definitions says so.
    const key = setting.key as SettingKey;
    const origin = resolved.origins[key];
    return [key, renderValue(setting, resolved.config[key]), origins[origin.source](origin.name)];
  });
  return `${renderColumns([["setting", "value", "from"], ...rows])}\n`;
}

/** The settings as a Markdown table for the README. */
export function renderMarkdownTable(settings: readonly Setting[] = configSettings): string {
  const rows = settings.map((setting) => {
    const isUnset = setting.defaultValue === undefined;
    const shown = isUnset ? renderDefault(setting) : `\`${renderDefault(setting)}\``;
    const cells = [
      code(setting.key),
      code(setting.flagName),
      code(setting.environmentName),
      shown,
      setting.description,
    ];
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  });
  const head = ["| Setting | Flag | Environment | Default | Meaning |", "|---|---|---|---|---|"];
  return `${[...head, ...rows].join("\n")}\n`;
}

/** The default as a person would type it, or what happens without one. */
export function renderDefault(setting: Setting): string {
  if (setting.defaultValue !== undefined) return renderValue(setting, setting.defaultValue);
  return setting.whenUnset === undefined ? "unset" : `unset: ${setting.whenUnset}`;
}

function renderValue(setting: Setting, value: unknown): string {
  if (value === undefined) return "unset";
  return setting.secret === true ? "(hidden)" : setting.kind.render(value);
}

function code(text: string): string {
  return `\`${text}\``;
}
