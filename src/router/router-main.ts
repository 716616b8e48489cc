/**
 * Composition root of the router process: the only file that knows all its parts. Forked by the primary. What is imported
 * here is loaded at each start, and the workers wait for it: the log is loaded later.
 */

import { randomBytes } from "node:crypto";
import { rmSync } from "node:fs";
import { Socket } from "node:net";
import { dirname } from "node:path";
import { describeBriefly, describeThrown } from "../errors.js";
import { createIncarnation } from "../protocol/incarnation.js";
import {
  type BusReport,
  type MessageFromRouter,
  parseMessageToRouter,
  type RouterBusInit,
  type RouterInit,
} from "../protocol/router-messages.js";
import { BusCarrier } from "./host-bus/bus-carrier.js";
import type { BusNote } from "./host-bus/bus-effects.js";
import type { HostBus } from "./host-bus/host-bus.js";
import { describeClash, renderBusNote } from "./host-bus/render-bus-note.js";
import { LinkCarrier } from "./region-link/link-carrier.js";
import type { RegionLinks } from "./region-link/region-links.js";
import { renderLinkNote } from "./region-link/render-link-note.js";
import { renderNote } from "./render-note.js";
import { RouterLog } from "./router-log.js";
import { WorkerPorts } from "./worker-ports.js";

/** For people and scrapers: once a second is often enough. */
const reportIntervalMs = 1_000;
/** Part of an outbox that what is volatile may use: behind more than that it would be stale. */
const volatileShare = 1 / 4;
/** And when this much waits: what is volatile is stale then. */
const mostVolatileBytes = 8 * 1024 * 1024;
const stalledAfterMs = 2_000;
/** A worker that lost its router is back within a second; requests, which wait for it, time out after 5 s. */
const expectBackMs = 3_000;
/** 9 bytes are 12 characters of base64url. */
const incarnationBytes = 9;
/** The primary waits a little longer for this process to end. */
const leaveLimitMs = 1_000;

class RouterProcess {
  #ports: WorkerPorts | undefined;
  #carrier: BusCarrier | undefined;
  #linkCarrier: LinkCarrier | undefined;
  #log: RouterLog | undefined;
  #init: RouterInit | undefined;
  #isEnding = false;

  run(): void {
    if (process.send === undefined) {
      console.error("router-main is started by `signalbox start`, not by hand.");
      process.exit(2);
    }
    // Ctrl-C reaches every process of the terminal; the router ends after the workers, when the primary says so.
    process.on("SIGINT", () => {});
    process.on("SIGTERM", () => {});
    process.on("SIGHUP", () => {});
    // It has let go of this process, or is gone.
    process.on("disconnect", () => void this.#end(0));
    process.on("uncaughtException", (thrown) => this.#failUnexpectedly(thrown));
    process.on("unhandledRejection", (thrown) => this.#failUnexpectedly(thrown));
    process.on("message", (raw, handle) => this.#obey(raw, handle));
    this.#send({ type: "router:hello" });
  }

  #obey(raw: unknown, handle: unknown): void {
    const message = parseMessageToRouter(raw);
    switch (message?.type) {
      case "router:init":
        if (this.#init === undefined) void this.#begin(message);
        break;
      case "router:expect":
        this.#ports?.core.expect(message.place, performance.now());
        break;
      case "router:forget":
        this.#ports?.core.forget(message.place, performance.now());
        break;
      case "router:ping":
        this.#send({ type: "router:pong" });
        break;
      case "router:link":
        if (!(handle instanceof Socket)) break;
        if (this.#linkCarrier === undefined) handle.destroy();
        else this.#linkCarrier.take(handle, Buffer.from(message.head, "base64"));
        break;
      case "router:link-secrets":
        this.#linkCarrier?.setSecrets(message.secrets);
        break;
      case undefined:
        break;
    }
  }

  async #begin(init: RouterInit): Promise<void> {
    this.#init = init;
    const log = new RouterLog(init.log, (message) => this.#send(message));
    this.#log = log;
    const carrier = init.bus === null ? undefined : this.#createCarrier(init.bus, init.hostKey, log);
    this.#carrier = carrier;
    const linkCarrier =
      init.links === null
        ? undefined
        : new LinkCarrier(init.links, {
            knowsRegion: (nowMs) => this.#ports?.core.knowsRegion(nowMs) === true,
            onNote: (note) => {
              log.say(renderLinkNote(note));
              if ((note.type === "link-up" || note.type === "link-down") && this.#ports !== undefined) {
                this.#report(this.#ports);
              }
            },
          });
    this.#linkCarrier = linkCarrier;
    const incarnation = createIncarnation(init.bus?.restarts ?? 0, randomBytes(incarnationBytes).toString("base64url"));
    const ports = new WorkerPorts(
      {
        hostKey: init.hostKey,
        incarnation,
        outbox: {
          maxBytes: init.maxOutboxBytes,
          maxVolatileBytes: Math.min(Math.ceil(init.maxOutboxBytes * volatileShare), mostVolatileBytes),
        },
        maxRoomsPerPort: init.maxRoomsPerWorker,
        stalledAfterMs,
        expectBackMs,
      },
      { bus: carrier, links: linkCarrier },
      {
        onNote: (note) => log.say(renderNote(note)),
        onServerError: (error) => {
          const text = `a worker could not be let in: ${error.message}; it tries again`;
          log.say({ level: "warn", text, kind: "server-error", aboutWorker: undefined });
        },
      },
    );
    this.#ports = ports;
    // Before anybody can connect: the first message must wait for those who are not there yet.
    const nowMs = performance.now();
    for (const place of init.expectedPlaces) ports.core.expect(place, nowMs);
    try {
      await ports.listen(init.socketPath);
    } catch (thrown) {
      this.#send({ type: "router:failed", reason: `cannot listen on ${init.socketPath}: ${describeBriefly(thrown)}` });
      await this.#end(1);
      return;
    }
    this.#send({ type: "router:ready" });
    setInterval(() => this.#report(ports), reportIntervalMs);
    const { bus, links } = ports.core;
    await Promise.all([
      bus === undefined ? undefined : carrier?.start(bus),
      links === undefined
        ? undefined
        : this.#startLinks(linkCarrier, links, { hostKey: init.hostKey, incarnation }, log),
    ]);
  }

  /** Without a place to listen this host still reaches the others. */
  async #startLinks(
    carrier: LinkCarrier | undefined,
    links: RegionLinks,
    self: { readonly hostKey: string; readonly incarnation: string },
    log: RouterLog,
  ): Promise<void> {
    try {
      await carrier?.start(links, self);
    } catch (thrown) {
      const text =
        `links of other regions cannot be taken: ${describeBriefly(thrown)}; free that place, or set another linkListen, and restart ` +
        "this host";
      log.say({ level: "error", text, kind: "link-listen", aboutWorker: undefined });
    }
  }

  #createCarrier(bus: RouterBusInit, hostKey: string, log: RouterLog): BusCarrier {
    return new BusCarrier(bus, hostKey, {
      onEmitted: (address, payload) => this.#ports?.core.takeEmitted(address, payload, performance.now()),
      onNote: (note) => {
        log.say(renderBusNote(note));
        if (isAboutState(note) && this.#ports !== undefined) this.#report(this.#ports);
      },
      onMustStop: ({ name: otherName }) => {
        const reason = describeClash({ type: "clash", hostKey, name: bus.name, otherName, mustStop: true });
        this.#send({ type: "router:must-stop", reason });
      },
    });
  }

  #report({ core }: WorkerPorts): void {
    this.#send({
      type: "router:report",
      counts: core.counters,
      announcedRooms: core.interestSize,
      bus: core.bus === undefined ? null : this.#describeBus(core.bus),
      links:
        core.links === undefined
          ? null
          : {
              regions: this.#linkCarrier?.describeRegions(core.links) ?? [],
              accepted: [...core.links.inboundLinks].length,
              counts: core.links.counters,
            },
      ports: core.ports.map((port) => ({
        place: port.place,
        queuedBytes: port.outbox.queuedBytes,
        rooms: port.roomCount,
        isStalled: port.isStalled,
        isConnected: port.connection !== undefined,
      })),
    });
  }

  #describeBus(bus: HostBus): BusReport {
    return {
      isUp: bus.isUp,
      hasJoined: bus.hasJoined,
      downReason: bus.isUp ? null : (this.#carrier?.downReason ?? "not connected"),
      hosts: bus.hosts.map((host) => ({
        hostKey: host.hostKey,
        name: host.name,
        isReachable: host.isReachable,
        isFlooded: host.wantsAll,
        rooms: host.roomCount,
        queuedBytes: host.session.queuedBytes,
      })),
      counts: bus.counters,
    };
  }

  /** Sends unless the primary is gone; then this process is about to end. */
  #send(message: MessageFromRouter): void {
    if (!process.connected) return;
    process.send?.(message, undefined, {}, () => {
      // The channel closed in between: same as above.
    });
  }

  /** What it holds may be wrong now: a new one, to which the workers say everything anew, is right. */
  #failUnexpectedly(thrown: unknown): void {
    const text = `the router failed: ${describeThrown(thrown)}`;
    if (this.#log === undefined) console.error(text);
    else this.#log.say({ level: "error", text, kind: "failed", aboutWorker: undefined });
    void this.#end(1);
  }

  async #end(exitCode: number): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    if (exitCode === 0) {
      const endMs = performance.now() + leaveLimitMs;
      // The workers have ended, or are about to: what they have said last is read, and goes out before the last word.
      await this.#ports?.waitUntilEmpty(leaveLimitMs / 2);
      await Promise.all([
        this.#carrier?.leave(endMs - performance.now()),
        this.#linkCarrier?.leave(endMs - performance.now()),
      ]);
    }
    this.#ports?.close();
    const hasPrimary = process.connected;
    if (this.#init?.isDirectoryOwn === true && !hasPrimary) removeDirectory(dirname(this.#init.socketPath));
    await this.#log?.end();
    process.exit(exitCode);
  }
}

/** The primary is to know at once. */
function isAboutState({ type }: BusNote): boolean {
  return type === "bus-up" || type === "bus-down" || type === "joined";
}

/** A primary that was killed cannot do it. */
function removeDirectory(path: string): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // A few bytes in the temporary directory are no reason for an error message of a process that ends.
  }
}

new RouterProcess().run();
