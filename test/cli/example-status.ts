/** A host's status for tests. */

import type { HostStatus } from "../../src/protocol/host-status.js";

export const exampleStatus: HostStatus = {
  version: "0.1.0",
  hostKey: "ab12",
  region: "eu",
  pid: 100,
  state: "running",
  uptimeSeconds: 3661,
  listen: { kind: "tcp", host: "127.0.0.1", port: 3000 },
  adminPort: 9464,
  fabric: "stock",
  app: "/srv/app.js",
  workers: [
    { slot: 0, pid: 101, state: "ready", sessions: 12, handedOff: 340, restarts: 0, uptimeSeconds: 3660.2 },
    { slot: 1, pid: null, state: "backoff", sessions: 0, handedOff: 7, restarts: 3, uptimeSeconds: 0 },
  ],
  reload: null,
  router: null,
  bus: null,
  links: null,
  counters: { connections_total: 347, refused_total: 0 },
};
