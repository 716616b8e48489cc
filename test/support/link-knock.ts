/** Knocks at a host's link socket by hand, as another region would: goes through the handshake, or as far as it gets. */

import assert from "node:assert/strict";
import { once } from "node:events";
import WebSocket from "ws";
import type { LinkIdentity } from "../../src/protocol/link-handshake.js";
import { DiallerHandshake } from "../../src/router/region-link/handshake.js";
import { createLinkProver } from "../../src/router/region-link/link-prover.js";

/** Who knocks, unless it says otherwise. */
export const stranger: LinkIdentity = { region: "ap", hostKey: "zzzz", incarnation: "0.test" };
const strangerNonce = Buffer.alloc(32, 7);

let strangers = 0;

/** Each from another address: failures of one are limited. */
export async function knock(socketPath: string, address = `10.0.0.${++strangers}`): Promise<WebSocket> {
  const socket = new WebSocket(`ws+unix:${socketPath}:/signalbox/link`, {
    headers: { "x-forwarded-for": address },
    perMessageDeflate: false,
  });
  await once(socket, "open");
  return socket;
}

/**
 * Resolves when both ends have proven that they know the secret, or when the connection is closed.
 * @param self where it is not the stranger  @param spoken takes what is said
 */
export async function shakeHands(
  socketPath: string,
  region: string,
  secret: string,
  self: Partial<LinkIdentity> = {},
  spoken: Buffer[] = [],
): Promise<{ readonly socket: WebSocket; readonly isLinked: boolean; readonly code: number | undefined }> {
  const handshake = new DiallerHandshake({ ...stranger, ...self }, region, strangerNonce, createLinkProver([secret]));
  const socket = await knock(socketPath);
  return await new Promise((resolve) => {
    const say = (bytes: Buffer): void => {
      spoken.push(bytes);
      socket.send(bytes);
    };
    socket.once("close", (code) => resolve({ socket, isLinked: false, code }));
    socket.on("message", function take(data: Buffer) {
      const step = handshake.take(data);
      if (step.type === "say") {
        say(step.bytes);
        return;
      }
      socket.off("message", take);
      if (step.type === "linked") resolve({ socket, isLinked: true, code: undefined });
    });
    say(handshake.begin());
  });
}

/** Resolves when the other end has closed it with this code. */
export async function expectClosed(socket: WebSocket, code: number): Promise<void> {
  const [closedWith, reason] = (await once(socket, "close")) as [number, Buffer];
  assert.equal(closedWith, code, reason.toString());
}
