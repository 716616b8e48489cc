/** Tells a refusal of Redis, which people have to mend, from a fault that passes. Pure. */

export type Refusal = "credentials" | "permission";

/** By the code that begins each error of Redis; undefined for an error that is no refusal. */
export function readRefusal(message: string): Refusal | undefined {
  const code = /^[A-Z]+\b/.exec(message)?.[0];
  if (code === "NOAUTH" || code === "WRONGPASS") return "credentials";
  return code === "NOPERM" ? "permission" : undefined;
}
