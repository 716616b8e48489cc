/** State of one other region: what it wants, what waits for it, whether there is a link to it. Pure data. */

import type { LinkSession } from "../../link/link-session.js";
import type { HostView } from "../host-bus/host-view.js";
import type { ExpectedRooms, PortMember } from "../port.js";
import { Wishes } from "../wishes.js";
import { LinkAbsence } from "./link-absence.js";

export class RegionPort {
  readonly isWorker = false;
  readonly isRegion = true;
  readonly region: string;
  /** The name in as many characters as a host key has. */
  readonly key: string;
  readonly session: LinkSession;
  view: HostView;
  /** Adapters of the workers there, by uid. */
  readonly members = new Map<string, PortMember>();
  /** How many of them there are of each host, by its key. */
  readonly membersByHostKey = new Map<string, number>();
  roomCount = 0;
  hasTooMany = false;
  /** The link to it, and the host that has taken it; undefined while there is none, and `absence` says more. */
  link: { readonly id: number; readonly hostKey: string; readonly incarnation: string } | undefined;
  absence: LinkAbsence | undefined;
  /** Without a link for so long that nothing is kept for it any more. */
  isGone = false;
  /** It has a link back, so that it can answer. */
  answers = false;
  joinsSent = 0;
  readonly expectedRooms: ExpectedRooms = new Map();
  /** What it has said of joins, to hold when its announcements up to `head` have come. */
  settled: { readonly number: number; readonly head: number }[] = [];
  /** Joins up to this number have been carried out there, by what it has said. */
  joinsDone = 0;
  /** From when on that holds: whoever has taken the link from another host does not know what that one had passed on. */
  settlesFromMs = Number.NEGATIVE_INFINITY;
  /** Incarnation of the router that had the last link. */
  acceptor: string | undefined;
  givenUpSeen = 0;
  lostSeen = 0;
  isLosing = false;
  /** Number of the last frame that was sent here, so that no frame is sent twice. */
  stamp = 0;

  constructor(
    names: { readonly region: string; readonly key: string },
    session: LinkSession,
    view: HostView,
    nowMs: number,
  ) {
    this.region = names.region;
    this.key = names.key;
    this.session = session;
    this.view = view;
    this.absence = new LinkAbsence(nowMs, undefined);
  }

  /** Gets every frame, wanted or not: what is known of its rooms may be old, or it has too many. */
  get wantsAll(): boolean {
    return this.link === undefined || this.hasTooMany || this.view.wantsAll;
  }
}

/** The other regions that this host links to, for whoever looks for where a frame goes. */
export class RegionTable {
  readonly wishes = new Wishes<RegionPort>();
  readonly byName = new Map<string, RegionPort>();
  /** By the host keys of the workers there, as far as they are known. */
  readonly byHostKey = new Map<string, RegionPort>();
}
