/** Writes the service unit, with the reason for each of its lines. Pure. */

import { nameFiles, type UnitPlan } from "./unit-plan.js";
import { escapeSpecifiers, quoteArgument, quoteWord } from "./unit-syntax.js";

/** How often the host gives a sign of life is its own affair: at half of it. */
const watchdogSeconds = 30;

/** The text of the service unit; ends with a newline. */
export function renderService(plan: UnitPlan): string {
  const files = nameFiles(plan);
  const unit = plan.isTemplate ? `${plan.name}-%i` : plan.name;
  const socketUnit = files.socket.slice(files.socket.lastIndexOf("/") + 1).replace("@.", "@%i.");
  const command = `${quoteWord(plan.nodePath)} ${quoteArgument(plan.cliPath)}`;
  return `# Signalbox as a service${plan.isTemplate ? `, one for each application: ${plan.name}@NAME` : ""}. Written by \`signalbox systemd\`; settings are in
# ${files.environment}. What is to be otherwise belongs into a drop-in (systemctl edit).

[Unit]
Description=Signalbox, Socket.IO on every core${plan.isTemplate ? " (%i)" : ""}
# The socket is systemd's own and outlives the service: while that starts anew, connections wait instead of being refused.
# To end the service for good, stop the socket: that ends both.
Requires=${socketUnit}
After=network-online.target ${socketUnit}
Wants=network-online.target

[Service]
# The host says itself when it is ready, what it does (systemctl status) and when it stops. It does so through systemd-notify,
# a child of its own, which is why others than the main process may speak.
Type=notify
NotifyAccess=all
ExecStart=${command} start
# systemd reads the environment file for this command anew, and the host gets the variables from it.
ExecReload=${command} reload --with-variables
WorkingDirectory=${plan.workingDirectory}
Environment=NODE_ENV=production
${renderTemplateVariables(plan)}EnvironmentFile=${plan.isTemplate ? "-" : ""}${files.environment}
SyslogIdentifier=${unit}

# For a start, and for a reload: the longer of startTimeoutMs and reloadTimeoutMs, and some more.
TimeoutStartSec=${plan.limits.startSeconds}
# drainTimeoutMs, and what it takes to end the rest. Only the primary gets SIGTERM: it drains the workers. What is left is killed.
TimeoutStopSec=${plan.limits.stopSeconds}
KillMode=mixed
# A host that is ready gives a sign of life while the primary runs and the router is there or about to be (its restarts wait up to
# restartBackoffMaxMs: three times that, and 5 s). SIGABRT, and soon after it SIGKILL.
WatchdogSec=${watchdogSeconds}
TimeoutAbortSec=5
# The host replaces single workers itself; this is for the end of the whole. Exit code 2 is a wrong configuration: starting again
# would not make it right.
Restart=on-failure
RestartSec=1
RestartPreventExitStatus=2
# A worker that the kernel ends for want of memory is replaced like any other: the rest goes on.
OOMPolicy=continue
# One descriptor for each connection, in the primary for a moment and in its worker for good, and some more.
LimitNOFILE=65536

# The control socket and the workers' sockets (/run/${unit}), and a place for the application's files (/var/lib/${unit},
# STATE_DIRECTORY): with what follows, all that the service can write.
RuntimeDirectory=${unit}
StateDirectory=${unit}
UMask=0077
${renderUser(plan, unit)}ProtectSystem=strict
${renderHome(plan)}PrivateTmp=yes
PrivateDevices=yes
RemoveIPC=yes

# No way to more rights than it has, which are none: systemd itself opens ports below 1024.
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
PrivateUsers=yes
RestrictSUIDSGID=yes
RestrictNamespaces=yes

# Nothing of the machine is its business: no setting of the kernel, the clock, the host's name, other users' processes.
ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
ProtectProc=invisible
LockPersonality=yes
RestrictRealtime=yes
KeyringMode=private

# Clients, Redis and the workers; netlink for os.networkInterfaces().
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
# What services need; Node does without what is refused.
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
SystemCallArchitectures=native

# Left open, with the reason:
# - MemoryDenyWriteExecute=: V8 compiles JavaScript to machine code in memory that it then runs.
# - ProcSubset=pid: os.cpus() would be empty, and applications divide by its length.
# - PrivateNetwork=, IPAddressDeny=: serving the network is the job, and which addresses that means is known here only
#   (IPAddressAllow= in a drop-in, if it is few).
# - RootDirectory=: Node, Signalbox and the application are where they are.

[Install]
WantedBy=multi-user.target
Also=${socketUnit.replace("@%i.", "@.")}
`;
}

/** Instances must not share an address, an admin port, an application. */
function renderTemplateVariables(plan: UnitPlan): string {
  if (!plan.isTemplate) return "";
  return `# For each instance; ${nameFiles(plan).environment} may say otherwise. The admin port is one that the system picks: it is in the journal.
Environment=SIGNALBOX_APP=${plan.workingDirectory}/app.js
Environment=SIGNALBOX_LISTEN=${plan.socket.stream} SIGNALBOX_ADMIN_PORT=0
`;
}

function renderUser({ user }: UnitPlan, unit: string): string {
  if (user !== undefined) return `User=${escapeSpecifiers(user)}\n`;
  return `# A user for as long as the service runs. It owns nothing beside these directories: the application has to be readable by all.
DynamicUser=yes
User=${unit}
`;
}

function renderHome({ homePaths }: UnitPlan): string {
  if (homePaths.length === 0) return "ProtectHome=yes\n";
  return `# Of the home directories it sees what it runs, and nothing else. Another place, such as /srv, would be simpler.
ProtectHome=tmpfs
${homePaths.map((path) => `BindReadOnlyPaths=${quoteWord(path)}\n`).join("")}`;
}
