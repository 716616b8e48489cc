/**
 * Notices a Redis that has stopped answering: a connection that only listens would wait for minutes on a machine that
 * was switched off. It reconnects, which the connection's own events then tell of.
 */

import type { Redis } from "ioredis";

/** Two of these without an answer are the longest that a silent Redis goes unnoticed. */
const heartbeatIntervalMs = 3_000;

/** Does not keep the process. */
export function startHeartbeat(client: Redis): void {
  let isAnswerDue = false;
  client.on("ready", () => {
    isAnswerDue = false;
  });
  setInterval(() => {
    if (client.status !== "ready") return;
    if (isAnswerDue) {
      client.disconnect(true);
      return;
    }
    isAnswerDue = true;
    // A refusal is an answer; a lost connection is told by its own events.
    const noteAnswer = (): void => {
      isAnswerDue = false;
    };
    client.ping().then(noteAnswer, noteAnswer);
  }, heartbeatIntervalMs).unref();
}
