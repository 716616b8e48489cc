/** What clients have heard from servers, and waiting for it. */

import { pause } from "../host.js";
import type { LightSocket } from "../light-socket.js";

const patienceMs = 15_000;

export class Heard {
  readonly texts: unknown[] = [];

  constructor(client: LightSocket) {
    client.on("said", (_event, text) => this.texts.push(text));
  }

  count(text: string): number {
    return this.texts.filter((each) => each === text).length;
  }
}

/** Resolves when each has heard the text; `say` is repeated, since a shard's subscription may come after the join. */
export async function sayUntilHeard(
  listeners: readonly Heard[],
  text: string,
  say: () => Promise<unknown>,
): Promise<void> {
  const deadlineMs = performance.now() + patienceMs;
  while (listeners.some((heard) => heard.count(text) === 0)) {
    if (performance.now() > deadlineMs) {
      throw new Error(`"${text}" was heard by ${listeners.map((heard) => heard.count(text)).join(", ")}`);
    }
    await say();
    await pause(20);
  }
}

/** Resolves when each has heard the text, which is said by somebody else once. */
export async function waitUntilHeard(listeners: readonly Heard[], text: string): Promise<void> {
  await sayUntilHeard(listeners, text, async () => {});
}
