/** How the applications and clients of a simulated worker answer requests: soon, later, or never. */

import { type RequestHead, requests, responses } from "../../src/protocol/exchange-frames.js";
import type { ModelAdapter } from "./model-adapter.js";
import type { Message, SocketRecord } from "./records.js";
import type { SeededRandom } from "./seeded-random.js";

export interface AnsweringWorker {
  readonly random: SeededRandom;
  respond(afterMs: number, type: number, socketIds: readonly string[]): void;
  /** This adapter will not have a last word. */
  noteSilent(): void;
  fail(text: string): void;
}

export function answerRequest(
  worker: AnsweringWorker,
  adapter: ModelAdapter,
  head: RequestHead,
  message: Message,
  sockets: readonly SocketRecord[],
): void {
  const { random } = worker;
  const isSilent = head.type !== requests.fetchSockets && random.chance(0.03);
  if (isSilent) worker.noteSilent();
  switch (head.type) {
    case requests.fetchSockets: {
      const ids = sockets.map((socket) => socket.id);
      worker.respond(random.between(0, 0.2), responses.answer, ids);
      break;
    }
    case requests.serverSideEmit: {
      const type = random.chance(0.1) ? responses.failed : responses.answer;
      if (!isSilent) worker.respond(random.between(0, 20), type, []);
      break;
    }
    case requests.broadcast: {
      adapter.deliver(message, sockets);
      let settledAfterMs = 0;
      for (const socket of sockets) {
        const delayMs = random.between(0, 30);
        settledAfterMs = Math.max(settledAfterMs, delayMs);
        worker.respond(delayMs, responses.ack, [socket.id]);
      }
      if (!isSilent) worker.respond(settledAfterMs, responses.settled, []);
      break;
    }
    default:
      worker.fail(`${message} asks for ${head.type}`);
  }
}
