// A worker's side of a router's port, as small as the router benchmarks need it: hello, announcements, broadcasts, counting.
import { once } from "node:events";
import { connect } from "node:net";
import {
  encodeWebSocketText,
  measureBroadcastBody,
  writeBroadcastBody,
} from "../../../dist/protocol/broadcast-body.js";
import { frameKinds, protocolVersion } from "../../../dist/protocol/frame.js";
import { encodeRoom } from "../../../dist/protocol/room-key.js";
import { measureRoutedFrame, writeRoutedHeader } from "../../../dist/protocol/routed-frame.js";
import { encodeWorkerToRouter } from "../../../dist/protocol/worker-port-frames.js";

const NAMESPACE = Buffer.from("/");

/** A broadcast to one room; the payload is the end of the frame. */
export function encodeBroadcast(roomName, payload) {
  const parts = [{ type: 0, bytes: encodeWebSocketText(payload) }];
  const rooms = [encodeRoom(roomName)];
  const bytes = measureRoutedFrame(NAMESPACE, rooms, [], measureBroadcastBody(parts));
  const frame = Buffer.alloc(bytes);
  const header = { kind: frameKinds.broadcast, flags: 0, namespace: NAMESPACE, rooms, except: [], bytes };
  writeBroadcastBody(frame, writeRoutedHeader(frame, 0, header), 1, parts);
  return frame;
}

/** Connects as the worker of a place, and announces what these frames of interest say. `onread`: as `net.connect` takes it. */
export async function connectAs({ socketPath, place, interest = [], onread }) {
  const socket = connect({ path: socketPath, onread });
  await once(socket, "connect");
  const workerId = place.padEnd(20, "x");
  socket.write(encodeWorkerToRouter({ type: "hello", version: protocolVersion, place, workerId }));
  socket.write(encodeWorkerToRouter({ type: "namespace-up", uid: workerId, parserId: 1, namespace: "/" }));
  for (const frame of interest) {
    socket.write(frame);
  }
  socket.write(encodeWorkerToRouter({ type: "interest-complete" }));
  return socket;
}
