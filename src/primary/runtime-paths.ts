/** Where a host keeps its sockets. Pure: configuration and environment in, paths out. */

import { createHash } from "node:crypto";
import { basename, join } from "node:path";
import type { SignalboxConfig } from "../config/config.js";
import { RuntimeDirError } from "../errors.js";

/** What the paths depend on besides the configuration. */
export interface RuntimeSurroundings {
  readonly environment: { readonly runtimeDirectory: string | undefined; readonly xdgRuntimeDir: string | undefined };
  readonly uid: number;
  readonly tmpDir: string;
  /** The primary's pid, when the caller is the primary: names the host if the system picks its port. */
  readonly pid?: number;
}

export interface RuntimePaths {
  /** Holds a directory for each host of this user. */
  readonly baseDir: string;
  /** Private (0700) directory of this host. */
  readonly instanceDir: string;
  readonly controlSocketPath: string;
  readonly routerSocketPath: string;
}

/** `sun_path` holds 108 bytes with its final zero; Node cuts longer paths in silence. */
export const maxSocketPathBytes = 107;

/** Length that the longest socket name in an instance directory may have: `w255-4194304-2.sock`. */
const longestSocketName = "w255-4194304-2.sock";

/** A name for a listen address that can be part of a path. */
export function nameListenAddress(config: Pick<SignalboxConfig, "host" | "port" | "listen">): string {
  if (config.listen === undefined) return `${config.host}-${config.port}`.replaceAll(/[^A-Za-z0-9._-]/g, "-");
  // Its last part for people; the digest keeps sockets of the same name apart, however long their paths are.
  const digest = createHash("sha256").update(config.listen).digest("base64url").slice(0, 8);
  return `${basename(config.listen)
    .replaceAll(/[^A-Za-z0-9._-]/g, "-")
    .slice(0, 24)}-${digest}`;
}

/**
 * The runtime directory: the setting, else systemd's RUNTIME_DIRECTORY, else XDG_RUNTIME_DIR, else one per user in the
 * temporary directory.
 * @throws RuntimeDirError when a socket path in it would be longer than the system allows.
 */
export function computeRuntimePaths(input: { readonly config: SignalboxConfig } & RuntimeSurroundings): RuntimePaths {
  const { config, environment } = input;
  // systemd may list several directories, separated by colons.
  const systemdDirectory = environment.runtimeDirectory?.split(":")[0];
  const xdgDirectory =
    environment.xdgRuntimeDir === undefined ? undefined : join(environment.xdgRuntimeDir, "signalbox");
  const baseDir = config.runtimeDir ?? systemdDirectory ?? xdgDirectory ?? join(input.tmpDir, `signalbox-${input.uid}`);
  const isPortChosenBySystem = config.listen === undefined && config.port === 0;
  const name = isPortChosenBySystem ? `auto-${input.pid ?? "unknown"}` : nameListenAddress(config);
  const instanceDir = join(baseDir, name);
  const longest = Buffer.byteLength(join(instanceDir, longestSocketName));
  if (longest > maxSocketPathBytes) {
    throw new RuntimeDirError(
      "SIGNALBOX_SOCKET_PATH_TOO_LONG",
      `the runtime directory ${instanceDir} is too long: a Unix socket in it would have a path of ${longest} bytes, ` +
        `and the limit is ${maxSocketPathBytes}. Set SIGNALBOX_RUNTIME_DIR to a shorter directory.`,
    );
  }
  return {
    baseDir,
    instanceDir,
    controlSocketPath: join(instanceDir, "control.sock"),
    routerSocketPath: join(instanceDir, "router.sock"),
  };
}
