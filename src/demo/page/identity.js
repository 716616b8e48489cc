/** Who this page is and which room it shows: reads and writes the URL and the browser's storage, nothing else. */

const nameKey = "signalbox-chat-name";
const roomPattern = /^[\p{L}\p{N}_-]{1,32}$/u;

export const defaultRoom = "lobby";

/**
 * The name to start with. A window opened as a "second window" starts as another guest, so that one person trying the
 * chat alone does not meet themselves; it keeps that name to itself.
 */
export function readName() {
  const url = new URL(location.href);
  if (url.searchParams.has("guest")) {
    url.searchParams.delete("guest");
    history.replaceState(null, "", url);
    write(() => sessionStorage, makeGuestName());
  }
  const name = read(() => sessionStorage) ?? read(() => localStorage) ?? makeGuestName();
  if (read(() => localStorage) === null) write(() => localStorage, name);
  return name;
}

export function rememberName(name) {
  if (read(() => sessionStorage) === null) write(() => localStorage, name);
  else write(() => sessionStorage, name);
}

export function makeGuestName() {
  return `Guest ${100 + Math.floor(Math.random() * 900)}`;
}

/** The room named in the URL (`?room=lobby` or `#lobby`). */
export function readRoom() {
  const named = new URL(location.href).searchParams.get("room") ?? decodeHash(location.hash);
  return cleanRoom(named) ?? defaultRoom;
}

/** The room as the server will accept it, or undefined. */
export function cleanRoom(text) {
  const room = text.trim().replace(/^#/, "").replace(/\s+/g, "-").normalize("NFC");
  return roomPattern.test(room) ? room : undefined;
}

export function roomUrl(room) {
  const url = new URL("/", location.href);
  url.searchParams.set("room", room);
  return url;
}

export function secondWindowUrl(room) {
  const url = roomUrl(room);
  url.searchParams.set("guest", "");
  return url;
}

/** An id nobody can guess. `crypto.randomUUID` would fail on a page served over plain http from another machine. */
export function makeMessageId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function decodeHash(hash) {
  try {
    return decodeURIComponent(hash);
  } catch {
    // A stray % in the address: no room is named.
    return "";
  }
}

// Storage can be switched off; even naming it may throw then.
function read(storage) {
  try {
    return storage().getItem(nameKey);
  } catch {
    return null;
  }
}

function write(storage, name) {
  try {
    storage().setItem(nameKey, name);
  } catch {
    // The name then lasts as long as the page.
  }
}
