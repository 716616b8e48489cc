/**
 * Joins the port to other regions to WebSockets: dials each region, takes the links of others, gives the port what comes and the
 * time, sends what it says. It decides nothing. ws is loaded here, after the router listens: it would make its start slower.
 */

import type { Socket } from "node:net";
import type { RegionStatus } from "../../protocol/host-status.js";
import type { LinkIdentity } from "../../protocol/link-handshake.js";
import type { RouterLinksInit } from "../../protocol/router-messages.js";
import type { LinkProver } from "./handshake.js";
import type { LinkAcceptor, LinkedHandlers } from "./link-acceptor.js";
import type { LinkDialler } from "./link-dialler.js";
import type { LinkEffects, LinkNote } from "./link-effects.js";
import { createLinkProver } from "./link-prover.js";
import type { LinkFault, LinkSocket } from "./link-socket.js";
import type { RegionLinks, RegionLinksSettings } from "./region-links.js";

/** The bandwidth times the delay of a long way: 100 MB/s and 80 ms. */
const maxInFlightBytes = 8 * 1024 * 1024;
const maxDatagramBytes = 64 * 1024;
/** A connection loses nothing: what was lost with one is sent again when the next begins. */
const neverMs = Number.MAX_SAFE_INTEGER;
const ackDelayMs = 4;
/** A datagram, or a page of a snapshot with a long name of a room at its end. */
const maxMessageBytes = 512 * 1024;

export interface LinkCarrierEvents {
  /** Whether what comes over a link can be passed on to the whole region. */
  readonly knowsRegion: (nowMs: number) => boolean;
  readonly onNote: (note: LinkNote) => void;
}

export class LinkCarrier {
  readonly effects: LinkEffects;
  readonly settings: RegionLinksSettings;
  readonly nowMs = performance.now();
  readonly #init: RouterLinksInit;
  readonly #events: LinkCarrierEvents;
  readonly #sockets = new Map<number, LinkSocket>();
  readonly #linkByRegion = new Map<string, number>();
  readonly #diallers: LinkDialler[] = [];
  #prover: LinkProver;
  #links: RegionLinks | undefined;
  #acceptor: LinkAcceptor | undefined;
  /** Handed over before the module that takes them was loaded. */
  #waiting: { readonly socket: Socket; readonly head: Buffer }[] = [];
  #lastLink = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #isClosed = false;

  constructor(init: RouterLinksInit, events: LinkCarrierEvents) {
    this.#init = init;
    this.#events = events;
    this.#prover = createLinkProver(init.secrets);
    this.settings = {
      region: init.region,
      regions: init.links.map(({ region }) => region),
      instance: init.instance,
      maxRooms: init.maxRooms,
      firstSnapshotId: Math.floor(Math.random() * 0x1_00_00_00_00),
      link: {
        maxBytes: init.maxOutboxBytes,
        maxAgeMs: init.maxOutboxAgeMs,
        maxInFlightBytes,
        maxDatagramBytes,
        resendMs: neverMs,
        maxResendMs: neverMs,
        ackDelayMs,
      },
    };
    this.effects = {
      send: (link, payload) => this.#sockets.get(link)?.send(payload),
      isFull: (link) => this.#sockets.get(link)?.isFull ?? true,
      close: (link, closure, reason) => this.#sockets.get(link)?.close(closure, reason),
      wake: () => setImmediate(() => this.#flush()),
      note: events.onNote,
    };
  }

  /** Listens, and dials; never rejects for want of another region. @throws what the system says against listening */
  async start(links: RegionLinks, self: { readonly hostKey: string; readonly incarnation: string }): Promise<void> {
    this.#links = links;
    const { region, listen, isCompressed, unreachableAfterMs } = this.#init;
    const identity = { region, ...self };
    const shared = {
      self: identity,
      findProver: () => this.#prover,
      maxMessageBytes,
      isCompressed,
      unreachableAfterMs,
    };
    const [{ LinkAcceptor }, { LinkDialler }] = await Promise.all([
      import("./link-acceptor.js"),
      import("./link-dialler.js"),
    ]);
    if (this.#isClosed) return;
    // First: without a place to listen this host still reaches the others.
    for (const { region: name, url } of this.#init.links) {
      const dialler = new LinkDialler(
        { ...shared, region: name, url, tls: readTls(this.#init), random: Math.random },
        {
          onLinked: (socket, peer) => {
            const link = this.#open(links, socket, true, peer);
            this.#linkByRegion.set(name, link);
          },
          onMessage: (payload) => this.#received(links, this.#linkByRegion.get(name), payload),
          onDrain: () => links.drained(),
          onFault: (fault) => countFault(links, fault),
          onLost: (reason) => {
            const link = this.#linkByRegion.get(name);
            this.#linkByRegion.delete(name);
            if (link !== undefined) this.#closed(links, link, reason);
          },
          onFailed: (reason) => links.failed(name, reason),
        },
      );
      this.#diallers.push(dialler);
      dialler.open();
    }
    this.#arm();
    if (listen !== null) {
      const acceptor = new LinkAcceptor(shared, {
        canAccept: () => this.#events.knowsRegion(performance.now()),
        onLinked: (socket, peer) => this.#accept(links, socket, peer),
        onRefused: (closure, reason) => {
          links.counters.refusals++;
          this.#events.onNote({ type: "link-refused", closure, reason });
        },
      });
      if (listen.kind !== "public") await acceptor.listen(listen.kind === "unix" ? { path: listen.path } : listen);
      this.#acceptor = acceptor;
      for (const { socket, head } of this.#waiting) acceptor.take(socket, head);
      this.#waiting = [];
    }
  }

  /** For handshakes that begin from now on; links that there are stay. */
  setSecrets(secrets: readonly string[]): void {
    this.#prover = createLinkProver(secrets);
  }

  /** A connection that came to the public address. */
  take(socket: Socket, head: Buffer): void {
    if (this.#acceptor !== undefined) this.#acceptor.take(socket, head);
    else if (this.#isClosed || this.#init.listen?.kind !== "public") socket.destroy();
    else this.#waiting.push({ socket, head });
  }

  #accept(links: RegionLinks, socket: LinkSocket, peer: LinkIdentity): LinkedHandlers {
    const link = this.#open(links, socket, false, peer);
    return {
      onMessage: (payload) => this.#received(links, link, payload),
      onDrain: () => links.drained(),
      onFault: (fault) => countFault(links, fault),
      onClose: (reason) => this.#closed(links, link, reason),
    };
  }

  #open(links: RegionLinks, socket: LinkSocket, isDialled: boolean, peer: LinkIdentity): number {
    const link = ++this.#lastLink;
    this.#sockets.set(link, socket);
    links.opened(link, isDialled, peer, performance.now());
    return link;
  }

  #received(links: RegionLinks, link: number | undefined, payload: Buffer): void {
    if (link === undefined) return;
    links.received(link, payload, performance.now());
    this.#arm();
  }

  #closed(links: RegionLinks, link: number, reason: string): void {
    this.#sockets.delete(link);
    links.closed(link, reason, performance.now());
  }

  /** How long a message and its answer take, by region. */
  describeRegions(links: RegionLinks): RegionStatus[] {
    const nowMs = performance.now();
    return [...links.regions].map((region) => ({
      region: region.region,
      isLinked: region.link !== undefined,
      answers: region.answers,
      hostKey: region.link?.hostKey ?? null,
      absence: region.absence?.describe(nowMs) ?? null,
      isFlooded: region.wantsAll,
      rooms: region.roomCount,
      queuedBytes: region.session.queuedBytes,
      roundTripMs: this.#sockets.get(region.link?.id ?? 0)?.roundTripMs ?? null,
    }));
  }

  /** Closes when all has been taken, or after `limitMs`. */
  async leave(limitMs: number): Promise<void> {
    const endMs = performance.now() + limitMs;
    while (this.#links?.isSettled === false && performance.now() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    this.#isClosed = true;
    clearTimeout(this.#timer);
    for (const dialler of this.#diallers) dialler.close();
    for (const socket of this.#sockets.values()) socket.close("leaving", "this host ends");
    this.#acceptor?.close();
  }

  #flush(): void {
    if (this.#isClosed) return;
    this.#links?.flush(performance.now());
    this.#arm();
  }

  /** Acknowledgements, and what has grown too old, are due at some time. */
  #arm(): void {
    const dueMs = this.#links?.nextDueMs() ?? Number.POSITIVE_INFINITY;
    if (dueMs >= this.#timerDueMs || dueMs >= neverMs || this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timerDueMs = dueMs;
    this.#timer = setTimeout(
      () => {
        this.#timerDueMs = Number.POSITIVE_INFINITY;
        this.#links?.tick(performance.now());
      },
      Math.max(1, dueMs - performance.now()),
    );
  }
}

function countFault({ counters }: RegionLinks, fault: LinkFault): void {
  if (fault === "silent") {
    counters.silences++;
  } else {
    counters.badMessages++;
    counters.refusals++;
  }
}

function readTls({ ca, certificate, key }: RouterLinksInit): {
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
} {
  return { ca: ca ?? undefined, cert: certificate ?? undefined, key: key ?? undefined };
}
