/** Decides what of a configuration that was read again a running host takes over. Pure. */

import type { SignalboxConfig } from "./config.js";
import { configSettings, type SettingKey } from "./schema.js";

/** Settings that new workers, the next decision of the primary, or the router heeds; all others are built into what runs already. */
export const reloadedKeys = [
  "app",
  "workers",
  "startTimeoutMs",
  "drainTimeoutMs",
  "reloadTimeoutMs",
  "requestTimeoutMs",
  "keepAliveTimeoutMs",
  "maxWorkerRssBytes",
  "maxWorkerAgeMs",
  "hangTimeoutMs",
  "restartBackoffMinMs",
  "restartBackoffMaxMs",
  "maxRestarts",
  "linkSecrets",
] as const satisfies readonly SettingKey[];

const isReloaded = new Set<SettingKey>(reloadedKeys);

export interface ReloadedConfig {
  /** What the host is to run with: the new values where a reload can bring them, else those it runs with. */
  readonly config: SignalboxConfig;
  /** Settings whose new value needs a restart of the host; names only, as a value may be a secret. */
  readonly restartNeeded: readonly SettingKey[];
}

/**
 * Whether a reload can bring this change. The first secrets come with links, and go with them: those are built into the router.
 */
function canBring(key: SettingKey, running: SignalboxConfig, read: SignalboxConfig): boolean {
  if (key === "linkSecrets") return (running.linkSecrets === undefined) === (read.linkSecrets === undefined);
  return isReloaded.has(key);
}

/** @param running what the host runs with */
export function takeReloaded(running: SignalboxConfig, read: SignalboxConfig): ReloadedConfig {
  const brought = reloadedKeys.filter((key) => canBring(key, running, read));
  const taken = Object.fromEntries(brought.map((key) => [key, read[key]])) as Partial<SignalboxConfig>;
  const restartNeeded = configSettings
    .map(({ key }) => key as SettingKey)
    .filter((key) => !canBring(key, running, read) && JSON.stringify(running[key]) !== JSON.stringify(read[key]));
  return { config: { ...running, ...taken }, restartNeeded };
}
