/** The chat page: ties the connection, the outbox and the view together. */

import { readAddress } from "/signalbox/client/index.js";
import { Connection } from "./connection.js";
import {
  cleanRoom,
  makeGuestName,
  makeMessageId,
  readName,
  readRoom,
  rememberName,
  roomUrl,
  secondWindowUrl,
} from "./identity.js";
import { Outbox } from "./outbox.js";
import { People } from "./people.js";
import * as view from "./view.js";

const answerTimeoutMs = 8_000;
const typingEveryMs = 2_000;
const maxSeenIds = 2_000;

const byId = (id) => document.getElementById(id);
const nameInput = byId("name");
const roomInput = byId("room");
const messageInput = byId("message");

let name = readName();
let room = readRoom();
let you; // this page's member record; undefined until the room is joined
let unread = 0;
let formerId; // this page's id in this room before its connection broke
let lastTypingMs = 0;
const seenIds = new Set();
const ownItems = new Map(); // list items of own messages that the server has not confirmed, by message id

const connection = new Connection(showState);
const { socket } = connection;
const people = new People(socket);
const ask = (event, request) => socket.timeout(answerTimeoutMs).emitWithAck(event, request);

const outbox = new Outbox({
  send: ({ id, text }) => ask("message", { id, text }),
  onDelivered: ({ id }) => confirmOwn(id, you),
  onRefused: ({ id }) => settleOwn(id, "refused", "Not sent: the server did not accept it"),
});

/* Connection */

function showState({ state, secondsLeft, sessionId, transport }) {
  const place = sessionId === undefined ? undefined : (readAddress(sessionId) ?? ownPlace());
  view.showBadge({ state, secondsLeft, place, transport });
  view.showOffline(state === "reconnecting" ? secondsLeft : undefined, ownItems.size);
}

/** Where the server says this page is: for a server whose session ids are not addresses. */
function ownPlace() {
  return you && { hostKey: you.host, workerSlot: you.worker };
}

socket.on("connect", () => void join());

socket.on("disconnect", () => {
  outbox.close();
  formerId = you?.id ?? formerId;
  you = undefined;
  view.announce("Connection lost. Reconnecting.");
});

async function join() {
  const wanted = room;
  const answer = await ask("join", { name, room, formerId }).catch(() => ({ ok: false, error: "no-answer" }));
  if (wanted !== room || !socket.connected) return;
  if (!answer.ok) return retryJoin(answer.error);
  you = answer.you;
  outbox.open();
  people.setOwnId(you.id);
  if (formerId === undefined) people.replaceAll(answer.people);
  else greetBack(formerId);
  view.announce(`Connected to worker ${you.worker}, in room ${room}.`);
}

function greetBack(oldId) {
  // The page's own list is better than what its new worker knows at once; the fresh list follows.
  people.put(you, oldId);
  view.addNotice(`Reconnected, now on worker ${you.worker}. Messages sent meanwhile may be missing.`);
}

function retryJoin(error) {
  if (error === "invalid-name") setName(makeGuestName());
  setTimeout(() => socket.connected && !you && void join(), 1_000);
}

/* Messages */

socket.on("message", (message) => {
  if (ownItems.has(message.id)) return confirmOwn(message.id, message.sender);
  if (isSeen(message.id)) return;
  view.addMessage(message, { isOwn: false, state: "delivered" });
  if (document.hidden) showUnread(unread + 1);
});

/** Remembers the id; true when it was there already: a message sent again after a break arrives twice. */
function isSeen(id) {
  if (seenIds.has(id)) return true;
  seenIds.add(id);
  if (seenIds.size > maxSeenIds) seenIds.delete(seenIds.values().next().value);
  return false;
}

function sendMessage(text) {
  const message = { id: makeMessageId(), text, sentAtMs: Date.now(), sender: you ?? { id: "self", name } };
  isSeen(message.id);
  const item = view.addMessage(message, { isOwn: true, state: "pending" });
  ownItems.set(message.id, item);
  // Only a wait that can be noticed is worth a word.
  setTimeout(() => ownItems.has(message.id) && view.setDelivery(item, "pending", "Not sent yet"), 700);
  outbox.add(message);
}

// The answer and the message itself may come in either order; the first to come confirms.
function confirmOwn(id, sender) {
  const item = ownItems.get(id);
  if (item && sender) view.showVia(item, sender);
  settleOwn(id, "delivered", "");
}

function settleOwn(id, state, text) {
  const item = ownItems.get(id);
  if (item) view.setDelivery(item, state, text);
  ownItems.delete(id);
}

byId("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = messageInput.value.trim();
  messageInput.focus();
  if (text === "") return;
  sendMessage(text);
  messageInput.value = "";
  lastTypingMs = 0;
  fitMessageInput();
});

messageInput.addEventListener("keydown", (event) => {
  // `isComposing`: Enter then only picks a word of an input method.
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId("composer").requestSubmit();
});

/** Grows the message box with its text, for browsers that do not do it by `field-sizing`. */
function fitMessageInput() {
  if (CSS.supports("field-sizing", "content")) return;
  messageInput.style.height = "auto";
  messageInput.style.height = `${messageInput.scrollHeight + 2}px`;
}

messageInput.addEventListener("input", () => {
  fitMessageInput();
  const now = performance.now();
  if (!you || messageInput.value === "" || now - lastTypingMs < typingEveryMs) return;
  lastTypingMs = now;
  socket.volatile.emit("typing");
});

function showUnread(count) {
  unread = count;
  view.showTitle(room, unread);
}

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) showUnread(0);
});

/* Name and room */

function setName(newName) {
  name = newName;
  showName();
  rememberName(newName);
}

function showName() {
  nameInput.value = name;
  byId("own-name").textContent = name;
}

async function rename() {
  const wanted = nameInput.value.trim();
  if (wanted === name) return;
  if (wanted === "") return setName(name);
  const former = name;
  setName(wanted);
  if (!you) return; // the join that is to come carries the new name
  const answer = await ask("rename", { name: wanted }).catch(() => ({ ok: true }));
  if (!answer.ok) {
    setName(former);
    view.addNotice("That name cannot be used here");
  } else if (you) {
    you = { ...you, name: wanted };
    people.put(you);
  }
}

nameInput.addEventListener("change", () => void rename());

byId("name-form").addEventListener("submit", (event) => {
  event.preventDefault();
  void rename();
  unfoldSide(false);
  messageInput.focus();
});

byId("room-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const wanted = cleanRoom(roomInput.value);
  byId("room-error").textContent = wanted ? "" : "Letters, digits, - and _, up to 32 characters";
  if (wanted === undefined || wanted === room) return;
  history.pushState(null, "", roomUrl(wanted));
  enterRoom(wanted);
  unfoldSide(false);
  messageInput.focus();
});

addEventListener("popstate", () => {
  if (readRoom() !== room) enterRoom(readRoom());
});

function enterRoom(newRoom) {
  room = newRoom;
  you = undefined;
  formerId = undefined;
  outbox.close();
  outbox.clear();
  ownItems.clear();
  people.clear();
  view.clearMessages();
  showRoom();
  if (socket.connected) void join();
}

function showRoom() {
  roomInput.value = room;
  byId("room-error").textContent = "";
  showUnread(0);
  for (const link of document.querySelectorAll(".second-window")) link.href = secondWindowUrl(room);
}

/* The rest of the page */

byId("reconnect").addEventListener("click", () => connection.connectNow());

/** On a narrow screen the people and settings fold away; on a wide one they are always there. */
function unfoldSide(isOpen) {
  byId("side").classList.toggle("open", isOpen);
  byId("people-toggle").setAttribute("aria-expanded", String(isOpen));
}

byId("people-toggle").addEventListener("click", () => unfoldSide(!byId("side").classList.contains("open")));

byId("side").addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || !byId("side").classList.contains("open")) return;
  unfoldSide(false);
  byId("people-toggle").focus();
});

byId("change-name").addEventListener("click", () => {
  unfoldSide(true);
  nameInput.select();
});

byId("copy-link").addEventListener("click", async (event) => {
  const button = event.currentTarget;
  const url = String(roomUrl(room));
  try {
    await navigator.clipboard.writeText(url);
    button.textContent = "Copied";
    view.announce("Link copied.");
  } catch {
    // No clipboard on plain http from another machine, or not allowed: then at least the link can be seen and taken.
    prompt("Link to this room", url);
  }
  setTimeout(() => (button.textContent = "Copy link"), 2_000);
});

showName();
showRoom();
showState({ state: "connecting", secondsLeft: 0 });
connection.connectNow();
if (matchMedia("(min-width: 51.01rem)").matches) messageInput.focus();
