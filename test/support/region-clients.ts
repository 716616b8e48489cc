/** One client of each host of two regions of two, which say what they hear, and questions that one of them asks of all. */

import { LightSocket } from "./light-socket.js";
import type { RegionFleet } from "./region-fleet.js";

export const hostKeys = ["eu-0", "eu-1", "us-0", "us-1"];
/** Longer than all that a test waits for. */
const clientsLimitMs = 20_000;

/** What came of a question. */
export interface Outcome {
  /** Keys of the hosts that have answered. */
  readonly answers: readonly string[];
  readonly error: string | null;
  readonly tookMs: number;
}

export class RegionClients {
  readonly eu: readonly [LightSocket, LightSocket];
  readonly us: readonly [LightSocket, LightSocket];

  private constructor([eu0, eu1, us0, us1]: readonly LightSocket[]) {
    this.eu = [eu0 as LightSocket, eu1 as LightSocket];
    this.us = [us0 as LightSocket, us1 as LightSocket];
  }

  /** Of test/fixtures/hosts/hosts-app.mjs. */
  static async open(fleet: RegionFleet): Promise<RegionClients> {
    const open = async (key: string): Promise<LightSocket> => {
      const socket = await LightSocket.open(fleet.host(key.slice(0, 2), Number(key.slice(3))));
      socket.acknowledge = () => key;
      return socket;
    };
    return new RegionClients(await Promise.all(hostKeys.map(open)));
  }

  get all(): readonly LightSocket[] {
    return [...this.eu, ...this.us];
  }

  close(): void {
    for (const socket of this.all) socket.close();
  }

  /** Resolves when each client has heard a word that follows on what was sent before; answers all that came until then. */
  async hearAll(from: LightSocket, name: string): Promise<Map<LightSocket, unknown[][]>> {
    const heard = new Map<LightSocket, unknown[][]>();
    const ends = this.all.map(async (socket) => {
      const values: unknown[][] = [];
      heard.set(socket, values);
      await new Promise<void>((resolve) => {
        socket.on("said", (said, ...args) => {
          if (said !== name) return;
          values.push(args);
          if (args[0] === "end") resolve();
        });
      });
    });
    from.emitTo("emit", [], name, "end");
    await Promise.all(ends);
    return heard;
  }

  // Questions of the first client of eu.

  /** All sockets, all clients and all other servers. */
  async askAll(): Promise<Outcome[]> {
    const [asker] = this.eu;
    return await Promise.all([
      asker.call<Outcome>("ask for sockets"),
      asker.call<Outcome>("ask clients", clientsLimitMs),
      asker.call<Outcome>("ask servers", ""),
    ]);
  }

  /** Two questions that us has got when this resolves, and does not answer: one to servers, one to clients. */
  async askInVain(): Promise<{ readonly outcomes: Promise<Outcome>[] }> {
    const [asker] = this.eu;
    const held = await Promise.all(this.us.map(async (socket) => await socket.call<number>("held")));
    const heard = this.us.map(async (socket) => {
      socket.acknowledge = () => undefined;
      await new Promise<void>((resolve) => socket.on("said", (name) => name === "asked" && resolve()));
    });
    const outcomes = [asker.call<Outcome>("ask servers", "us"), asker.call<Outcome>("ask clients", clientsLimitMs)];
    await Promise.all(heard);
    for (const [index, socket] of this.us.entries()) {
      while ((await socket.call<number>("held")) === held[index]) await new Promise(setImmediate);
    }
    return { outcomes };
  }

  /** What us held back is answered now. */
  async answerLate(): Promise<void> {
    for (const [index, socket] of this.us.entries()) socket.acknowledge = () => `us-${index}`;
    await Promise.all(this.us.map(async (socket) => await socket.call("let go")));
  }
}
