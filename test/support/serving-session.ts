/** A session that serves the main namespace, at a router that has let it in, and its requests to another worker. */

import { encodeResponse, responses } from "../../src/protocol/exchange-frames.js";
import type { RequestHandlers } from "../../src/routing/request-ledger.js";
import type { SessionEndpoint } from "../../src/worker/fabric/endpoint-table.js";
import { createEndpoint, ownPlace, SessionHarness, uidOf } from "./session-harness.js";

const own = uidOf(ownPlace, "adapter");
/** An adapter of another worker. */
export const other = uidOf("hostAB", "one");

/** What `other` answers to a request. */
export function answer(requestId: number, text = "", type: number = responses.answer): Buffer {
  return encodeResponse(own, other, requestId, type, Buffer.from(text));
}

/** A worker that serves the main namespace; what comes for it is recorded. */
export function connect(parts: Partial<SessionEndpoint> = {}): { harness: SessionHarness; seen: string[] } {
  const harness = new SessionHarness();
  const seen: string[] = [];
  harness.session.add(
    createEndpoint("/", {
      takeBroadcast: (view) => void seen.push(view.bytes.toString("latin1", view.bodyStart, view.end)),
      takeCommand: () => void seen.push("command"),
      takeRequest: (_, { uid, requestId, type }) => void seen.push(`request ${requestId} ${type} of ${uid}`),
      ...parts,
    }),
  );
  harness.connect();
  return { harness, seen };
}

/** Opens a request that asked `other`, and records what becomes of it. */
export function ask(harness: SessionHarness, deadlineMs = 1_000, parts: Partial<RequestHandlers> = {}): string[] {
  const told: string[] = [];
  const handlers: RequestHandlers = {
    onAnswer: (_, value) => void told.push(String(value)),
    onEnd: (end) => void told.push(end),
    ...parts,
  };
  const requestId = harness.session.openRequest(handlers, deadlineMs);
  harness.hear({ type: "routed", uid: own, requestId, askedUids: [other] });
  return told;
}
