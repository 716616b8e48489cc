/** Puts what the router notes into words, for the log: what has happened, to which worker, and what it means for clients. Pure. */

import { parsePlace } from "../address/address.js";
import { portRefusals } from "../protocol/port-refusals.js";
import type { RouterNoteLevel } from "../protocol/router-messages.js";
import type { RouterNote } from "./router-effects.js";

export interface NoteLine {
  readonly level: RouterNoteLevel;
  readonly text: string;
  /** What has happened, and to whom: lines that repeat each other have the same, whatever numbers are in them. */
  readonly kind: string;
  /** Slot of the worker that it is about; undefined when that is not known. */
  readonly aboutWorker: number | undefined;
  /** It says how things are from now on, and another line says when they change: held back, the log would end with the other. */
  readonly isLasting?: boolean;
}

/** What a worker does that was refused, by the table of refusals. */
const dutyTexts = {
  now: "it connects again at once",
  later: "it tries again later, and serves only its own clients until then",
} as const;

export function renderNote(note: RouterNote): NoteLine {
  const aboutWorker = note.place === undefined ? undefined : parsePlace(note.place)?.workerSlot;
  return { ...describe(note, `worker ${aboutWorker ?? "?"}`), kind: describeKind(note), aboutWorker };
}

function describeKind(note: RouterNote): string {
  const what = note.type === "refused" ? `refused ${note.refusal}` : note.type;
  return note.place === undefined ? what : `${what} ${note.place}`;
}

function describe(note: RouterNote, worker: string): Pick<NoteLine, "level" | "text"> {
  switch (note.type) {
    case "port-up":
      return { level: "debug", text: `${worker} has connected to the router` };
    case "port-down": {
      // Its clients have gone with it, or it says itself what it has missed.
      const given = note.lostFrames === 0 ? "" : `; ${countMessages(note.lostFrames)} for it had not been written`;
      return { level: "debug", text: `${worker} has left the router${given}` };
    }
    case "refused":
      return { level: "warn", text: describeRefusal(note, worker) };
    case "stalled":
      return {
        level: "warn",
        text:
          `${worker} does not answer the router: its event loop is blocked. Nobody waits for its answers; ` +
          "messages for its clients wait, up to maxOutboxBytes",
      };
    case "resumed":
      return { level: "info", text: `${worker} answers the router again` };
    case "overflowed":
      return {
        level: "warn",
        text: `${worker} does not take its messages fast enough: more than maxOutboxBytes waited, and is given up. Its clients have to reconnect`,
      };
    case "loss-told":
      return {
        level: "info",
        text: `${worker} has missed ${countMessages(note.lostFrames)}, and knows: it closes its clients' connections, so that they begin anew`,
      };
    case "unsent":
      return {
        level: "warn",
        text:
          `${worker} has given up ${countMessages(note.lostFrames)} for other workers: in a burst, or while the router was ` +
          "away, more than maxOutboxBytes waited. The clients of the other workers have to reconnect",
      };
    case "flooded":
      return {
        level: "info",
        text: `${worker} has more rooms than maxRoomsPerWorker: from now on it gets every message, which costs CPU and loses nothing`,
      };
    case "not-flooded":
      return { level: "info", text: `${worker} announces its rooms again` };
    case "not-back":
      return { level: "warn", text: describeAbsence(note.lostFrames, worker) };
  }
}

function describeRefusal(note: RouterNote & { readonly type: "refused" }, worker: string): string {
  if (note.place === undefined) {
    return (
      `a connection to the router's socket was refused (${note.refusal}): ${note.reason}. ` +
      "A worker of this host and this version of Signalbox would not have said that"
    );
  }
  const duty = dutyTexts[portRefusals[note.refusal].reconnect];
  return `the router closes the connection of ${worker} (${note.refusal}): ${note.reason}; ${duty}`;
}

function describeAbsence(lostFrames: number, worker: string): string {
  const text = `${worker} has not come back to the router: messages of other workers do not reach its clients until it does`;
  return lostFrames === 0 ? text : `${text}; ${countMessages(lostFrames)} ${wasOrWere(lostFrames)} lost`;
}

function countMessages(count: number): string {
  return `${count} message${count === 1 ? "" : "s"}`;
}

function wasOrWere(count: number): string {
  return count === 1 ? "was" : "were";
}
