/** All files of a service. Pure. */

import { renderEnvironment } from "./render-environment.js";
import { renderService } from "./render-service.js";
import { renderSocket } from "./render-socket.js";
import { nameFiles, type UnitPlan } from "./unit-plan.js";

export interface UnitFile {
  /** Where it is to be. */
  readonly path: string;
  readonly text: string;
}

export interface UnitFiles {
  readonly service: UnitFile;
  readonly socket: UnitFile;
  /** For a template: that of an instance named example. */
  readonly environment: UnitFile;
}

export function renderFiles(plan: UnitPlan): UnitFiles {
  const paths = nameFiles(plan);
  return {
    service: { path: paths.service, text: renderService(plan) },
    socket: { path: paths.socket, text: renderSocket(plan) },
    environment: { path: paths.environment.replace("%i", "example"), text: renderEnvironment(plan) },
  };
}
