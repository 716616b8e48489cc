/** Ids that say where they live: 4 characters host key, 2 characters worker slot, 14 characters random. */

/** Digits of the URL-safe base64 alphabet, in value order (RFC 4648 §5). */
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const hostKeyLength = 4;
const slotLength = 2;
const placeLength = hostKeyLength + slotLength;
const randomLength = 14;

/** Characters of an address, the length of the ids that Engine.IO and Socket.IO make themselves. */
export const addressLength = hostKeyLength + slotLength + randomLength;

/** Slots that two base64 digits can name: 0 to 4095. */
export const maxWorkerSlots = 64 * 64;

/** Random bytes that `createAddress` wants: 14 base64 characters hold 84 bits, so 11 bytes. */
export const randomBytesPerAddress = 11;

const addressPattern = /^[A-Za-z0-9_-]{20}$/;
const placePattern = /^[A-Za-z0-9_-]{6}$/;
const hostKeyPattern = /^[A-Za-z0-9_-]{4}$/;

/** A place that an id names. */
export interface Address {
  readonly hostKey: string;
  readonly workerSlot: number;
}

/** Whether `text` can stand as the host part of an address. */
export function isHostKey(text: string): boolean {
  return hostKeyPattern.test(text);
}

/**
 * The first six characters of every id of one worker.
 * @throws RangeError when the host key or the slot cannot be encoded.
 */
export function encodePlace(place: Address): string {
  if (!isHostKey(place.hostKey)) {
    throw new RangeError(`host key ${JSON.stringify(place.hostKey)} is not 4 characters of A-Z a-z 0-9 - _`);
  }
  if (!Number.isInteger(place.workerSlot) || place.workerSlot < 0 || place.workerSlot >= maxWorkerSlots) {
    throw new RangeError(`worker slot ${place.workerSlot} is not a whole number from 0 to ${maxWorkerSlots - 1}`);
  }
  return place.hostKey + alphabet.charAt(place.workerSlot >> 6) + alphabet.charAt(place.workerSlot & 63);
}

/**
 * A new id at a place, from 14 random characters of the alphabet (the first 14 of 11 bytes in base64url).
 * Randomness is an argument: the caller decides where it comes from.
 */
export function createAddress(encodedPlace: string, randomCharacters: string): string {
  return encodedPlace + randomCharacters.slice(0, randomLength);
}

/** The place an id names, or undefined when it does not have the shape of an address. */
export function parseAddress(id: string): Address | undefined {
  return addressPattern.test(id) ? parsePlace(id.slice(0, placeLength)) : undefined;
}

/** What `encodePlace` made six characters of, or undefined when they do not have that shape. */
export function parsePlace(encodedPlace: string): Address | undefined {
  if (!placePattern.test(encodedPlace)) return undefined;
  const high = alphabet.indexOf(encodedPlace.charAt(hostKeyLength));
  const low = alphabet.indexOf(encodedPlace.charAt(hostKeyLength + 1));
  return { hostKey: encodedPlace.slice(0, hostKeyLength), workerSlot: (high << 6) | low };
}

/**
 * A host key that stays the same across restarts of the same listen address on the same machine, because nginx maps it:
 * the first 4 base64url characters of a digest of both.
 */
export function chooseHostKey(digestBase64Url: string): string {
  const key = digestBase64Url.slice(0, hostKeyLength);
  if (!isHostKey(key)) throw new RangeError("the digest is not in base64url");
  return key;
}
