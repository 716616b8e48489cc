/** Puts what the port to other regions notes into words, for the log: what has happened, and what it means for clients. Pure. */

import { linkClosures } from "../../protocol/link-closures.js";
import type { NoteLine } from "../render-note.js";
import type { LinkNote } from "./link-effects.js";

export function renderLinkNote(note: LinkNote): NoteLine {
  const kind = `${note.type} ${"region" in note ? note.region : "closure" in note ? note.closure : ""}`;
  return { ...describe(note), kind, aboutWorker: undefined };
}

function describe(note: LinkNote): Pick<NoteLine, "level" | "text" | "isLasting"> {
  switch (note.type) {
    case "link-up":
      return {
        level: "info",
        text: note.isDialled
          ? `there is a link to region ${note.region} (host ${note.hostKey})${note.afterMs === undefined ? "" : `, after ${countSeconds(note.afterMs)} without`}`
          : `host ${note.hostKey} of region ${note.region} has linked to this one`,
      };
    case "link-down":
      return note.isDialled
        ? {
            level: "warn",
            text:
              `no link to region ${note.region} any more (${note.reason}): messages for it wait, up to maxHostOutboxBytes and ` +
              "hostOutboxAgeMs. It is tried again until it is back",
          }
        : { level: "info", text: `a link of region ${note.region} has ended (${note.reason})` };
    case "link-failed":
      return { level: "debug", text: `no link to region ${note.region} (${note.reason}); it is tried again` };
    case "region-missing": {
      const since = note.isFromStart ? ", since the start" : "";
      return {
        level: "warn",
        text: `no link to region ${note.region} for ${countSeconds(note.forMs)}${since} (${note.reason}): messages for it wait. It is tried again until it is there`,
        isLasting: true,
      };
    }
    case "link-refused":
      return {
        level: "warn",
        text: `a link was refused (${linkClosures[note.closure].code}, ${note.closure}): ${note.reason}`,
      };
    case "region-gone":
      return {
        level: "warn",
        text: `there has been no link to region ${note.region} for hostOutboxAgeMs: ${countMessages(note.givenUp)} for it are given up, and nothing is kept for it until it is back`,
      };
    case "region-overflowed":
      return {
        level: "warn",
        text: `messages for region ${note.region} are given up: more than maxHostOutboxBytes waited, or for longer than hostOutboxAgeMs. Its clients have to reconnect`,
      };
    case "region-recovered":
      return {
        level: "info",
        text: `region ${note.region} has taken all that was kept for it; ${countMessages(note.lost)} did not come there in all`,
      };
    case "region-flooded":
      return {
        level: "info",
        text: `region ${note.region} asks for every message, since it has too many rooms or hosts that are coming back; that costs bandwidth and loses nothing`,
      };
    case "missed-of-region": {
      const what = note.frames === undefined ? "messages" : countMessages(note.frames);
      return {
        level: "warn",
        text: `a host of region ${note.region} had to give up ${what} for this region: the clients here reconnect, so that they begin anew`,
      };
    }
    case "too-long":
      return {
        level: "warn",
        text: `a message of ${note.bytes} bytes is too long for other regions, and does not go there`,
      };
  }
}

function countSeconds(ms: number): string {
  return `${Math.round(ms / 1_000)} s`;
}

function countMessages(count: number): string {
  return `${count} message${count === 1 ? "" : "s"}`;
}
