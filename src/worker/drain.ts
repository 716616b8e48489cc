/** Ends a worker's service: closes its clients one after another so that they reconnect, lets answers finish, and says when all is done. */

import type { Server as HttpServer } from "node:http";
import type { Socket } from "node:net";
import { setImmediate as setImmediatePromise, setTimeout as setTimeoutPromise } from "node:timers/promises";
import type { Server } from "socket.io";
import { describeBriefly } from "../errors.js";
import type { Logger } from "../logging.js";
import { planCloseTimes } from "./drain-plan.js";
import { type HeardSession, IdleOrder } from "./idle-order.js";

export interface DrainInput {
  readonly io: Server;
  readonly openConnections: ReadonlySet<Socket>;
  readonly hooks: readonly (() => void | Promise<void>)[];
  readonly log: Logger;
  /** In which all sessions are closed. */
  readonly spreadMs: number;
}

/** Event for each client, with the milliseconds in which its connection will be closed. A public name: documented. */
const drainEvent = "signalbox:drain";
/** With less time than this no client can do anything about it; and the poll that it waits with is better kept for the close. */
const leastNoticeMs = 1_000;
/** Sessions closed in one turn of the event loop, so that closing thousands does not block the answers of others. */
const closesPerTurn = 100;
/** How often idle connections are looked for while draining. */
const sweepIntervalMs = 50;
/** A polling client that has no request open gets this long to send its next one and hear that it is closed. */
const silentPollingGraceMs = 1_000;

/** The part of an Engine.IO session that draining needs (engine.io 6.6, `socket.js`). */
interface EngineSession extends HeardSession {
  readonly transport: { readonly name: string; readonly writable: boolean };
  readonly readyState: string;
  close(discard?: boolean): void;
}

/** Resolves when the drain hooks have settled, and no session is left and no connection open. The caller keeps the deadline. */
export async function drainConnections(input: DrainInput): Promise<void> {
  let hooksRunning = input.hooks.length;
  const hooks = input.hooks.map(async (hook) => {
    try {
      await hook();
    } catch (thrown) {
      input.log.error({ err: thrown }, `a drain hook of the application failed: ${describeBriefly(thrown)}`);
    }
    hooksRunning--;
  });
  await closeSessions(input.io, input.spreadMs);
  // Together, so that no connection is open in the moment of the end that came while a hook ran.
  await Promise.all([...hooks, waitForConnections(input, () => hooksRunning > 0)]);
}

/**
 * `conn.close()` and not `disconnect(true)`: only the former lets clients reconnect by themselves. Engine.IO's own list
 * is used, because a client may have joined no namespace yet.
 */
async function closeSessions(io: Server, spreadMs: number): Promise<void> {
  const order = new IdleOrder(listSessions(io));
  if (order.size > 0 && spreadMs >= leastNoticeMs) announceDrain(io, spreadMs);
  let closedInTurn = 0;
  for (const atMs of planCloseTimes(order.size, spreadMs, performance.now(), Math.random)) {
    const waitMs = atMs - performance.now();
    if (waitMs > 0 || closedInTurn === closesPerTurn) {
      closedInTurn = 0;
      await (waitMs > 0 ? setTimeoutPromise(waitMs) : setImmediatePromise());
    }
    order.takeIdlest()?.close();
    closedInTurn++;
    if (order.size === 0) return;
  }
}

/** Volatile: a client that cannot take it now need not hear of it later. */
function announceDrain(io: Server, spreadMs: number): void {
  for (const namespace of io._nsps.values()) namespace.local.volatile.emit(drainEvent, spreadMs);
}

function listSessions(io: Server): EngineSession[] {
  const { clients } = io.engine as unknown as { clients: Record<string, EngineSession> };
  return Object.values(clients);
}

async function waitForConnections(input: DrainInput, isHeld: () => boolean): Promise<void> {
  const { io, openConnections } = input;
  const startedMs = performance.now();
  // The server itself stays open: its `close` event would make Engine.IO drop polling sessions without their answer,
  // and siblings may still send requests of sessions here.
  await new Promise<void>((resolve) => {
    const sweep = setInterval(() => {
      // Sessions that began after the first round, and polling clients that do not come for their answer.
      const isLate = performance.now() - startedMs > silentPollingGraceMs;
      let sessionsAwaited = 0;
      for (const session of listSessions(io)) {
        const isSilent = session.transport.name === "polling" && !session.transport.writable;
        if (session.readyState === "open") session.close();
        else if (isLate && isSilent) session.close(true);
        // It may have no connection now: its next request comes on a new one, and hears of the end.
        if (!isLate || !isSilent) sessionsAwaited++;
      }
      (io.httpServer as HttpServer).closeIdleConnections();
      if (openConnections.size > 0 || sessionsAwaited > 0 || isHeld()) return;
      clearInterval(sweep);
      resolve();
    }, sweepIntervalMs);
  });
}
