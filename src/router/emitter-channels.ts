/**
 * Reads the names of the channels on which `@socket.io/redis-emitter` (and the adapter of that format) publishes:
 * `KEY#NAMESPACE#` or `KEY#NAMESPACE#ROOM#` for broadcasts, `KEY-request#NAMESPACE#` for commands. Pure.
 */

export interface EmitterAddress {
  readonly isRequest: boolean;
  readonly namespace: string;
  /** Text of the one room that it is for; undefined: of no room, or of several. */
  readonly room: string | undefined;
}

/** Namespaces and rooms may hold the mark that parts them: so many ways of reading a name are tried. */
const maxReadings = 8;

export function listEmitterPatterns(key: string): string[] {
  return [`${key}#*`, `${key}-request#*`];
}

/** All ways in which a name can be read; the message itself says which of them is meant. None: it is no such channel. */
export function readEmitterChannel(key: string, channel: string): EmitterAddress[] {
  const isRequest = channel.startsWith(`${key}-request#`);
  const start = isRequest ? key.length + "-request#".length : key.length + 1;
  if ((!isRequest && !channel.startsWith(`${key}#`)) || !channel.endsWith("#")) return [];
  const addresses: EmitterAddress[] = [];
  const last = channel.length - 1;
  for (let at = channel.indexOf("#", start); at !== -1 && addresses.length < maxReadings; ) {
    const namespace = channel.slice(start, at);
    if (at === last) addresses.push({ isRequest, namespace, room: undefined });
    else if (!isRequest && at + 1 < last) addresses.push({ isRequest, namespace, room: channel.slice(at + 1, last) });
    at = channel.indexOf("#", at + 1);
  }
  return addresses;
}
