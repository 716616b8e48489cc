/** Rules of the bus between hosts, each broken on purpose, as those of one host in broken-rules.ts. */

import { LinkSession } from "../../src/link/link-session.js";
import { Forwarding } from "../../src/router/forwarding.js";
import { AnnouncementWriter } from "../../src/router/host-bus/announcement-writer.js";
import { HostBus } from "../../src/router/host-bus/host-bus.js";
import { HostList } from "../../src/router/host-bus/host-list.js";
import { HostPort } from "../../src/router/host-bus/host-port.js";
import { HostView } from "../../src/router/host-bus/host-view.js";
import { JoinsUnderWay } from "../../src/router/host-bus/joins-under-way.js";
import type { BrokenRule } from "./broken-rules.js";
import { replace, replaceGetter } from "./replace.js";

export const brokenFleetRules: readonly BrokenRule[] = [
  {
    name: "hosts-not-awaited",
    what: "await socket.join() does not wait for other hosts",
    breakIt: () =>
      replaceGetter(HostBus.prototype, "takenByAll", () => Number.POSITIVE_INFINITY),
  },
  {
    name: "host-joins-not-expected",
    what: "a socketsJoin makes no host interested before it says so",
    breakIt: () =>
      replace(
        Forwarding.prototype,
        "expectJoins",
        (former) =>
          function (this: Forwarding, view, targets) {
            former.call(this, view, targets);
          },
      ),
  },
  {
    name: "host-joins-never-settled",
    what: "what a socketsJoin made interesting at a host stays so for ever",
    breakIt: () => replace(Forwarding.prototype, "settleHostJoins", () => () => {}),
  },
  {
    name: "host-joins-done-too-soon",
    what: "a host says that joins are done which its workers still carry out",
    breakIt: () => replace(JoinsUnderWay.prototype, "note", () => () => {}),
  },
  {
    name: "incomplete-view-trusted",
    what: "a host of which too little is known gets only what it is known to want",
    breakIt: () =>
      replaceGetter(HostPort.prototype, "wantsAll", function () {
        return this.view.isComplete && this.view.wantsAll;
      }),
  },
  {
    name: "gap-not-noticed",
    what: "an announcement that does not follow on the last is taken for the next",
    breakIt: () =>
      replace(
        HostView.prototype,
        "takeAnnouncement",
        (former) =>
          function (this: HostView, sequence, frames, nowMs) {
            if (sequence > this.sequence) former.call(this, this.sequence + 1, frames, nowMs);
          },
      ),
  },
  {
    name: "head-ignored",
    what: "what heartbeats say of announcements is not looked at",
    breakIt: () => replace(HostView.prototype, "noteHead", () => () => {}),
  },
  {
    name: "unreachable-awaited",
    what: "requests and joins wait for hosts that cannot be reached",
    breakIt: () =>
      replace(
        HostList.prototype,
        "tick",
        (former) =>
          function (this: HostList, nowMs) {
            return former.call(this, nowMs).filter(({ type }) => type !== "unreachable");
          },
      ),
  },
  {
    name: "bye-ignored",
    what: "a host that has left is taken for there",
    breakIt: () =>
      replace(
        HostList.prototype,
        "heard",
        (former) =>
          function (this: HostList, message, nowMs) {
            return message.type === "bye" ? [] : former.call(this, message, nowMs);
          },
      ),
  },
  {
    name: "uncertain-sent-again",
    what: "what a host's former router may have taken is sent to the next as well",
    breakIt: () => {
      const pushed = new WeakMap<LinkSession, [Buffer, number][]>();
      const mend = replace(
        LinkSession.prototype,
        "push",
        (former) =>
          function (this: LinkSession, frame, isVolatile, nowMs) {
            if (!isVolatile) pushed.set(this, [...(pushed.get(this) ?? []), [frame, nowMs]]);
            return former.call(this, frame, isVolatile, nowMs);
          },
      );
      const mendMove = replace(
        LinkSession.prototype,
        "moveTo",
        () =>
          function (this: LinkSession, successor) {
            const waiting = (pushed.get(this) ?? []).slice(-this.queuedFrames || Number.POSITIVE_INFINITY);
            for (const [frame, nowMs] of waiting) successor.push(frame, false, nowMs);
            return 0;
          },
      );
      return () => {
        mendMove();
        mend();
      };
    },
  },
  {
    name: "lost-counted-wrong",
    what: "of the frames that were given up for a host, one too few is counted",
    breakIt: () => {
      const lost = Object.getOwnPropertyDescriptor(LinkSession.prototype, "lost")?.get as (this: LinkSession) => number;
      return replaceGetter(LinkSession.prototype, "lost", function () {
        return Math.max(0, lost.call(this) - 1);
      });
    },
  },
  {
    name: "parts-override-news",
    what: "a part of a snapshot is believed although an announcement has said something newer",
    breakIt: () =>
      replace(
        HostView.prototype,
        "takePart",
        (former) =>
          function (this: HostView, part, nowMs) {
            former.call(this, { ...part, sequence: this.sequence }, nowMs);
          },
      ),
  },
  {
    name: "sent-twice",
    what: "a host gets a frame once for each way in which it may want it",
    breakIt: () =>
      replace(
        HostBus.prototype,
        "send",
        (former) =>
          function (this: HostBus, hosts, bytes, start, end, nowMs) {
            for (const host of [...hosts]) {
              const isTwice = host.roomCount > 0 && host.expectedRooms.size > 0;
              former.call(this, isTwice ? [host, host] : [host], bytes, start, end, nowMs);
            }
          },
      ),
  },
  {
    name: "volatile-waits",
    what: "a volatile message waits for the bus like any other",
    breakIt: () =>
      replace(
        LinkSession.prototype,
        "push",
        (former) =>
          function (this: LinkSession, frame, _isVolatile, nowMs) {
            return former.call(this, frame, false, nowMs);
          },
      ),
  },
  {
    name: "members-not-announced",
    what: "other hosts do not hear of members",
    breakIt: () => replace(AnnouncementWriter.prototype, "noteMember", () => () => {}),
  },
];
