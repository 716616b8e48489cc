/** A simulated worker's connection to the router: connects, reads, writes and connects again as RouterChannel does. */

import { FrameError } from "../../src/protocol/frame.js";
import type { HostSession } from "../../src/worker/fabric/host-session.js";
import type { Observer } from "./observer.js";
import type { SeededRandom } from "./seeded-random.js";
import type { ConnectionSide, SimulatedConnection } from "./simulated-connection.js";
import type { SimulatedProcess } from "./virtual-time.js";
import type { WorkerSender } from "./worker-sender.js";

/** As in RouterChannel. */
const fastRetryMs = 25;
const slowRetryMs = 500;

export interface ChannelOwner {
  readonly name: string;
  readonly place: string;
  readonly process: SimulatedProcess;
  readonly session: HostSession;
  readonly sender: WorkerSender;
  readonly random: SeededRandom;
  readonly observer: Observer;
  /** Undefined while no router listens. */
  dial(channel: WorkerChannel): SimulatedConnection | undefined;
  /** What goes by this connection from now on may be lost. */
  noteBroken(connection: SimulatedConnection): void;
  noteConnected(): void;
  noteDisconnected(): void;
  /** The session knows of it. */
  noteSessionClosed(): void;
}

export class WorkerChannel implements ConnectionSide {
  readonly #owner: ChannelOwner;
  connection: SimulatedConnection | undefined;
  #isConnected = false;
  #isFlushPlanned = false;
  #writing: Buffer[] | undefined;
  #isSlow = false;

  constructor(owner: ChannelOwner) {
    this.#owner = owner;
  }

  get process(): SimulatedProcess {
    return this.#owner.process;
  }

  connect(): void {
    const owner = this.#owner;
    this.connection = owner.dial(this);
    if (this.connection === undefined) {
      this.process.after(fastRetryMs, () => this.connect());
      return;
    }
    const { connection } = this;
    this.process.after(owner.random.between(0, 1), () => {
      if (this.connection !== connection) return;
      this.#isConnected = true;
      owner.noteConnected();
      owner.session.connected(owner.place);
      connection.openToWorker();
      this.#flush();
    });
  }

  /** The process has been killed. */
  abandon(): void {
    if (this.connection === undefined) return;
    this.connection.endByWorker(true);
    this.#owner.noteBroken(this.connection);
  }

  refuse(shouldReconnectNow: boolean): void {
    this.#isSlow = !shouldReconnectNow;
    this.#destroy();
  }

  read(chunk: Buffer): void {
    const { session, observer, name } = this.#owner;
    try {
      session.received(chunk);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      observer.fail(`the router sent ${name} what is no frame: ${error.message}`);
      this.#destroy();
    }
  }

  #destroy(): void {
    const { connection } = this;
    if (connection === undefined) return;
    connection.endByWorker(false);
    this.#owner.noteBroken(connection);
    this.process.after(0, () => {
      if (this.connection === connection) this.noteClosed();
    });
  }

  noteClosed(): void {
    const { connection } = this;
    if (connection === undefined) return;
    const { observer, name, session } = this.#owner;
    observer.log?.(`${name} notices that its connection is closed`);
    this.#owner.noteBroken(connection);
    this.connection = undefined;
    this.#owner.noteDisconnected();
    // As Node does: a write that cannot end comes back with an error.
    if (this.#writing !== undefined) session.written(this.#writing);
    this.#writing = undefined;
    if (this.#isConnected) {
      this.#isConnected = false;
      session.closed();
      this.#owner.noteSessionClosed();
    }
    this.process.after(this.#isSlow ? slowRetryMs : fastRetryMs, () => this.connect());
    this.#isSlow = false;
  }

  wake(): void {
    if (this.#isFlushPlanned || this.#writing !== undefined) return;
    this.#isFlushPlanned = true;
    this.process.after(this.#owner.random.between(0, 0.05), () => this.#flush());
  }

  #flush(): void {
    this.#isFlushPlanned = false;
    const { connection } = this;
    const {
      session,
      sender: { shadow },
    } = this.#owner;
    if (connection === undefined || !this.#isConnected || this.#writing !== undefined || !session.hasWrites) return;
    const blocks = session.takeWrites();
    // What was lost is told with this: from here on the outbox takes frames again.
    shadow.noteTold();
    if (blocks.length === 0) return;
    shadow.noteTaken(blocks);
    this.#writing = blocks;
    connection.writeToRouter(blocks, () => {
      // At the end of a connection, what was being written was given back.
      if (this.#writing !== blocks) return;
      session.written(blocks);
      this.#writing = undefined;
      if (session.hasWrites) this.#flush();
    });
  }
}
