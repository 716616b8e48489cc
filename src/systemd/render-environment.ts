/** Writes the environment file: the settings of a service, for a person to change. Pure. */

import { nameFiles, type UnitPlan } from "./unit-plan.js";
import { renderVariable } from "./unit-syntax.js";

/** The text of the environment file; ends with a newline. */
export function renderEnvironment(plan: UnitPlan): string {
  const path = nameFiles(plan).environment;
  return `# Settings of Signalbox, one a line (${path}). \`signalbox start --help\` has them all, \`signalbox check\` finds faults.
# After a change: systemctl reload, which says if one needs a restart. Of these, the units hold copies: the public address (the socket unit), startTimeoutMs,
# drainTimeoutMs and reloadTimeoutMs (the limits of the service unit). After a change of one, write them anew: \`signalbox systemd\`.
# It may hold passwords: keep it to root (0600); systemd reads it before it becomes the service's user.

${plan.variables.map(([name, value]) => `${renderVariable(name, value)}\n`).join("")}`;
}
