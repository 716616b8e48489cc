/** State of one other host of the region: what it wants, what waits for it, whether it can be reached. Pure data. */

import type { LinkSession } from "../../link/link-session.js";
import type { ExpectedRooms, Port, PortMember } from "../port.js";
import type { HostView } from "./host-view.js";
import { JoinsUnderWay } from "./joins-under-way.js";

export class HostPort {
  readonly isWorker = false;
  readonly isRegion = false;
  readonly hostKey: string;
  readonly name: string;
  incarnation: string;
  session: LinkSession;
  view: HostView;
  /** Adapters of its workers, by uid. */
  readonly members = new Map<string, PortMember>();
  roomCount = 0;
  /** It has announced more rooms than a host may: what it says of rooms is not kept. */
  hasTooMany = false;
  /** Nobody has heard of it for some seconds, or the own bus has been down for so long: no answer of it is waited for. */
  isReachable = true;
  /** It has been heard since the bus came up, and since it was unreachable: what is known of its rooms is current. */
  isCurrent = true;
  /** Announcements of this host that it has taken. */
  takenSequence = 0;
  /** What it has announced, and has been told that it was taken. */
  toldTaken = 0;
  /** `socketsJoin` commands sent there. */
  joinsSent = 0;
  readonly expectedRooms: ExpectedRooms = new Map();
  /** What it has said of joins, to hold when its announcements up to `head` have come. */
  settled: { readonly number: number; readonly head: number }[] = [];
  /** Commands from there that workers of this host are carrying out. */
  readonly joins = new JoinsUnderWay<Port>();
  /** Frames given up, and lost, when this was last looked at; and whether that goes on. */
  givenUpSeen = 0;
  lostSeen = 0;
  isLosing = false;
  /** Number of the last frame that was sent here, so that no frame is sent twice. */
  stamp = 0;

  constructor(
    host: { readonly hostKey: string; readonly name: string; readonly incarnation: string },
    session: LinkSession,
    view: HostView,
  ) {
    this.hostKey = host.hostKey;
    this.name = host.name;
    this.incarnation = host.incarnation;
    this.session = session;
    this.view = view;
  }

  /** Gets every frame, wanted or not: what is known of its rooms may be old, or it has too many. */
  get wantsAll(): boolean {
    return !this.isCurrent || !this.isReachable || this.hasTooMany || this.view.wantsAll;
  }
}
