/** Numbered room messages of some hosts, heard by clients of others, and the judge of them: once, in order, and none missing. */

import assert from "node:assert/strict";
import type { TestHost } from "./host.js";
import { LightSocket } from "./light-socket.js";
import { NumberedAudit } from "./numbered-audit.js";

const roomCount = 8;
const patienceMs = 60_000;

const roomName = (number: number): string => `room-${number % roomCount}`;
const targets = Array.from({ length: roomCount }, (_, number) =>
  [roomName(number), roomName(number + 3)].slice(0, 1 + (number % 2)),
);

interface Listener {
  readonly name: string;
  readonly socket: LightSocket;
  readonly rooms: readonly string[];
  audit: NumberedAudit;
}

export class NumberedLoad {
  readonly #listeners: Listener[] = [];
  readonly #senders: LightSocket[] = [];
  /** A worker counts on from round to round. */
  readonly #lastByRoom: Record<string, number>[] = [];
  #round = 0;

  /** Of test/fixtures/hosts/hosts-app.mjs. */
  static async open(senders: readonly TestHost[], hearers: readonly TestHost[]): Promise<NumberedLoad> {
    const load = new NumberedLoad();
    for (const host of senders) load.#senders.push(await LightSocket.open(host));
    for (const [index, host] of hearers.entries()) {
      for (let count = 0; count < 2; count++) {
        const socket = await LightSocket.open(host);
        const rooms = [0, 3, 4].map((step) => roomName(index + count + step));
        const listener: Listener = {
          name: `client ${count} of host ${index}`,
          socket,
          rooms,
          audit: new NumberedAudit(),
        };
        socket.on("said", (name, sender, ...rest) => {
          if (name === "n") listener.audit.take(String(sender), ...(rest as [number, string[], number[]]));
        });
        await socket.call("join", rooms);
        load.#listeners.push(listener);
      }
    }
    return load;
  }

  /** Sends for so long; rejects when something comes twice, out of order, or not at all. Answers how much was heard. */
  async run(perSecond: number, ms: number): Promise<number> {
    const round = ++this.#round;
    for (const listener of this.#listeners) {
      listener.audit = new NumberedAudit();
      for (const room of listener.rooms) listener.audit.enter(room);
    }
    const messages = Math.round((perSecond * ms) / 1_000 / this.#senders.length);
    const totals = await Promise.all(
      this.#senders.map(async (socket, index) => {
        const sender = `sender ${index}, round ${round}`;
        const order = { sender, messages, perSecond: perSecond / this.#senders.length, targets };
        return { sender, countByRoom: await socket.call<Record<string, number>>("number", order) };
      }),
    );
    for (const listener of this.#listeners) {
      for (const { sender, countByRoom } of totals) {
        for (const room of listener.rooms) await reach(listener, room, sender, countByRoom[room] ?? 0);
      }
    }
    let heard = 0;
    for (const { audit, rooms, name, socket } of this.#listeners) {
      for (const [index, { sender, countByRoom }] of totals.entries()) {
        for (const room of rooms)
          audit.expect(room, sender, this.#lastByRoom[index]?.[room] ?? 0, countByRoom[room] ?? 0);
      }
      assert.deepEqual(audit.faults, [], name);
      assert.equal(socket.isClosed, false, `${name} was sent away`);
      heard += audit.heard;
    }
    for (const [index, { countByRoom }] of totals.entries()) this.#lastByRoom[index] = countByRoom;
    return heard;
  }

  close(): void {
    for (const socket of [...this.#senders, ...this.#listeners.map((listener) => listener.socket)]) socket.close();
  }
}

async function reach({ audit, name }: Listener, room: string, sender: string, number: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    const explain = (): void => {
      const last = audit.lastOf(room, sender);
      reject(new Error(`${name} has ${last} of ${number} of ${sender} in ${room}: ${audit.faults.join("; ")}`));
    };
    timer = setTimeout(explain, patienceMs);
  });
  await Promise.race([audit.reach(room, sender, number), late]).finally(() => clearTimeout(timer));
}
