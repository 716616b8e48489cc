/** Keeps what another host announces: its rooms and its members, where frames and requests find them. Pure. */

import type { Forwarding } from "../forwarding.js";
import type { Members } from "../members.js";
import type { BusNote } from "./bus-effects.js";
import type { HostPort } from "./host-port.js";
import { HostView } from "./host-view.js";

/** Snapshots of one view are numbered on; those of the next begin so much later. */
const snapshotIdsPerView = 0x10_00;

export interface HostFactsParts {
  readonly forwarding: Forwarding;
  readonly members: Members;
  /** Rooms of one host beyond which it gets everything instead: a host of the same settings asks for that before. */
  readonly maxRooms: number;
  readonly note: (note: BusNote) => void;
  /** A worker of another host does not answer. */
  readonly noteStalled: (place: string) => void;
}

export class HostFacts {
  readonly #parts: HostFactsParts;
  #snapshotIds: number;

  /** @param firstSnapshotId random */
  constructor(parts: HostFactsParts, firstSnapshotId: number) {
    this.#parts = parts;
    this.#snapshotIds = firstSnapshotId;
  }

  /** @param ofHost the host whose view it is to be */
  createView(hostKey: string, ofHost: () => HostPort): HostView {
    const { forwarding, note, noteStalled } = this.#parts;
    this.#snapshotIds = (this.#snapshotIds + snapshotIdsPerView) % 0x1_00_00_00_00;
    return new HostView(
      hostKey,
      {
        setRoom: (namespaceKey, roomKey, isWanted) => this.#setRoom(ofHost(), namespaceKey, roomKey, isWanted),
        forgetRooms: () => {
          forwarding.forgetHostRooms(ofHost());
          ofHost().hasTooMany = false;
        },
        setMember: (uid, member) => this.#setMember(ofHost(), uid, member),
        keepMembers: (uids) => {
          for (const uid of [...ofHost().members.keys()]) {
            if (!uids.has(uid)) this.#setMember(ofHost(), uid, undefined);
          }
        },
        noteStalled,
        noteWantsAll: () => {
          forwarding.updateFloodedHosts();
          const { view, name } = ofHost();
          if (view.isComplete && view.wantsAll) note({ type: "host-flooded", hostKey, name });
        },
      },
      this.#snapshotIds,
    );
  }

  #setRoom(host: HostPort, namespaceKey: string, roomKey: string, isWanted: boolean): void {
    const { forwarding, maxRooms, note } = this.#parts;
    if (host.hasTooMany) return;
    if (!isWanted) {
      if (forwarding.hostInterest.removeRoom(host, namespaceKey, roomKey)) host.roomCount--;
      return;
    }
    if (forwarding.hostInterest.addRoom(host, namespaceKey, roomKey)) host.roomCount++;
    if (host.roomCount <= 2 * maxRooms) return;
    host.hasTooMany = true;
    forwarding.forgetHostRooms(host);
    forwarding.updateFloodedHosts();
    note({ type: "host-flooded", hostKey: host.hostKey, name: host.name });
  }

  #setMember(
    host: HostPort,
    uid: string,
    member: { readonly namespace: string; readonly parserId: number } | undefined,
  ): void {
    const { forwarding, members } = this.#parts;
    const known = host.members.get(uid);
    // Said again, it is no news: workers that were told that it has gone would not wait for its answers.
    if (member !== undefined && known?.namespace === member.namespace && known.parserId === member.parserId) return;
    const former = members.remove(host, uid);
    if (former !== undefined) forwarding.hostInterest.removeNamespace(host, former);
    if (member === undefined) return;
    forwarding.hostInterest.addNamespace(host, members.add(host, { uid, ...member }));
  }

  /** Everything: the host is gone, or has left. */
  forget(host: HostPort): void {
    const { forwarding, members } = this.#parts;
    for (const uid of [...host.members.keys()]) members.remove(host, uid);
    forwarding.hostInterest.removePlace(host);
    host.roomCount = 0;
    forwarding.forgetHostJoins(host);
  }
}
