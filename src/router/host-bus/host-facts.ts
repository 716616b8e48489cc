/** Keeps what another host, or another region, announces: its rooms and its members, where frames and requests find them. Pure. */

import type { Holder, Members } from "../members.js";
import type { Wishes } from "../wishes.js";
import { HostView } from "./host-view.js";

/** Snapshots of one view are numbered on; those of the next begin so much later. */
const snapshotIdsPerView = 0x10_00;

/** A host or a region. */
type AnnouncingPlace = Holder & {
  readonly isWorker: false;
  readonly view: HostView;
  /** It has announced more rooms than it may: what it says of rooms is not kept. */
  hasTooMany: boolean;
};

export interface HostFactsParts<Place extends AnnouncingPlace> {
  readonly wishes: Wishes<Place>;
  readonly members: Members;
  /** Rooms of one place beyond which it gets everything instead: one of the same settings asks for that before. */
  readonly maxRooms: number;
  /** Who gets everything may have changed. */
  readonly updateFlooded: () => void;
  /** It gets everything from now on, for want of anything better. */
  readonly noteFlooded: (place: Place) => void;
  /** A worker there does not answer. */
  readonly noteStalled: (place: string) => void;
}

export class HostFacts<Place extends AnnouncingPlace> {
  readonly #parts: HostFactsParts<Place>;
  #snapshotIds: number;

  /** @param firstSnapshotId random */
  constructor(parts: HostFactsParts<Place>, firstSnapshotId: number) {
    this.#parts = parts;
    this.#snapshotIds = firstSnapshotId;
  }

  /**
   * @param idPrefix what all ids there begin with
   * @param ofPlace the place whose view it is to be
   */
  createView(idPrefix: string, ofPlace: () => Place): HostView {
    const { wishes, updateFlooded, noteFlooded, noteStalled } = this.#parts;
    this.#snapshotIds = (this.#snapshotIds + snapshotIdsPerView) % 0x1_00_00_00_00;
    return new HostView(
      idPrefix,
      {
        setRoom: (namespaceKey, roomKey, isWanted) => this.#setRoom(ofPlace(), namespaceKey, roomKey, isWanted),
        forgetRooms: () => {
          wishes.forgetRooms(ofPlace());
          ofPlace().hasTooMany = false;
        },
        setMember: (uid, member) => this.#setMember(ofPlace(), uid, member),
        keepMembers: (uids) => {
          for (const uid of [...ofPlace().members.keys()]) {
            if (!uids.has(uid)) this.#setMember(ofPlace(), uid, undefined);
          }
        },
        noteStalled,
        noteWantsAll: () => {
          updateFlooded();
          const place = ofPlace();
          if (place.view.isComplete && place.view.wantsAll) noteFlooded(place);
        },
      },
      this.#snapshotIds,
    );
  }

  #setRoom(place: Place, namespaceKey: string, roomKey: string, isWanted: boolean): void {
    const { wishes, maxRooms, updateFlooded, noteFlooded } = this.#parts;
    if (place.hasTooMany) return;
    if (!isWanted) {
      if (wishes.interest.removeRoom(place, namespaceKey, roomKey)) place.roomCount--;
      return;
    }
    if (wishes.interest.addRoom(place, namespaceKey, roomKey)) place.roomCount++;
    if (place.roomCount <= 2 * maxRooms) return;
    place.hasTooMany = true;
    wishes.forgetRooms(place);
    updateFlooded();
    noteFlooded(place);
  }

  #setMember(
    place: Place,
    uid: string,
    member: { readonly namespace: string; readonly parserId: number } | undefined,
  ): void {
    const { wishes, members } = this.#parts;
    const known = place.members.get(uid);
    // Said again, it is no news: workers that were told that it has gone would not wait for its answers.
    if (member !== undefined && known?.namespace === member.namespace && known.parserId === member.parserId) return;
    const former = members.remove(place, uid);
    if (former !== undefined) wishes.interest.removeNamespace(place, former);
    if (member === undefined) return;
    wishes.interest.addNamespace(place, members.add(place, { uid, ...member }));
  }

  /** Everything: it is gone, or has left. */
  forget(place: Place): void {
    const { wishes, members } = this.#parts;
    for (const uid of [...place.members.keys()]) members.remove(place, uid);
    wishes.interest.removePlace(place);
    place.roomCount = 0;
    wishes.forgetJoins(place);
  }
}
