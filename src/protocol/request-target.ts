/** Reads the query of a request target without decoding more than is asked for. Pure. */

/**
 * Last value of a query parameter of a request target, as Engine.IO takes the last of several (engine.io 6.6, `server.js`), still
 * percent-encoded (session ids need no encoding), or undefined. Only the query counts: a cookie or a path may hold `sid=` too.
 */
export function readQueryParameter(target: string, name: string): string | undefined {
  let value: string | undefined;
  let at = target.indexOf("?");
  while (at !== -1) {
    const nameStart = at + 1;
    const nameEnd = nameStart + name.length;
    at = target.indexOf("&", nameStart);
    if (!target.startsWith(name, nameStart) || target.charAt(nameEnd) !== "=") continue;
    value = target.slice(nameEnd + 1, at === -1 ? undefined : at);
  }
  return value;
}
