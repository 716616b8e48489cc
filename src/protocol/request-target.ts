/** Reads the query of a request target without decoding more than is asked for. Pure. */

/**
 * First value of a query parameter of a request target, still percent-encoded (session ids need no encoding), or
 * undefined. Only the query counts: a cookie or a path may hold `sid=` too.
 */
export function readQueryParameter(target: string, name: string): string | undefined {
  let at = target.indexOf("?");
  while (at !== -1) {
    const nameStart = at + 1;
    const nameEnd = nameStart + name.length;
    if (target.startsWith(name, nameStart) && target.charAt(nameEnd) === "=") {
      const valueEnd = target.indexOf("&", nameEnd);
      return valueEnd === -1 ? target.slice(nameEnd + 1) : target.slice(nameEnd + 1, valueEnd);
    }
    at = target.indexOf("&", nameStart);
  }
  return undefined;
}
