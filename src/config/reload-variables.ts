/** The variables that a reload brings to a host, whose own cannot change from outside: which they are, and what they change. Pure. */

/** Variables by name; undefined: there is none of that name. */
export type Variables = Readonly<Record<string, string | undefined>>;

/** The kernel's limit for all variables of a process is a quarter of its stack: 2 MiB, if nobody has raised it (execve(2)). */
export const maxVariablesBytes = 4 * 1024 * 1024;

/**
 * What systemd makes for each process that it starts, a reload command among them (systemd.exec(5), systemd.service(5)), and
 * Node for each child that it forks (child_process, cluster).
 */
const processVariables = [
  ...["MAINPID", "JOURNAL_STREAM", "SYSTEMD_EXEC_PID", "INVOCATION_ID"],
  ...["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC"],
  ...["NODE_CHANNEL_FD", "NODE_CHANNEL_SERIALIZATION_MODE", "NODE_UNIQUE_ID"],
];

/** @param text JSON @returns undefined when it is something else */
export function parseVariables(text: string): Variables | undefined {
  try {
    const given: unknown = JSON.parse(text);
    if (typeof given !== "object" || given === null || Array.isArray(given)) return undefined;
    return Object.values(given).every((value) => typeof value === "string") ? { ...given } : undefined;
  } catch {
    return undefined;
  }
}

/** The variables of this process as they would be, had it been started with the given ones. */
export function replaceVariables(own: Variables, given: Variables): Variables {
  const keep = (variables: Variables, isKept: (name: string) => boolean): Variables =>
    Object.fromEntries(Object.entries(variables).filter(([name]) => isKept(name)));
  return {
    ...keep(own, (name) => processVariables.includes(name)),
    ...keep(given, (name) => !processVariables.includes(name)),
  };
}

/** What a child needs besides the own variables in order to have the others. */
export function findChangedVariables(own: Variables, others: Variables): Variables {
  const names = [...new Set([...Object.keys(own), ...Object.keys(others)])];
  return Object.fromEntries(names.filter((name) => own[name] !== others[name]).map((name) => [name, others[name]]));
}
