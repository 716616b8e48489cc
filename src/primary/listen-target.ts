/** Decides what the host listens on: the address of its settings, or the socket that systemd has passed. */

import type { SignalboxConfig } from "../config/config.js";
import type { ListenAddress, ListenTarget } from "./listener.js";
import { isUnixSocket } from "./passed-socket.js";

export interface Listening {
  /** Of the settings; with a passed socket it only names the host. */
  readonly address: ListenAddress;
  readonly target: ListenTarget;
  readonly hasUnixPeers: boolean;
}

/** @param passedFd descriptor of the passed socket, if there is one */
export function chooseListenTarget(
  { listen, listenMode, host, port }: Pick<SignalboxConfig, "listen" | "listenMode" | "host" | "port">,
  passedFd: number | undefined,
): Listening {
  const address: ListenAddress =
    listen === undefined ? { kind: "tcp", host, port } : { kind: "unix", path: listen, mode: listenMode };
  if (passedFd === undefined) return { address, target: address, hasUnixPeers: address.kind === "unix" };
  return { address, target: { kind: "passed", fd: passedFd }, hasUnixPeers: isUnixSocket(passedFd) };
}
