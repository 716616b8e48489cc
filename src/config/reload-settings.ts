/** Decides what of a configuration that was read again a running host takes over. Pure. */

import type { SignalboxConfig } from "./config.js";
import { configSettings, type SettingKey } from "./schema.js";

/** Settings that new workers, or the next decision of the primary, heed; all others are built into what runs already. */
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
] as const satisfies readonly SettingKey[];

export interface ReloadedConfig {
  /** What the host is to run with: the new values where a reload can bring them, else those it runs with. */
  readonly config: SignalboxConfig;
  /** Settings whose new value needs a restart of the host; names only, as a value may be a secret. */
  readonly restartNeeded: readonly SettingKey[];
}

/** @param running what the host runs with */
export function takeReloaded(running: SignalboxConfig, read: SignalboxConfig): ReloadedConfig {
  const taken = Object.fromEntries(reloadedKeys.map((key) => [key, read[key]])) as Pick<
    SignalboxConfig,
    (typeof reloadedKeys)[number]
  >;
  const isReloaded = new Set<string>(reloadedKeys);
  const restartNeeded = configSettings
    .map(({ key }) => key as SettingKey)
    .filter((key) => !isReloaded.has(key) && JSON.stringify(running[key]) !== JSON.stringify(read[key]));
  return { config: { ...running, ...taken }, restartNeeded };
}
