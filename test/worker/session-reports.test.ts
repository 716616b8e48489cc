import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { afterEach, beforeEach, mock, test } from "node:test";
import type { Server } from "socket.io";
import type { MessageToPrimary } from "../../src/protocol/worker-messages.js";
import type { PrimaryChannel } from "../../src/worker/primary-channel.js";
import { SessionReports } from "../../src/worker/session-reports.js";

let sent: MessageToPrimary[] = [];
let engine: EventEmitter;

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout"] });
  sent = [];
  engine = new EventEmitter();
  const channel: Pick<PrimaryChannel, "send"> = {
    send: (message) => {
      sent.push(message);
    },
  };
  new SessionReports(channel as PrimaryChannel).watch({ engine } as unknown as Server);
});

afterEach(() => mock.timers.reset());

function beginSession(): EventEmitter {
  const session = new EventEmitter();
  engine.emit("connection", session);
  return session;
}

test("sessions of one moment are one report", () => {
  const sessions = [beginSession(), beginSession(), beginSession()];
  sessions[0]?.emit("close");
  assert.deepEqual(sent, []);
  mock.timers.tick(100);
  assert.deepEqual(sent, [{ type: "signalbox:sessions", began: 3, ended: 1 }]);
});

test("each session is reported once, and nothing when nothing happened", () => {
  const session = beginSession();
  mock.timers.tick(1_000);
  assert.deepEqual(sent, [{ type: "signalbox:sessions", began: 1, ended: 0 }]);
  session.emit("close");
  mock.timers.tick(1_000);
  assert.deepEqual(sent.slice(1), [{ type: "signalbox:sessions", began: 0, ended: 1 }]);
});
