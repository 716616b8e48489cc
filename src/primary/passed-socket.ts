/** Finds out where a socket that systemd made and passed is listening. */

import { fstatSync, readFileSync } from "node:fs";
import type { Server } from "node:net";

type PassedAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string; readonly mode: number };

/** Address of a server that listens on a passed descriptor; Node knows it for TCP only. */
export function readPassedAddress(server: Server, fd: number): PassedAddress {
  const bound = server.address();
  if (typeof bound === "object" && bound !== null) return { kind: "tcp", host: bound.address, port: bound.port };
  return { kind: "unix", path: findUnixPath(fd) ?? `descriptor ${fd}`, mode: 0 };
}

/** Whether that descriptor is a Unix socket's. */
export function isUnixSocket(fd: number): boolean {
  return findUnixPath(fd) !== undefined;
}

/** From the kernel's table of Unix sockets, proc_pid_net(5): the inode and the path end the line. */
function findUnixPath(fd: number): string | undefined {
  const { ino } = fstatSync(fd, { bigint: true });
  const line = readFileSync("/proc/net/unix", "utf8")
    .split("\n")
    .find((entry) => entry.split(/ +/)[6] === String(ino));
  return line?.split(/ +/).slice(7).join(" ") || undefined;
}
