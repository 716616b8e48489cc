/** Writes the socket unit. Pure. */

import type { UnitPlan } from "./unit-plan.js";

/** The text of the socket unit; ends with a newline. */
export function renderSocket({ name, isTemplate, socket }: UnitPlan): string {
  return `# The public address of ${isTemplate ? `${name}@NAME` : `${name}.service`}. Written by \`signalbox systemd\`.

[Unit]
Description=Signalbox, public address${isTemplate ? " (%i)" : ""}

[Socket]
# The same as in the settings, by which the host is named.
ListenStream=${socket.stream}
${renderFile(socket)}# Connections that wait while the service starts anew; the kernel's own limit (net.core.somaxconn) holds as well.
Backlog=4096

[Install]
WantedBy=sockets.target
`;
}

function renderFile({ file }: UnitPlan["socket"]): string {
  if (file === undefined) return "";
  const group = file.group === undefined ? "" : `SocketGroup=${file.group}\n`;
  const reason =
    (file.mode & 0o006) === 0o006 ? "# Any user of this machine may connect, as to a port on 127.0.0.1.\n" : "";
  return `${reason}SocketMode=0${file.mode.toString(8)}\n${group}`;
}
