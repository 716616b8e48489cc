/** A router's core with links to other regions, which the test plays: what comes over them goes in, what the core sends is recorded. */

import { decodeBusMessage, encodeBusMessage, isBusMessage } from "../../src/protocol/bus-messages.js";
import { type Datagram, decodeDatagram, encodeDatagram } from "../../src/protocol/link-datagram.js";
import { encodeRegionalFrame } from "../../src/protocol/regional-frame.js";
import { encodeRouterToRouter, type RouterToRouter } from "../../src/protocol/router-frames.js";
import type { RouterSettings } from "../../src/router/core.js";
import type { LinkNote } from "../../src/router/region-link/link-effects.js";
import type { RegionLinks } from "../../src/router/region-link/region-links.js";
import { RouterHarness } from "./router-harness.js";

const datagramVersion = 1;
const ackDelayMs = 4;

export interface TestLink {
  readonly id: number;
  readonly region: string;
  readonly incarnation: string;
}

export class LinkHarness {
  readonly router: RouterHarness;
  readonly notes: LinkNote[] = [];
  readonly closed: { readonly link: number; readonly reason: string }[] = [];
  readonly maxRooms = 100;
  readonly #sentByLink = new Map<number, Buffer[]>();
  /** Of each other router: what its session has sent. */
  readonly #saidByPeer = new Map<string, { packet: number; sequence: number }>();
  #lastLink = 0;

  /** @param regions that this host, of the region `eu`, links to */
  constructor(regions: readonly string[] = ["us"], settings: Partial<RouterSettings> = {}) {
    this.router = new RouterHarness(settings, {
      links: {
        nowMs: 0,
        settings: {
          region: "eu",
          regions,
          instance: "instance",
          maxRooms: this.maxRooms,
          firstSnapshotId: 1,
          link: {
            maxBytes: 64 * 1024,
            maxAgeMs: 60_000,
            maxInFlightBytes: 32 * 1024,
            maxDatagramBytes: 4 * 1024,
            resendMs: Number.MAX_SAFE_INTEGER,
            maxResendMs: Number.MAX_SAFE_INTEGER,
            ackDelayMs,
          },
        },
        effects: {
          send: (link, payload) => this.#sentByLink.get(link)?.push(payload),
          isFull: () => false,
          close: (link, _closure, reason) => this.closed.push({ link, reason }),
          wake: () => {},
          note: (note) => this.notes.push(note),
        },
      },
    });
  }

  get links(): RegionLinks {
    const { links } = this.router.core;
    if (links === undefined) throw new Error("a router without links");
    return links;
  }

  /** A link that this host has made. */
  dial(region: string, hostKey: string, incarnation = `0.${hostKey}`): TestLink {
    return this.#open(true, region, hostKey, incarnation);
  }

  /** A link that a router of another region has made, of whose frames nothing has been acknowledged. */
  accept(region: string, hostKey: string, incarnation = `0.${hostKey}`): TestLink {
    const link = this.#open(false, region, hostKey, incarnation);
    const said = this.#saidByPeer.get(incarnation);
    if (said === undefined) this.#saidByPeer.set(incarnation, { packet: 0, sequence: 0 });
    this.tell(link, { type: "link-resume", acked: 0, lost: 0 });
    return link;
  }

  #open(isDialled: boolean, region: string, hostKey: string, incarnation: string): TestLink {
    const id = ++this.#lastLink;
    this.#sentByLink.set(id, []);
    this.links.opened(id, isDialled, { region, hostKey, incarnation }, this.router.nowMs);
    return { id, region, incarnation };
  }

  close(link: TestLink): void {
    this.links.closed(link.id, "the test", this.router.nowMs);
  }

  receive(link: TestLink, payload: Buffer): void {
    this.links.received(link.id, payload, this.router.nowMs);
  }

  tell(link: TestLink, message: RouterToRouter): void {
    this.receive(link, encodeRouterToRouter(message));
  }

  /** What an accepting host announces of its region: frames of workers. */
  announce(link: TestLink, sequence: number, frames: readonly Buffer[]): void {
    this.receive(
      link,
      encodeBusMessage({ type: "announcement", ...nameSender(link), sequence, frames: Buffer.concat(frames) }),
    );
  }

  /** Says everything that the region has, if that was asked for, before it has announced anything. */
  answerSnapshot(link: TestLink, frames: readonly Buffer[]): void {
    const wanted = this.readSent(link)
      .filter(isBusMessage)
      .map(decodeBusMessage)
      .find((message) => message?.type === "want-snapshot");
    if (wanted?.type !== "want-snapshot") throw new Error("no snapshot was asked for");
    const { incarnation: to, snapshotId, part } = wanted;
    const content = { to, snapshotId, part, isLast: true, sequence: 0, frames: Buffer.concat(frames) };
    this.receive(link, encodeBusMessage({ type: "snapshot-part", ...nameSender(link), ...content }));
  }

  /** Frames of workers of the other router, in one datagram, each numbered. */
  send(link: TestLink, ...frames: readonly Buffer[]): void {
    const said = this.#saidByPeer.get(link.incarnation);
    if (said === undefined) throw new Error("a link that was not accepted");
    const first = said.sequence + 1;
    const regional = frames.map((frame) => {
      const numbered = encodeRegionalFrame(Buffer.from(link.incarnation), ++said.sequence, frame, 0, frame.length);
      if (numbered === undefined) throw new Error("a frame that is too long");
      return { isVolatile: false, frame: numbered };
    });
    const none = { acked: 0, ackedBytes: 0, hasGap: false, highestPacket: 0, lostTotal: 0 };
    const ends = { from: link.incarnation, to: "eu", packet: ++said.packet };
    this.receive(
      link,
      encodeDatagram({ ...ends, ...none, base: 1, first, frames: regional, fragment: undefined, asksAck: false }),
    );
  }

  /** From the beginning, as if nothing had been acknowledged. */
  sendAgain(link: TestLink, ...frames: readonly Buffer[]): void {
    const said = this.#saidByPeer.get(link.incarnation);
    if (said !== undefined) said.sequence = 0;
    this.send(link, ...frames);
  }

  /** All that has been sent on a link since it was last asked for, with what is due by now. */
  readSent(link: TestLink): Buffer[] {
    this.links.flush(this.router.nowMs);
    this.router.nowMs += ackDelayMs;
    this.links.flush(this.router.nowMs);
    const sent = this.#sentByLink.get(link.id) ?? [];
    this.#sentByLink.set(link.id, []);
    return sent;
  }

  readDatagrams(link: TestLink): Datagram[] {
    return this.readSent(link)
      .filter((payload) => payload[0] === datagramVersion)
      .map(decodeDatagram);
  }

  /** The last that was acknowledged on a link since it was last asked for. */
  readAcked(link: TestLink): number | undefined {
    return this.readDatagrams(link).at(-1)?.acked;
  }
}

function nameSender({ incarnation }: TestLink): { hostKey: string; instance: string; incarnation: string } {
  return { hostKey: incarnation.slice(2, 6), instance: "other", incarnation };
}
