/** Frames one behind the other in blocks of memory, so that many small ones leave in one write. Pure. */

/** What one write to a socket takes well; a longer frame gets a block of its own. */
export const blockBytes = 64 * 1024;
/** Blocks kept for the next turn. */
const maxSpareBlocks = 4;

interface Block {
  readonly bytes: Buffer;
  used: number;
  frames: number;
  volatileFrames: number;
}

const noBytes = Buffer.alloc(0);

export class FrameQueue {
  #blocks: Block[] = [];
  readonly #spare: Buffer[];
  #bytes = 0;
  #frames = 0;
  #volatileFrames = 0;
  /** Where `reserve` made room. */
  target: Buffer = noBytes;
  at = 0;

  /** @param spare blocks to be used again: queues of one owner may share them */
  constructor(spare: Buffer[] = []) {
    this.#spare = spare;
  }

  get queuedBytes(): number {
    return this.#bytes;
  }

  get queuedFrames(): number {
    return this.#frames;
  }

  /** Those of the queued frames that may be lost. */
  get queuedVolatileFrames(): number {
    return this.#volatileFrames;
  }

  /** Makes room for a frame: the caller writes it to `target` from `at` on, before anything else happens here. */
  reserve(frameBytes: number, isVolatile = false): void {
    let block = this.#blocks[this.#blocks.length - 1];
    if (block === undefined || block.bytes.length - block.used < frameBytes) {
      block = { bytes: this.#findBlock(frameBytes), used: 0, frames: 0, volatileFrames: 0 };
      this.#blocks.push(block);
    }
    this.target = block.bytes;
    this.at = block.used;
    block.used += frameBytes;
    block.frames++;
    this.#bytes += frameBytes;
    this.#frames++;
    if (!isVolatile) return;
    block.volatileFrames++;
    this.#volatileFrames++;
  }

  #findBlock(frameBytes: number): Buffer {
    if (frameBytes > blockBytes) return Buffer.allocUnsafeSlow(frameBytes);
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(blockBytes);
  }

  push(bytes: Uint8Array, start: number, end: number, isVolatile = false): void {
    this.reserve(end - start, isVolatile);
    // A view costs more than copying what a small frame holds.
    if (bytes instanceof Buffer) bytes.copy(this.target, this.at, start, end);
    else this.target.set(bytes.subarray(start, end), this.at);
  }

  /** Takes whole blocks, about `maxBytes` of them but at least one, into `into`; answers how many bytes. */
  take(maxBytes: number, into: Buffer[]): number {
    let taken = 0;
    let count = 0;
    for (const block of this.#blocks) {
      if (taken > 0 && taken + block.used > maxBytes) break;
      into.push(block.used === block.bytes.length ? block.bytes : block.bytes.subarray(0, block.used));
      taken += block.used;
      this.#frames -= block.frames;
      this.#volatileFrames -= block.volatileFrames;
      count++;
    }
    // A large frame's block must not stay for as long as nothing else is sent.
    this.target = noBytes;
    this.#blocks = count === this.#blocks.length ? [] : this.#blocks.slice(count);
    this.#bytes -= taken;
    return taken;
  }

  /** Gives back a block whose bytes have been written. */
  release(written: Buffer): void {
    if (this.#spare.length >= maxSpareBlocks || written.buffer.byteLength !== blockBytes) return;
    this.#spare.push(Buffer.from(written.buffer));
  }

  /** Throws everything away; answers how many frames that were. */
  clear(): number {
    const frames = this.#frames;
    this.#blocks = [];
    this.#bytes = 0;
    this.#frames = 0;
    this.#volatileFrames = 0;
    this.target = noBytes;
    return frames;
  }
}
