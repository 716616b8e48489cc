/** A Unix socket between a worker and the router: two byte streams that arrive late, in pieces, and not always to their end. */

import type { SeededRandom } from "./seeded-random.js";
import type { SimulatedProcess } from "./virtual-time.js";

export interface WireSettings {
  /** What the system keeps of a stream that is not read; beyond it, the writer waits. */
  readonly kernelBytes: number;
  /** How long bytes are usually under way, and how long now and then. */
  readonly delayMs: number;
  readonly spikeMs: number;
  readonly spikeChance: number;
}

interface Write {
  readonly blocks: readonly Buffer[];
  index: number;
  at: number;
  readonly onWritten: () => void;
}

/** What a reader may not keep: a view of what it was given shows this afterwards. */
const spentByte = 0xee;

/** One direction: first in, first out; bounded; cut anywhere. */
class Stream {
  readonly #settings: WireSettings;
  readonly #random: SeededRandom;
  readonly #writer: SimulatedProcess;
  readonly #reader: SimulatedProcess;
  readonly #onChunk: (chunk: Buffer) => void;
  readonly #onEnd: () => void;
  readonly #kernel: Buffer;
  #start = 0;
  #end = 0;
  #write: Write | undefined;
  #isOpen = false;
  #isReadPlanned = false;
  #hasEnded = false;
  #isDiscarded = false;

  constructor(
    settings: WireSettings,
    random: SeededRandom,
    writer: SimulatedProcess,
    reader: SimulatedProcess,
    events: { readonly onChunk: (chunk: Buffer) => void; readonly onEnd: () => void },
  ) {
    this.#settings = settings;
    this.#random = random;
    this.#writer = writer;
    this.#reader = reader;
    this.#onChunk = events.onChunk;
    this.#onEnd = events.onEnd;
    this.#kernel = Buffer.allocUnsafe(settings.kernelBytes);
  }

  /** The reader is there. */
  open(): void {
    this.#isOpen = true;
    this.#planRead();
  }

  write(blocks: readonly Buffer[], onWritten: () => void): void {
    if (this.#write !== undefined) throw new Error("a write before the one before was written");
    this.#write = { blocks, index: 0, at: 0, onWritten };
    this.#accept();
  }

  /** The system takes what fits. The blocks are the writer's until it has taken all. */
  #accept(): void {
    const write = this.#write;
    if (write === undefined) return;
    while (write.index < write.blocks.length && !this.#isDiscarded && !this.#hasEnded) {
      const block = write.blocks[write.index] as Buffer;
      const taken = Math.min(block.length - write.at, this.#kernel.length - (this.#end - this.#start));
      if (taken === 0) break;
      if (this.#kernel.length - this.#end < taken) {
        this.#kernel.copyWithin(0, this.#start, this.#end);
        this.#end -= this.#start;
        this.#start = 0;
      }
      block.copy(this.#kernel, this.#end, write.at, write.at + taken);
      this.#end += taken;
      write.at += taken;
      if (write.at < block.length) continue;
      write.index++;
      write.at = 0;
    }
    this.#planRead();
    // What is written after the reader's end is gone; that it has ended comes by the other stream.
    if (write.index < write.blocks.length && !this.#isDiscarded) return;
    this.#write = undefined;
    this.#writer.after(this.#random.between(0, 0.1), write.onWritten);
  }

  #planRead(): void {
    if (!this.#isOpen || this.#isReadPlanned || this.#isDiscarded) return;
    if (this.#end === this.#start && !this.#hasEnded) return;
    this.#isReadPlanned = true;
    const { delayMs, spikeMs, spikeChance } = this.#settings;
    const delay = this.#random.next() < spikeChance ? spikeMs : delayMs;
    this.#reader.after(this.#random.between(0, delay), () => this.#read());
  }

  #read(): void {
    this.#isReadPlanned = false;
    if (this.#isDiscarded) return;
    const waiting = this.#end - this.#start;
    if (waiting === 0) {
      this.#isDiscarded = true;
      this.#onEnd();
      return;
    }
    const count = this.#random.next() < 0.7 ? waiting : this.#random.whole(1, waiting);
    const chunk = Buffer.from(this.#kernel.subarray(this.#start, this.#start + count));
    this.#start += count;
    this.#accept();
    this.#onChunk(chunk);
    chunk.fill(spentByte);
    this.#planRead();
  }

  /** The writer is gone. What the system has of it still arrives: all of it, or some of it when the writer was killed. */
  end(isKilled: boolean): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#write = undefined;
    if (isKilled) this.#end = this.#start + this.#random.whole(0, this.#end - this.#start);
    this.#planRead();
  }

  /** The reader is gone. */
  discard(): void {
    this.#isDiscarded = true;
    this.#start = this.#end;
    this.#accept();
  }
}

/** What one side does with a connection. */
export interface ConnectionSide {
  readonly process: SimulatedProcess;
  read(chunk: Buffer): void;
  /** Once, unless it ended the connection itself. */
  noteClosed(): void;
}

export class SimulatedConnection {
  readonly id: number;
  /** The process that it leads to. */
  readonly router: SimulatedProcess;
  readonly #toRouter: Stream;
  readonly #toWorker: Stream;
  #isWorkerGone = false;
  #isRouterGone = false;
  /** What is written from now on, or was not yet read, may be lost. */
  isBroken = false;

  constructor(
    id: number,
    settings: WireSettings,
    random: SeededRandom,
    sides: { readonly worker: ConnectionSide; readonly router: ConnectionSide },
  ) {
    this.id = id;
    const { worker, router } = sides;
    this.router = router.process;
    this.#toRouter = new Stream(settings, random, worker.process, router.process, {
      onChunk: (chunk) => router.read(chunk),
      onEnd: () => {
        if (this.#isRouterGone) return;
        this.#isRouterGone = true;
        this.#toWorker.end(false);
        router.noteClosed();
      },
    });
    this.#toWorker = new Stream(settings, random, router.process, worker.process, {
      onChunk: (chunk) => worker.read(chunk),
      onEnd: () => {
        if (this.#isWorkerGone) return;
        this.#isWorkerGone = true;
        this.#toRouter.end(false);
        worker.noteClosed();
      },
    });
  }

  openToRouter(): void {
    this.#toRouter.open();
  }

  openToWorker(): void {
    this.#toWorker.open();
  }

  writeToRouter(blocks: readonly Buffer[], onWritten: () => void): void {
    if (!this.#isWorkerGone) this.#toRouter.write(blocks, onWritten);
  }

  writeToWorker(blocks: readonly Buffer[], onWritten: () => void): void {
    if (!this.#isRouterGone) this.#toWorker.write(blocks, onWritten);
  }

  endByWorker(isKilled: boolean): void {
    if (this.#isWorkerGone) return;
    this.#isWorkerGone = true;
    this.#toWorker.discard();
    this.#toRouter.end(isKilled);
  }

  endByRouter(isKilled: boolean): void {
    if (this.#isRouterGone) return;
    this.#isRouterGone = true;
    this.#toRouter.discard();
    this.#toWorker.end(isKilled);
  }

  /** It breaks between two that are alive: each side gets some of what was under way, and then its end. */
  cut(): void {
    this.isBroken = true;
    this.#toRouter.end(true);
    this.#toWorker.end(true);
  }
}
