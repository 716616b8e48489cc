/**
 * What must be in an outbox, kept beside it: which messages wait, which were given up, how many frames that are. Told from
 * outside what is put in and what comes out, it finds what the outbox loses, keeps too long or counts wrongly.
 */

import type { Outbox, PushResult } from "../../src/routing/outbox.js";
import { readTag, walkFrames } from "./tagged-frames.js";

interface Entry {
  readonly id: number;
  readonly isVolatile: boolean;
}

export interface ShadowEvents {
  fail(text: string): void;
  onQueued(id: number): void;
  /** A message was given up: with the others of a full outbox, or with the whole outbox. */
  onGivenUp(id: number): void;
  /** A message was taken to be written. */
  onTaken(id: number): void;
}

export class OutboxShadow {
  readonly #events: ShadowEvents;
  readonly #isUrgent: (kind: number) => boolean;
  #entries: Entry[] = [];
  /** Frames given up whose receiver has not been told. */
  untold = 0;
  lostTotal = 0;
  /** Frames that waited when the whole outbox was given up. */
  abandoned = 0;

  constructor(urgentKinds: readonly number[], events: ShadowEvents) {
    this.#events = events;
    this.#isUrgent = (kind) => urgentKinds.includes(kind);
  }

  get waiting(): number {
    return this.#entries.length;
  }

  /** Answers how many frames are lost by this. */
  notePush(id: number, isVolatile: boolean, result: PushResult): number {
    if (result === "queued") {
      this.#entries.push({ id, isVolatile });
      this.#events.onQueued(id);
      return 0;
    }
    if (result === "dropped") {
      if (!isVolatile) this.#events.fail(`message ${id} was dropped, and is not volatile`);
      return 0;
    }
    const lost = this.#giveUp() + 1;
    this.#events.onGivenUp(id);
    this.untold += lost;
    this.lostTotal += lost;
    return lost;
  }

  #giveUp(): number {
    const entries = this.#entries;
    this.#entries = [];
    let lost = 0;
    for (const { id, isVolatile } of entries) {
      this.#events.onGivenUp(id);
      if (!isVolatile) lost++;
    }
    return lost;
  }

  noteTaken(blocks: readonly Buffer[]): void {
    walkFrames(blocks, (kind, bytes, start) => {
      if (this.#isUrgent(kind)) return;
      const entry = this.#entries.shift();
      const id = readTag(bytes, start);
      if (entry?.id !== id)
        this.#events.fail(`message ${id} (a frame of kind ${kind}) was written, and ${entry?.id} is the next`);
      this.#events.onTaken(id);
    });
  }

  /** Answers how many frames the receiver has to be told of. */
  noteTold(): number {
    const { untold } = this;
    this.untold = 0;
    return untold;
  }

  /** Answers how many frames are given up by this, or were before without a word. */
  noteAbandoned(): number {
    this.abandoned = this.#giveUp();
    const all = this.abandoned + this.untold;
    this.untold = 0;
    return all;
  }
}

/** Puts a shadow beside an outbox that the simulation can reach. */
export function watchOutbox(outbox: Outbox, shadow: OutboxShadow, maxBytes: number, events: ShadowEvents): void {
  const push = outbox.push.bind(outbox);
  const take = outbox.take.bind(outbox);
  const tellLoss = outbox.tellLoss.bind(outbox);
  const abandon = outbox.abandon.bind(outbox);
  outbox.push = (bytes, start, end, isVolatile) => {
    const result = push(bytes, start, end, isVolatile);
    shadow.notePush(readTag(bytes, start), isVolatile, result);
    const waiting = outbox.queuedBytes - outbox.urgentBytes;
    // A single frame may be longer: its own limit is another.
    if (waiting > maxBytes && shadow.waiting > 1) events.fail(`${waiting} bytes wait in an outbox of ${maxBytes}`);
    if (outbox.urgentBytes > maxUrgentBytes) events.fail(`${outbox.urgentBytes} urgent bytes wait in an outbox`);
    return result;
  };
  outbox.take = (bytes) => {
    const blocks = take(bytes);
    shadow.noteTaken(blocks);
    return blocks;
  };
  outbox.tellLoss = () => {
    const frames = tellLoss();
    const expected = shadow.noteTold();
    if (frames !== expected) events.fail(`a worker is told of ${frames} lost frames, and ${expected} were lost`);
    return frames;
  };
  outbox.abandon = () => {
    const frames = abandon();
    const expected = shadow.noteAbandoned();
    if (frames !== expected)
      events.fail(`${frames} frames were given up with a port, and ${expected} waited or were lost`);
    return frames;
  };
}

/** What overtakes is small and rare; more than this is a queue that grows. */
const maxUrgentBytes = 16 * 1024;
