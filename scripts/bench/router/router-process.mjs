// Starts the real router process, as a primary does.
import { fileURLToPath } from "node:url";
import { ask } from "../shared/ask.mjs";
import { startPinned } from "../shared/processes.mjs";

/** `more`: parts of its init other than those of a host that is alone. */
export async function startRouter({ name = "router", core, socketPath, hostKey, more = {} }) {
  const main = fileURLToPath(new URL("../../../dist/router/router-main.js", import.meta.url));
  const router = startPinned({ name, core, args: [main], ipc: true });
  await new Promise((resolve) => router.child.once("message", resolve)); // its hello
  const init = {
    type: "router:init",
    socketPath,
    hostKey,
    log: null,
    maxOutboxBytes: 32 * 1_024 * 1_024,
    maxRoomsPerWorker: 200_000,
    expectedPlaces: [],
    isDirectoryOwn: false,
    bus: null,
    links: null,
    ...more,
  };
  await ask(router, init, "router:ready");
  return router;
}
