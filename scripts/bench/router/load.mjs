// Load of the scenario "router": one connection sends broadcasts to a room, another has announced it and counts what comes.
import { InterestFrameWriter } from "../../../dist/protocol/interest-frame.js";
import { encodeRoom } from "../../../dist/protocol/room-key.js";
import { connectAs, encodeBroadcast } from "./port-session.mjs";

const PLACES = { sender: "bencAA", receiver: "bencAB" };
const FRAMES_PER_WRITE = 400; // about what a turn of the event loop gathers at saturation
const MAX_OUTSTANDING = 20_000; // far below the router's bound
const ROOM = "room";

/** The socket of a worker; `onBytes` is told how many bytes have come. */
async function connectWorker(socketPath, place, onBytes) {
  const onread = { buffer: Buffer.allocUnsafe(1_048_576), callback: (count) => onBytes(count) };
  const writer = new InterestFrameWriter(1, "/");
  writer.add({ room: encodeRoom(ROOM), isJoined: true });
  const interest = place === PLACES.receiver ? [writer.finish()] : [];
  return await connectAs({ socketPath, place, interest, onread });
}

let sent = 0;
let receivedBytes = 0;
let frameBytes = 1;
const countReceived = () => Math.floor(receivedBytes / frameBytes); // a few control frames do not matter

async function begin({ socketPath, payloadBytes }) {
  const frame = encodeBroadcast(ROOM, "x".repeat(payloadBytes));
  frameBytes = frame.length;
  const batch = Buffer.concat(Array.from({ length: FRAMES_PER_WRITE }, () => frame));
  await connectWorker(socketPath, PLACES.receiver, (count) => {
    receivedBytes += count;
    return true;
  });
  const sender = await connectWorker(socketPath, PLACES.sender, () => true);
  const pump = () => {
    while (sent - countReceived() < MAX_OUTSTANDING && sender.writableLength < batch.length) {
      sender.write(batch);
      sent += FRAMES_PER_WRITE;
    }
    setImmediate(pump); // awake all the time: waking a sleeping reader would be the router's cost
  };
  pump();
  process.send({ type: "begun" });
}

process.on("message", (message) => {
  if (message.type === "begin") {
    void begin(message);
  } else if (message.type === "count") {
    process.send({ type: "counted", received: countReceived() });
  }
});
process.on("disconnect", () => process.exit());
process.on("SIGTERM", () => process.exit());
process.on("SIGINT", () => {}); // Ctrl-C reaches the whole group; the scenario ends its processes itself
