/**
 * A worker's session with the process around it and the router played by the test: what it says is decoded, time is a
 * number, and what it asks for is recorded.
 */

import { decodeResponse } from "../../src/protocol/exchange-frames.js";
import { frameKinds } from "../../src/protocol/frame.js";
import {
  decodeWorkerToRouter,
  encodeRouterToWorker,
  type RouterToWorker,
  readFrameKind,
  type WorkerToRouter,
} from "../../src/protocol/worker-port-frames.js";
import type { SessionEndpoint } from "../../src/worker/fabric/endpoint-table.js";
import { HostSession, type HostSessionSettings } from "../../src/worker/fabric/host-session.js";
import type { SessionNote } from "../../src/worker/fabric/session-effects.js";
import { splitFrames } from "./fabric-frames.js";

export const ownPlace = "hostAA";

/** What a router reads: what the worker says for itself, or a frame for others. */
export type Said =
  | WorkerToRouter
  | { readonly type: "interest" | "broadcast" | "command" | "request" }
  | { readonly type: "response"; readonly body: string };

const otherTypes = new Map<number, "interest" | "broadcast" | "command" | "request">([
  [frameKinds.interest, "interest"],
  [frameKinds.broadcast, "broadcast"],
  [frameKinds.command, "command"],
  [frameKinds.request, "request"],
]);

export class SessionHarness {
  readonly session: HostSession;
  readonly notes: SessionNote[] = [];
  readonly raised: unknown[] = [];
  readonly scheduledMs: number[] = [];
  readonly refusals: { readonly code: number; readonly reason: string; readonly shouldReconnectNow: boolean }[] = [];
  wakes = 0;

  constructor(settings: Partial<HostSessionSettings> = {}) {
    this.session = new HostSession(
      {
        workerId: uidOf(ownPlace, "worker"),
        outbox: { maxBytes: 64 * 1024, maxVolatileBytes: 16 * 1024 },
        leaveCooldownMs: 1_000,
        maxRooms: 1_000,
        joinLimitMs: 1_000,
        ...settings,
      },
      {
        wake: () => {
          this.wakes++;
        },
        schedule: (dueMs) => this.scheduledMs.push(dueMs),
        raise: (error) => this.raised.push(error),
        refused: (code, reason, shouldReconnectNow) => this.refusals.push({ code, reason, shouldReconnectNow }),
        note: (note) => this.notes.push(note),
      },
    );
  }

  /** Connected, welcome, and all of the introduction written. */
  connect(incarnation = "router-1"): void {
    this.session.connected(ownPlace);
    this.read();
    this.hear({ type: "welcome", version: 1, incarnation });
    this.read();
  }

  /** The router says something. */
  hear(...messages: RouterToWorker[]): void {
    this.hearFrames(...messages.map(encodeRouterToWorker));
  }

  hearFrames(...frames: Uint8Array[]): void {
    this.session.received(Buffer.concat(frames));
  }

  /** The frames that it writes, to the end. */
  readFrames(): Buffer[] {
    const written: Buffer[] = [];
    while (this.session.hasWrites) {
      const blocks = this.session.takeWrites();
      written.push(Buffer.concat(blocks));
      this.session.written(blocks);
    }
    return splitFrames(Buffer.concat(written));
  }

  /** What it writes, to the end. */
  read(): Said[] {
    return this.readFrames().map(readSaid);
  }

  /** Only what is of one type. */
  readOf<Type extends Said["type"]>(type: Type): Extract<Said, { type: Type }>[] {
    return this.read().filter((said): said is Extract<Said, { type: Type }> => said.type === type);
  }
}

function readSaid(frame: Buffer): Said {
  const kind = readFrameKind(frame, 0);
  const type = otherTypes.get(kind);
  if (type !== undefined) return { type };
  if (kind === frameKinds.response) {
    return { type: "response", body: decodeResponse(frame, 0, frame.length).value.toString() };
  }
  const said = decodeWorkerToRouter(frame, 0, frame.length);
  if (said === undefined) throw new Error(`a frame of kind ${kind} for a router`);
  return said;
}

/** A uid at a place, told apart by a name. */
export function uidOf(place: string, name: string): string {
  return `${place}${name.padStart(14, "u")}`;
}

/** An adapter that does nothing, and wants no room. */
export function createEndpoint(namespace: string, parts: Partial<SessionEndpoint> = {}): SessionEndpoint {
  return {
    uid: uidOf(ownPlace, "adapter"),
    namespace,
    parserId: 0,
    isRoomWanted: () => false,
    takeBroadcast: () => {},
    takeCommand: () => {},
    takeRequest: () => {},
    takeEmitterMessage: () => {},
    ...parts,
  };
}
