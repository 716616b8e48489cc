/** Adapters of other workers that serve the namespaces of this one, as the router tells of them. Pure. */

export class MemberList {
  /** Parser by uid, by namespace. */
  readonly #namespaces = new Map<string, Map<string, number>>();

  add(namespace: string, uid: string, parserId: number): void {
    let members = this.#namespaces.get(namespace);
    if (members === undefined) {
      members = new Map();
      this.#namespaces.set(namespace, members);
    }
    members.set(uid, parserId);
  }

  remove(namespace: string, uid: string): void {
    this.#namespaces.get(namespace)?.delete(uid);
  }

  /** A worker has ended: all whose uid begins with its place. */
  removePlace(place: string): void {
    for (const members of this.#namespaces.values()) {
      for (const uid of members.keys()) {
        if (uid.startsWith(place)) members.delete(uid);
      }
    }
  }

  removeNamespace(namespace: string): void {
    this.#namespaces.delete(namespace);
  }

  clear(): void {
    this.#namespaces.clear();
  }

  count(namespace: string): number {
    return this.#namespaces.get(namespace)?.size ?? 0;
  }

  /** Whether all of them read what a parser writes. */
  doAllParse(namespace: string, parserId: number): boolean {
    for (const other of this.#namespaces.get(namespace)?.values() ?? []) {
      if (other !== parserId) return false;
    }
    return true;
  }
}
