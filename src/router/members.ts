/** Who serves which namespace on this host, and telling the workers about it. Pure. */

import type { RouterToWorker } from "../protocol/worker-port-frames.js";
import type { Port } from "./port.js";

export class Members {
  readonly #portsByNamespace = new Map<string, Set<Port>>();
  readonly #tell: (port: Port, message: RouterToWorker) => void;

  constructor(tell: (port: Port, message: RouterToWorker) => void) {
    this.#tell = tell;
  }

  /** A worker serves a namespace: it learns of the others, and they of it. Answers the namespace's key. */
  add(port: Port, member: { readonly uid: string; readonly parserId: number; readonly namespace: string }): string {
    const { uid, parserId, namespace } = member;
    const namespaceKey = Buffer.from(namespace).toString("latin1");
    port.members.set(uid, { namespace, namespaceKey, parserId });
    let ports = this.#portsByNamespace.get(namespaceKey);
    if (ports === undefined) {
      ports = new Set();
      this.#portsByNamespace.set(namespaceKey, ports);
    }
    ports.add(port);
    for (const other of ports) {
      if (other === port) continue;
      this.#tell(other, { type: "member-up", uid, parserId, namespace });
      this.#tellMembersOf(other, port, namespaceKey);
    }
    return namespaceKey;
  }

  #tellMembersOf(other: Port, port: Port, namespaceKey: string): void {
    for (const [uid, member] of other.members) {
      if (member.namespaceKey !== namespaceKey) continue;
      this.#tell(port, { type: "member-up", uid, parserId: member.parserId, namespace: member.namespace });
    }
  }

  /** Answers the key of the namespace that the adapter served; undefined for an adapter that is not known. */
  remove(port: Port, uid: string): string | undefined {
    const member = port.members.get(uid);
    if (member === undefined) return undefined;
    port.members.delete(uid);
    const { namespace, namespaceKey } = member;
    const ports = this.#portsByNamespace.get(namespaceKey);
    for (const other of ports ?? []) {
      if (other !== port) this.#tell(other, { type: "member-down", uid, namespace });
    }
    this.#leave(port, namespaceKey);
    return namespaceKey;
  }

  /** Whoever needs to know learns it from the end of the place. */
  removePort(port: Port): void {
    const namespaceKeys = new Set([...port.members.values()].map((member) => member.namespaceKey));
    port.members.clear();
    for (const namespaceKey of namespaceKeys) this.#leave(port, namespaceKey);
  }

  #leave(port: Port, namespaceKey: string): void {
    for (const member of port.members.values()) {
      if (member.namespaceKey === namespaceKey) return;
    }
    const ports = this.#portsByNamespace.get(namespaceKey);
    ports?.delete(port);
    if (ports?.size === 0) this.#portsByNamespace.delete(namespaceKey);
  }

  /** Everything that a worker is to know, anew. */
  tellAll(port: Port, others: Iterable<Port>): void {
    this.#tell(port, { type: "members-reset" });
    const own = new Set([...port.members.values()].map((member) => member.namespaceKey));
    for (const other of others) {
      if (other === port) continue;
      for (const [uid, member] of other.members) {
        if (!own.has(member.namespaceKey)) continue;
        this.#tell(port, { type: "member-up", uid, parserId: member.parserId, namespace: member.namespace });
      }
      if (other.isStalled) this.#tell(port, { type: "place-stalled", place: other.place });
    }
  }
}
