/** Puts what the bus port notes into words, for the log: what has happened, to which host, and what it means for clients. Pure. */

import type { NoteLine } from "../render-note.js";
import type { BusNote } from "./bus-effects.js";

export function renderBusNote(note: BusNote): NoteLine {
  const kind = "hostKey" in note ? `${note.type} ${note.hostKey}` : note.type;
  const isLasting = note.type === "bus-down" || note.type === "host-unreachable";
  return { ...describe(note), kind, aboutWorker: undefined, isLasting };
}

function describe(note: BusNote): Pick<NoteLine, "level" | "text"> {
  switch (note.type) {
    case "bus-up":
      return { level: "info", text: "Redis is there: this host reaches the others" };
    case "bus-down":
      return {
        level: "warn",
        text:
          `no Redis (${note.reason}): messages for other hosts wait, up to maxHostOutboxBytes and hostOutboxAgeMs; ` +
          "this host's own clients are served as before. It is tried again until it is back",
      };
    case "joined":
      return { level: "info", text: `this host has joined: ${countOthers(note.hosts)} in its region` };
    case "host-up":
      return { level: "info", text: `${nameHost(note)} is there` };
    case "host-left":
      return { level: "info", text: `${nameHost(note)} has left` };
    case "host-unreachable":
      return {
        level: "warn",
        text: `${nameHost(note)} cannot be reached: nobody waits for its answers; messages for it wait`,
      };
    case "host-back":
      return { level: "info", text: `${nameHost(note)} can be reached again` };
    case "host-gone":
      return {
        level: "warn",
        text: `${nameHost(note)} has been away for hostOutboxAgeMs: ${countMessages(note.givenUp)} for it are given up, and nothing is kept for it until it is back`,
      };
    case "host-restarted": {
      const uncertain =
        note.uncertain === 0 ? "" : `; ${countMessages(note.uncertain)} were on the way to it and may be lost`;
      return {
        level: "warn",
        text: `the router of ${nameHost(note)} has been started again${uncertain}; what it held for this host is lost`,
      };
    }
    case "host-overflowed":
      return {
        level: "warn",
        text: `messages for ${nameHost(note)} are given up: more than maxHostOutboxBytes waited, or for longer than hostOutboxAgeMs. Its clients have to reconnect`,
      };
    case "host-recovered":
      return {
        level: "info",
        text: `${nameHost(note)} has taken all that was kept for it; ${countMessages(note.lost)} did not come there in all`,
      };
    case "missed-of-host": {
      const what = note.frames === undefined ? "messages" : countMessages(note.frames);
      return {
        level: "warn",
        text: `${nameHost(note)} had to give up ${what} for this host: the clients here reconnect, so that they begin anew`,
      };
    }
    case "host-flooded":
      return {
        level: "info",
        text: `${nameHost(note)} asks for every message, since it has too many rooms or workers that are coming back; that costs bandwidth and loses nothing`,
      };
    case "clash":
      return { level: note.mustStop ? "error" : "warn", text: describeClash(note) };
    case "incompatible":
      return {
        level: "warn",
        text: `${nameHost(note)} speaks version ${note.version} of the protocol, which is not known here: the two do not reach each other`,
      };
    case "too-many-hosts":
      return { level: "warn", text: "there are more hosts on the bus than this one can know" };
    case "emitter-refused":
      return {
        level: "warn",
        text:
          `what @socket.io/redis-emitter publishes does not come here: ${note.reason}. Let the user of Redis subscribe it ` +
          "(+psubscribe, &KEY#* and &KEY-request#*, KEY being emitterKey), or set emitterKey to none",
      };
    case "unreadable":
      return {
        level: "warn",
        text: `a message on the bus was not readable: ${note.reason}. Does something else publish under redisPrefix?`,
      };
  }
}

export function describeClash({ hostKey, name, otherName, mustStop }: BusNote & { type: "clash" }): string {
  const what = `two hosts have the host key ${hostKey}: this one (${name}) and ${otherName}`;
  return mustStop
    ? `${what}, which was there first. This host ends: give each its own with SIGNALBOX_HOST_KEY`
    : `${what}. The newcomer has to end; give it its own with SIGNALBOX_HOST_KEY`;
}

function nameHost({ hostKey, name }: { readonly hostKey: string; readonly name: string }): string {
  return `host ${hostKey} (${name})`;
}

function countMessages(count: number): string {
  return `${count} message${count === 1 ? "" : "s"}`;
}

function countOthers(count: number): string {
  return count === 0 ? "no other host" : `${count} other host${count === 1 ? "" : "s"}`;
}
