// The clients of one side: connects them, puts them in their rooms, and keeps messages under way at a limit or a rate.
import { LatencyHistogram } from "../shared/latency-histogram.mjs";
import { createRandom } from "../shared/random.mjs";
import { Connection } from "./connection.mjs";
import { DeliveryTracker } from "./delivery-tracker.mjs";
import { WORKLOADS } from "./workloads.mjs";

export const SEED = 20_261; // the same rooms and receivers for every side
const CONNECTING_AT_ONCE = 20;
const CONNECT_TIMEOUT_MS = 30_000;
const LOST_AFTER_MS = 5_000;
const SWEEP_INTERVAL_MS = 500;
const RATE_BACKLOG = 50_000; // deliveries: a side that cannot follow the rate is not buried

export class ClientGroup {
  #clients = [];
  #tracker;
  #histogram = new LatencyHistogram();
  #sendOne;
  #limit;
  #isRunning = false;
  #hasRead = false; // since the last turn
  #lastTurnMs = 0;
  #whenDrained;
  #sweep;
  #onFailure;
  #ratePerMs; // undefined: as many as the limit allows
  #rateStartMs = 0;
  #rateSent = 0;
  #recordFromMs = 0;
  counters = { skipped: 0, idleMs: 0 };

  /** `ports`: one per worker, clients in turn on each. */
  async connect({ workload: name, ports, clientCount, outstanding }, onFailure) {
    const workload = WORKLOADS[name];
    const random = createRandom(SEED);
    const places = workload.place(clientCount, random);
    this.#limit = outstanding;
    this.#onFailure = onFailure;
    this.#tracker = new DeliveryTracker({
      maxReceivers: Math.max(...places.map(({ receivers }) => receivers)),
      histogram: this.#histogram,
    });
    const connectOne = async (i) => {
      this.#clients[i] = await this.#connectClient(places[i], ports[i % ports.length], workload.sequenceStart);
    };
    const rest = Array.from({ length: clientCount }, (_, i) => i);
    const connectRest = async () => {
      for (let i = rest.shift(); i !== undefined; i = rest.shift()) {
        await connectOne(i);
      }
    };
    const timer = setTimeout(() => onFailure(new Error("the clients do not get connected")), CONNECT_TIMEOUT_MS);
    await Promise.all(Array.from({ length: CONNECTING_AT_ONCE }, connectRest));
    clearTimeout(timer);
    this.#sendOne = workload.createSender(this.#clients, random);
  }

  #connectClient(place, port, sequenceStart) {
    const client = { ...place, socketId: "", post: undefined };
    const tracker = this.#tracker;
    return new Promise((resolve) => {
      const connection = new Connection(port, sequenceStart, {
        onConnected: async (socketId) => {
          client.socketId = socketId;
          if (place.room !== undefined) {
            await connection.request("enter", place.room);
          }
          resolve(client);
        },
        onMessage: (sequence) => {
          this.#hasRead = true;
          tracker.deliver(sequence, place.target, place.place, performance.now());
        },
        onClose: (error) => this.#onFailure(error ?? new Error("a client's connection was closed")),
      });
      client.post = (template, sequence) => {
        const frame = Buffer.allocUnsafe(template.size);
        template.write(frame, 0, sequence);
        connection.send(frame);
      };
    });
  }

  /** Closed loop: a new message is sent only while fewer deliveries are outstanding than the limit. */
  startAtLimit() {
    this.#start(undefined);
  }

  /** Open loop: messages are due at equal distances; latency counts from the moment one was due. */
  startAtRate(ratePerSecond) {
    this.#rateStartMs = performance.now();
    this.#rateSent = 0;
    this.#start(ratePerSecond / 1_000);
  }

  #start(ratePerMs) {
    this.#ratePerMs = ratePerMs;
    this.#isRunning = true;
    this.#lastTurnMs = performance.now();
    this.#sweep = setInterval(() => this.#tracker.releaseLost(performance.now(), LOST_AFTER_MS), SWEEP_INTERVAL_MS);
    setImmediate(this.#takeTurn);
  }

  /**
   * Once per turn of the event loop, after all that it had to read. It never waits for the kernel to wake it: over loopback
   * the sender pays for waking the receiver, which would charge the servers with what no client on another machine costs
   * them. For rates, it sends on time.
   */
  #takeTurn = () => {
    const nowMs = performance.now();
    if (!this.#hasRead) {
      this.counters.idleMs += nowMs - this.#lastTurnMs;
    }
    this.#hasRead = false;
    this.#lastTurnMs = nowMs;
    if (!this.#isRunning && this.#tracker.outstanding === 0) {
      clearInterval(this.#sweep);
      this.#whenDrained();
      return;
    }
    if (this.#isRunning && this.#ratePerMs === undefined) {
      while (this.#tracker.outstanding < this.#limit) {
        this.#sendOne(this.#tracker, nowMs);
      }
    } else if (this.#isRunning) {
      this.#sendDue(nowMs);
    }
    setImmediate(this.#takeTurn);
  };

  #sendDue(nowMs) {
    const due = Math.floor((nowMs - this.#rateStartMs) * this.#ratePerMs);
    for (; this.#rateSent < due; this.#rateSent++) {
      if (this.#tracker.outstanding >= RATE_BACKLOG) {
        this.counters.skipped++;
      } else {
        this.#sendOne(this.#tracker, this.#rateStartMs + (this.#rateSent + 1) / this.#ratePerMs);
      }
    }
  }

  /** Resolves when nothing is under way any more: all delivered or given up. */
  async stop() {
    await new Promise((resolve) => {
      this.#whenDrained = resolve;
      this.#isRunning = false;
    });
  }

  /** Messages sent from now until `endRecording` are recorded. */
  startRecording() {
    this.#histogram.clear();
    this.#recordFromMs = performance.now();
    this.#tracker.recordBetween(this.#recordFromMs, Number.POSITIVE_INFINITY);
  }

  endRecording() {
    this.#tracker.recordBetween(this.#recordFromMs, performance.now());
  }

  /** To be read after `stop`, when what was sent has arrived. */
  readLatencies() {
    const share = (percent) => this.#histogram.percentileMs(percent / 100);
    return { p50Ms: share(50), p99Ms: share(99), count: this.#histogram.total };
  }

  readCounters() {
    return { ...this.#tracker.counters, ...this.counters, outstanding: this.#tracker.outstanding };
  }
}
