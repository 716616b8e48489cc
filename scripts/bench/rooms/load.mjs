// Load of the scenario "rooms": a worker that announces rooms, or (another process) workers that measure how long a message
// takes meanwhile, within each host and from one to the other.

import { frameKinds, lengthBytes } from "../../../dist/protocol/frame.js";
import { FrameSplitter } from "../../../dist/protocol/frame-splitter.js";
import { InterestFrameWriter } from "../../../dist/protocol/interest-frame.js";
import { encodeRoom } from "../../../dist/protocol/room-key.js";
import { encodeRouterToWorker } from "../../../dist/protocol/worker-port-frames.js";
import { connectAs, encodeBroadcast } from "../router/port-session.mjs";

const PING_EVERY_MS = 2;
const DIGITS = 12;
const MARK = "to a room that was announced";
const INTEREST_TAKEN = encodeRouterToWorker({ type: "interest-taken", sequence: 0 });

/** Calls back with each frame. */
function readFrames(take) {
  const splitter = new FrameSplitter(take);
  const buffer = Buffer.allocUnsafe(262_144);
  return {
    buffer,
    callback: (count) => {
      splitter.push(buffer.subarray(0, count));
      return true;
    },
  };
}

const readTaken = (bytes, start) => bytes.readUIntBE(start + INTEREST_TAKEN.length - 6, 6);

function* encodeInterest(names, firstSequence) {
  let sequence = firstSequence;
  let writer;
  for (const name of names) {
    writer ??= new InterestFrameWriter(sequence++, "/");
    writer.add({ room: encodeRoom(name), isJoined: true });
    if (writer.isFull) {
      yield writer.finish();
      writer = undefined;
    }
  }
  if (writer !== undefined) {
    yield writer.finish();
  }
}

function* nameRooms(count) {
  for (let i = 0; i < count; i++) {
    yield `room-${i}`;
  }
}

let announcer;
let frames = [];
let whenTaken = () => {};
let arrivals = 0; // broadcasts to a room of the announcer's

/** Encoded before it counts: the announcing worker is not what is measured. */
async function prepare({ socketPath, place, rooms }) {
  frames = [...encodeInterest(nameRooms(rooms), 1)];
  const onread = readFrames((bytes, start, end) => {
    const kind = bytes[start + lengthBytes];
    if (kind === frameKinds.broadcast && bytes.latin1Slice(end - MARK.length, end) === MARK) {
      arrivals++; // of a flooded host, pings come as well
    } else if (kind === frameKinds.interestTaken) {
      if (readTaken(bytes, start) >= frames.length) {
        whenTaken();
      }
    }
  });
  announcer = await connectAs({ socketPath, place, onread });
  return { type: "prepared", bytes: frames.reduce((sum, { length }) => sum + length, 0) };
}

/** Resolves when the routers say that no message to these rooms can be missed any more. */
async function announce() {
  const startedMs = performance.now();
  await new Promise((resolve) => {
    whenTaken = resolve;
    for (const frame of frames) {
      announcer.write(frame);
    }
  });
  return { type: "announced", ms: performance.now() - startedMs };
}

const paths = [];

/** `paths`: `{ name, from, to }`, both `{ socketPath, place }`. */
async function beginPings({ paths: wanted }) {
  for (const { name, from, to } of wanted) {
    const path = { name, sentMs: new Map(), longestMs: 0, count: 0, next: 0, sender: undefined, room: `ping ${name}` };
    path.sender = await connectAs({ ...from, onread: readFrames(() => {}) });
    await new Promise((resolve) => {
      const onread = readFrames((bytes, start, end) => {
        const kind = bytes[start + lengthBytes];
        if (kind === frameKinds.interestTaken && readTaken(bytes, start) === 1) {
          resolve();
        } else if (kind === frameKinds.broadcast) {
          takePing(path, bytes.latin1Slice(end - DIGITS, end));
        }
      });
      void connectAs({ ...to, interest: [...encodeInterest([path.room], 1)], onread });
    });
    paths.push(path);
  }
  setInterval(sendPings, PING_EVERY_MS);
  return { type: "pinging" };
}

/** Of a flooded host, pings that are not its own come as well. */
function takePing(path, text) {
  const sent = path.sentMs.get(text);
  if (sent !== undefined) {
    path.sentMs.delete(text);
    path.count++;
    path.longestMs = Math.max(path.longestMs, performance.now() - sent);
  }
}

function sendPings() {
  for (const path of paths) {
    const text = `${paths.indexOf(path)}${String(path.next++).padStart(DIGITS - 1, "0")}`;
    path.sentMs.set(text, performance.now());
    path.sender.write(encodeBroadcast(path.room, text));
  }
}

/** What has been measured since the last time; what is still under way counts with the time until now. */
function takePings() {
  const result = paths.map((path) => {
    const waitingMs = [...path.sentMs.values()].map((sent) => performance.now() - sent);
    const figures = { name: path.name, longestMs: Math.max(path.longestMs, ...waitingMs), count: path.count };
    path.longestMs = 0;
    path.count = 0;
    return figures;
  });
  return { type: "pings", paths: result };
}

/** Messages from another host to rooms of the announcer. */
async function send({ socketPath, place, rooms, count }) {
  const sender = await connectAs({ socketPath, place, onread: readFrames(() => {}) });
  for (let i = 0; i < count; i++) {
    sender.write(encodeBroadcast(`room-${Math.floor((i * rooms) / count)}`, MARK));
  }
  return { type: "sent" };
}

const commands = { prepare, announce, beginPings, takePings, send, arrivals: () => ({ type: "arrivals", arrivals }) };

process.on("message", async ({ type, ...settings }) => {
  try {
    process.send(await commands[type](settings));
  } catch (error) {
    process.send({ type: "failed", reason: error.message });
  }
});
process.on("disconnect", () => process.exit());
process.on("SIGTERM", () => process.exit());
process.on("SIGINT", () => {}); // Ctrl-C reaches the whole group; the scenario ends its processes itself
