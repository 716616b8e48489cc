/** Who serves which namespace, on this host and on others, and telling the workers about it. Pure. */

import type { RouterToWorker } from "../protocol/worker-port-frames.js";
import type { HostPort } from "./host-bus/host-port.js";
import type { Port, PortMember } from "./port.js";
import type { RegionPort } from "./region-link/region-port.js";

/** A worker; or another host, or region, with all its workers: which learns of members from announcements, not from here. */
export type Holder = Port | HostPort | RegionPort;

/** @param member undefined: it has gone */
export type MemberObserver = (holder: Holder, uid: string, member: PortMember | undefined) => void;

export class Members {
  /** Uids of adapters by port, by namespace: applications with thousands of namespaces reconnect with all of them. */
  readonly #namespaces = new Map<string, Map<Holder, Set<string>>>();
  readonly #tellWorker: (port: Port, message: RouterToWorker) => void;
  readonly #onChange: MemberObserver | undefined;

  /** @param onChange is told of all members, for other hosts and regions */
  constructor(tell: (port: Port, message: RouterToWorker) => void, onChange?: MemberObserver) {
    this.#tellWorker = tell;
    this.#onChange = onChange;
  }

  #tell(holder: Holder, message: RouterToWorker): void {
    if (holder.isWorker) this.#tellWorker(holder, message);
  }

  /** Adapters of a worker that serve a namespace. */
  uidsOf(port: Holder, namespaceKey: string): Iterable<string> {
    return this.#namespaces.get(namespaceKey)?.get(port) ?? [];
  }

  /** A worker serves a namespace: it learns of the others, and they of it. Answers the namespace's key. */
  add(port: Holder, member: { readonly uid: string; readonly parserId: number; readonly namespace: string }): string {
    const { uid, parserId, namespace } = member;
    const namespaceKey = Buffer.from(namespace).toString("latin1");
    const known = { namespace, namespaceKey, parserId };
    port.members.set(uid, known);
    this.#onChange?.(port, uid, known);
    const uidsByPort = this.#findNamespace(namespaceKey);
    const uids = uidsByPort.get(port);
    if (uids === undefined) uidsByPort.set(port, new Set([uid]));
    else uids.add(uid);
    for (const other of uidsByPort.keys()) {
      if (other === port) continue;
      this.#tell(other, { type: "member-up", uid, parserId, namespace });
      this.#tellMembersOf(other, port, namespaceKey);
    }
    return namespaceKey;
  }

  #findNamespace(namespaceKey: string): Map<Holder, Set<string>> {
    let uidsByPort = this.#namespaces.get(namespaceKey);
    if (uidsByPort === undefined) {
      uidsByPort = new Map();
      this.#namespaces.set(namespaceKey, uidsByPort);
    }
    return uidsByPort;
  }

  #tellMembersOf(other: Holder, port: Holder, namespaceKey: string): void {
    for (const uid of this.uidsOf(other, namespaceKey)) {
      const member = other.members.get(uid);
      if (member === undefined) continue;
      this.#tell(port, { type: "member-up", uid, parserId: member.parserId, namespace: member.namespace });
    }
  }

  /** Answers the key of the namespace that the adapter served; undefined for an adapter that is not known. */
  remove(port: Holder, uid: string): string | undefined {
    const member = port.members.get(uid);
    if (member === undefined) return undefined;
    const { namespace, namespaceKey } = member;
    port.members.delete(uid);
    this.#onChange?.(port, uid, undefined);
    const hasLeft = this.#leave(port, namespaceKey, uid);
    for (const [other, otherUids] of this.#namespaces.get(namespaceKey) ?? []) {
      if (other === port) continue;
      this.#tell(other, { type: "member-down", uid, namespace });
      if (!hasLeft) continue;
      // Whoever does not serve a namespace hears no news of it. What is on its way to it now, it must not take for true when
      // it serves the namespace again; and what it asked before, it must not wait for.
      for (const otherUid of otherUids) this.#tell(port, { type: "member-down", uid: otherUid, namespace });
    }
    return namespaceKey;
  }

  /** Whoever needs to know learns it from the end of the place. */
  removePort(port: Port): void {
    for (const [uid, { namespaceKey }] of port.members) {
      this.#leave(port, namespaceKey, uid);
      this.#onChange?.(port, uid, undefined);
    }
    port.members.clear();
  }

  /** Answers whether no adapter of the worker serves the namespace any more. */
  #leave(port: Holder, namespaceKey: string, uid: string): boolean {
    const uidsByPort = this.#namespaces.get(namespaceKey);
    const uids = uidsByPort?.get(port);
    if (uidsByPort === undefined || uids === undefined) return true;
    uids.delete(uid);
    if (uids.size > 0) return false;
    uidsByPort.delete(port);
    if (uidsByPort.size === 0) this.#namespaces.delete(namespaceKey);
    return true;
  }

  /** Everything that a worker is to know, anew. */
  tellAll(port: Port, others: Iterable<Port>): void {
    this.#tell(port, { type: "members-reset" });
    for (const namespaceKey of new Set([...port.members.values()].map((member) => member.namespaceKey))) {
      for (const other of this.#namespaces.get(namespaceKey)?.keys() ?? []) {
        if (other !== port) this.#tellMembersOf(other, port, namespaceKey);
      }
    }
    for (const other of others) {
      if (other !== port && other.isStalled) this.#tell(port, { type: "place-stalled", place: other.place });
    }
  }
}
