/** Replaces methods of classes for a while: how rules are broken on purpose. */

/** Puts another method in the place of one; answers what puts it back. */
export function replace<Owner extends object, Key extends keyof Owner>(
  owner: Owner,
  key: Key,
  create: (former: Owner[Key]) => Owner[Key],
): () => void {
  const former = owner[key];
  owner[key] = create(former);
  return () => {
    owner[key] = former;
  };
}

export function replaceGetter<Owner extends object>(
  owner: Owner,
  key: keyof Owner,
  get: (this: Owner) => unknown,
): () => void {
  const former = Object.getOwnPropertyDescriptor(owner, key);
  Object.defineProperty(owner, key, { configurable: true, get });
  return () => {
    if (former !== undefined) Object.defineProperty(owner, key, former);
  };
}
