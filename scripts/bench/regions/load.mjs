// Load of the scenario "regions": what plays a worker of one region sends to a room, and what plays one of another region, or of
// the same host, counts what comes. Beside a link, the same frames go through the yardstick, which does not know what they are.
import { once } from "node:events";
import { connect } from "node:net";
import { frameKinds, lengthBytes } from "../../../dist/protocol/frame.js";
import { FrameSplitter } from "../../../dist/protocol/frame-splitter.js";
import { InterestFrameWriter } from "../../../dist/protocol/interest-frame.js";
import { encodeRegionalFrame } from "../../../dist/protocol/regional-frame.js";
import { encodeRoom } from "../../../dist/protocol/room-key.js";
import { connectAs, encodeBroadcast } from "../router/port-session.mjs";
import { LatencyHistogram } from "../shared/latency-histogram.mjs";
import { makeTexts } from "./payloads.mjs";

const WRITE_BYTES = 65_536; // about what a turn of the event loop gathers at saturation
const MAX_OUTSTANDING_BYTES = 4 * 1_024 * 1_024; // below what a link has on its way at most
const READ_BYTES = 1_048_576;
const INCARNATION = Buffer.from("0.aaaaaaaaaaaa"); // as long as that of a router
const STAMP_DIGITS = 15;
const STAMPED_BYTES = 100;

const sides = new Map();

class Side {
  #sender;
  #room;
  #isPlain;
  #makeFrame;
  #batches;
  #nextBatch = 0;
  #isRunning = false;
  #histogram;
  #delayMs = 0;
  sent = 0;
  received = 0;
  receivedBytes = 0;
  /** Turns of the event loop in which there was nothing to do. */
  idleMs = 0;

  /** Frames of the yardstick are as long as those of a link are on their way. */
  constructor({ side, payload, isPlain }) {
    this.#room = `room-${side}`;
    this.#isPlain = isPlain;
    this.#makeFrame = (text) => {
      const frame = encodeBroadcast(this.#room, text);
      return isPlain ? encodeRegionalFrame(INCARNATION, 1, frame, 0, frame.length) : frame;
    };
    this.#batches = gather(makeTexts(payload).map((text) => this.#makeFrame(text)));
  }

  async connect({ from, to }) {
    const splitter = new FrameSplitter((bytes, start, end) => this.#take(bytes, start, end));
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    const callback = (count) => {
      splitter.push(buffer.subarray(0, count));
      return true;
    };
    await open(to, this.#isPlain, [this.#room], { buffer, callback });
    const onread = { buffer: Buffer.allocUnsafe(READ_BYTES), callback: () => true };
    this.#sender = await open(from, this.#isPlain, [], onread);
  }

  #take(bytes, start, end) {
    const kind = bytes[start + lengthBytes];
    if (kind !== frameKinds.regional && kind !== frameKinds.broadcast) {
      return; // the router's own
    }
    this.received++;
    this.receivedBytes += end - start;
    if (this.#histogram !== undefined) {
      const stampUs = Number(bytes.latin1Slice(end - STAMP_DIGITS, end));
      this.#histogram.record(performance.now() - stampUs / 1_000 - this.#delayMs);
    }
  }

  /** As fast as it goes. */
  startPump() {
    this.#isRunning = true;
    const maxOutstanding = MAX_OUTSTANDING_BYTES / (this.#batches[0].bytes.length / this.#batches[0].count);
    let doneBefore = 0;
    let turnMs = performance.now();
    const pump = () => {
      if (!this.#isRunning) {
        return;
      }
      const nowMs = performance.now();
      if (this.sent + this.received === doneBefore) {
        this.idleMs += nowMs - turnMs;
      }
      doneBefore = this.sent + this.received;
      turnMs = nowMs;
      while (this.sent - this.received < maxOutstanding && this.#sender.writableLength < WRITE_BYTES) {
        const { bytes, count } = this.#batches[this.#nextBatch++ % this.#batches.length];
        this.#sender.write(bytes);
        this.sent += count;
      }
      setImmediate(pump); // awake all the time: waking a sleeping reader would be the servers' cost
    };
    pump();
  }

  /** At equal distances. `isStamped`: each carries when it was sent. */
  startRate(ratePerSecond, isStamped) {
    this.#isRunning = true;
    const startedMs = performance.now();
    const frames = this.#batches.flatMap((batch) => batch.frames);
    let count = 0;
    const send = () => {
      if (!this.#isRunning) {
        return;
      }
      for (; count < ((performance.now() - startedMs) / 1_000) * ratePerSecond; count++) {
        this.#sender.write(isStamped ? this.#makeFrame(renderStamp()) : frames[count % frames.length]);
        this.sent++;
      }
      setTimeout(send, 1);
    };
    send();
  }

  stop() {
    this.#isRunning = false;
  }

  /** What is beyond the delay: of the whole latency, the histogram would show steps of more than a millisecond. */
  startRecording(delayMs) {
    this.#delayMs = delayMs;
    this.#histogram = new LatencyHistogram();
  }

  readLatencies() {
    const histogram = this.#histogram;
    this.#histogram = undefined;
    return {
      addedP50Ms: histogram.percentileMs(0.5),
      addedP99Ms: histogram.percentileMs(0.99),
      count: histogram.total,
    };
  }
}

/** When it was sent, in microseconds; as long as a text message of the message scenarios. */
const renderStamp = () => String(Math.round(performance.now() * 1_000)).padStart(STAMPED_BYTES, "0");

/** All frames in their order, in writes of at least so many bytes. */
function gather(frames) {
  const batches = [];
  let held = [];
  let heldBytes = 0;
  for (let i = 0; i < frames.length || heldBytes > 0; i++) {
    const frame = frames[i % frames.length];
    held.push(frame);
    heldBytes += frame.length;
    if (heldBytes >= WRITE_BYTES) {
      batches.push({ bytes: Buffer.concat(held), count: held.length, frames: held });
      held = [];
      heldBytes = 0;
    }
  }
  return batches;
}

async function open({ socketPath, place }, isPlain, rooms, onread) {
  if (isPlain) {
    const socket = connect({ path: socketPath, onread });
    await once(socket, "connect");
    return socket;
  }
  const writer = new InterestFrameWriter(1, "/");
  for (const room of rooms) {
    writer.add({ room: encodeRoom(room), isJoined: true });
  }
  return await connectAs({ socketPath, place, interest: rooms.length > 0 ? [writer.finish()] : [], onread });
}

const actions = {
  async connect(message) {
    const side = new Side(message);
    sides.set(message.side, side);
    await side.connect(message);
    return { type: "connected" };
  },
  start({ side, ratePerSecond, isStamped }) {
    if (ratePerSecond === undefined) {
      sides.get(side).startPump();
    } else {
      sides.get(side).startRate(ratePerSecond, isStamped);
    }
    return { type: "started" };
  },
  stop({ side }) {
    sides.get(side).stop();
    return { type: "stopped" };
  },
  read({ side }) {
    const { received, receivedBytes, idleMs } = sides.get(side);
    return { type: "counters", atMs: performance.now(), received, receivedBytes, idleMs };
  },
  startRecording({ side, delayMs }) {
    sides.get(side).startRecording(delayMs);
    return { type: "recording" };
  },
  readLatencies({ side }) {
    return { type: "latencies", ...sides.get(side).readLatencies() };
  },
};

process.on("message", async (message) => {
  try {
    process.send(await actions[message.type](message));
  } catch (error) {
    process.send({ type: "failed", reason: error.stack });
  }
});
process.on("disconnect", () => process.exit());
process.on("SIGTERM", () => process.exit());
process.on("SIGINT", () => {}); // Ctrl-C reaches the whole group; the scenario ends its processes itself
