// Load of the scenario "router": one connection sends broadcasts to a room, another has announced it and counts what comes.
import { once } from "node:events";
import { connect } from "node:net";
import {
  encodeWebSocketText,
  measureBroadcastBody,
  writeBroadcastBody,
} from "../../../dist/protocol/broadcast-body.js";
import { frameKinds, protocolVersion } from "../../../dist/protocol/frame.js";
import { InterestFrameWriter } from "../../../dist/protocol/interest-frame.js";
import { encodeRoom } from "../../../dist/protocol/room-key.js";
import { measureRoutedFrame, writeRoutedHeader } from "../../../dist/protocol/routed-frame.js";
import { encodeWorkerToRouter } from "../../../dist/protocol/worker-port-frames.js";

const PLACES = { sender: "bencAA", receiver: "bencAB" };
const FRAMES_PER_WRITE = 400; // about what a turn of the event loop gathers at saturation
const MAX_OUTSTANDING = 20_000; // far below the router's bound
const ROOM = encodeRoom("room");
const NAMESPACE = Buffer.from("/");

function encodeBroadcast(payloadBytes) {
  const parts = [{ type: 0, bytes: encodeWebSocketText("x".repeat(payloadBytes)) }];
  const bytes = measureRoutedFrame(NAMESPACE, [ROOM], [], measureBroadcastBody(parts));
  const frame = Buffer.alloc(bytes);
  const header = { kind: frameKinds.broadcast, flags: 0, namespace: NAMESPACE, rooms: [ROOM], except: [], bytes };
  writeBroadcastBody(frame, writeRoutedHeader(frame, 0, header), 1, parts);
  return frame;
}

async function connectAs(socketPath, place, onBytes) {
  const onread = { buffer: Buffer.allocUnsafe(1_048_576), callback: (count) => onBytes(count) };
  const socket = connect({ path: socketPath, onread });
  await once(socket, "connect");
  const workerId = place.padEnd(20, "x");
  socket.write(encodeWorkerToRouter({ type: "hello", version: protocolVersion, place, workerId }));
  socket.write(encodeWorkerToRouter({ type: "namespace-up", uid: workerId, parserId: 1, namespace: "/" }));
  if (place === PLACES.receiver) {
    const interest = new InterestFrameWriter(1, "/");
    interest.add({ room: ROOM, isJoined: true });
    socket.write(interest.finish());
  }
  socket.write(encodeWorkerToRouter({ type: "interest-complete" }));
  return socket;
}

let sent = 0;
let receivedBytes = 0;
let frameBytes = 1;
const countReceived = () => Math.floor(receivedBytes / frameBytes); // a few control frames do not matter

async function begin({ socketPath, payloadBytes }) {
  const frame = encodeBroadcast(payloadBytes);
  frameBytes = frame.length;
  const batch = Buffer.concat(Array.from({ length: FRAMES_PER_WRITE }, () => frame));
  await connectAs(socketPath, PLACES.receiver, (count) => {
    receivedBytes += count;
    return true;
  });
  const sender = await connectAs(socketPath, PLACES.sender, () => true);
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
