/** Says which options of a Socket.IO server have no effect across workers, once for each server. */

import type { Server } from "socket.io";

const warned = new WeakSet<object>();

interface ServerOptionsFace {
  readonly opts?: { readonly connectionStateRecovery?: unknown; readonly transports?: unknown };
}

export function warnAboutUnsupportedOptions(server: Server, warn: (message: string) => void): void {
  if (warned.has(server)) return;
  warned.add(server);
  const { opts } = server as unknown as ServerOptionsFace;
  if (opts?.connectionStateRecovery !== undefined) {
    warn(
      "connectionStateRecovery has no effect: messages are not kept for clients that are away. " +
        "Take the option out, and let clients ask for what they missed when they come back.",
    );
  }
  if (Array.isArray(opts?.transports) && opts.transports.includes("webtransport")) {
    warn('the transport "webtransport" runs over HTTP/3, which is not served here. Use ["polling", "websocket"].');
  }
}
