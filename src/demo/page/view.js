/** Draws the conversation, the people and the badge. All text goes in as text, never as HTML. */

const maxShown = 500;
const groupMs = 3 * 60_000;
/** Closer to the end than this, the view follows new messages. */
const nearEndPx = 80;

const timeFormat = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const byId = (id) => document.getElementById(id);

export const messageList = byId("messages");
const scroller = byId("scroller");
const jump = byId("jump");
const empty = byId("empty");

jump.addEventListener("click", () => scrollToEnd());
scroller.addEventListener("scroll", () => {
  if (isNearEnd()) jump.hidden = true;
});
// The list keeps its end in view when the window, the composer or an on-screen keyboard changes its height; the words
// of an empty room keep their beginning.
let wasNearEnd = true;
scroller.addEventListener("scroll", () => (wasNearEnd = isNearEnd()), { passive: true });
new ResizeObserver(() => wasNearEnd && empty.hidden && scrollToEnd()).observe(scroller);

/** Adds a message; `state` is "pending" for an own one that the server has not confirmed. */
export function addMessage(message, { isOwn, state }) {
  const item = element("li", `message${isOwn ? " own" : ""}`);
  item.dataset.id = message.id;
  item.dataset.sender = message.sender.id;
  item.dataset.sentAt = String(message.sentAtMs);
  item.dataset.state = state;
  item.classList.toggle("follows", follows(messageList.lastElementChild, message));
  const head = element("div", "message-head");
  const sender = element("span", "sender", message.sender.name);
  head.append(sender, time(message), element("span", "via", describeVia(message.sender)));
  if (item.classList.contains("follows")) head.classList.add("unseen");
  const bubble = element("div", "bubble");
  bubble.append(element("p", "text", message.text));
  item.append(avatar(message.sender.name), head, bubble);
  if (isOwn) item.append(element("p", "delivery"));
  append(item, isOwn);
  return item;
}

export function setDelivery(item, state, text) {
  item.dataset.state = state;
  item.querySelector(".delivery").textContent = text;
  if (wasNearEnd) scrollToEnd();
}

/** Shows which worker took an own message in, once that is known. */
export function showVia(item, sender) {
  item.querySelector(".via").textContent = describeVia(sender);
}

export function addNotice(text) {
  append(element("li", "notice", text), false);
}

export function clearMessages() {
  messageList.replaceChildren();
  empty.hidden = false;
  jump.hidden = true;
}

export function showPeople(members, total, ownId) {
  const sorted = [...members].sort((a, b) => Number(b.id === ownId) - Number(a.id === ownId) || compareNames(a, b));
  byId("people").replaceChildren(...sorted.map((member) => personItem(member, member.id === ownId)));
  byId("people-count").textContent = String(total);
  byId("people-toggle-count").textContent = String(total);
  const places = new Set(members.map((member) => `${member.host}/${member.worker}`));
  const hosts = new Set(members.map((member) => member.host));
  byId("people-summary").textContent = members.length < 2 ? "" : describeSpread(places.size, hosts.size);
  if (total > members.length) byId("people").append(element("li", "hint", `and ${total - members.length} more`));
}

export function showBadge({ state, secondsLeft, place, transport }) {
  const badge = byId("badge");
  badge.dataset.state = state;
  badge.dataset.host = place?.hostKey ?? "";
  badge.dataset.worker = place === undefined ? "" : String(place.workerSlot);
  badge.dataset.transport = transport ?? "";
  byId("badge-state").textContent = describeState(state, secondsLeft);
  showPart(byId("badge-host"), place && `host ${place.hostKey}`);
  showPart(byId("badge-worker"), place && `worker ${place.workerSlot}`);
  showPart(byId("badge-transport"), transport);
}

export function showOffline(secondsLeft, waitingCount) {
  byId("offline").hidden = secondsLeft === undefined;
  if (secondsLeft === undefined) return;
  const wait = secondsLeft > 0 ? `Reconnecting in ${secondsLeft} s.` : "Reconnecting…";
  const kept = waitingCount === 0 ? "You can go on writing." : "What you wrote is sent then.";
  setText(byId("offline-text"), `${wait} ${kept}`);
}

export function showTyping(names) {
  const [first, second] = names;
  const sentences = ["", `${first} is typing…`, `${first} and ${second} are typing…`];
  setText(byId("typing"), sentences[names.length] ?? "Several people are typing…");
}

/** Says something to a screen reader that others see elsewhere. */
export function announce(text) {
  setText(byId("announcer"), text);
}

export function showTitle(room, unread) {
  byId("room-title").textContent = `# ${room}`;
  document.title = `${unread > 0 ? `(${unread}) ` : ""}#${room} · Signalbox chat`;
}

function append(item, isOwn) {
  const shouldFollow = isOwn || isNearEnd();
  empty.hidden = empty.hidden || item.classList.contains("message");
  messageList.append(item);
  while (messageList.childElementCount > maxShown) messageList.firstElementChild.remove();
  if (shouldFollow) scrollToEnd();
  else jump.hidden = false;
}

function follows(previous, message) {
  if (!previous?.classList.contains("message") || previous.dataset.sender !== message.sender.id) return false;
  return message.sentAtMs - Number(previous.dataset.sentAt) < groupMs;
}

function isNearEnd() {
  return scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < nearEndPx;
}

function scrollToEnd() {
  scroller.scrollTop = scroller.scrollHeight;
  jump.hidden = true;
  wasNearEnd = true;
}

function personItem(member, isYou) {
  const item = element("li", `person${isYou ? " you" : ""}`);
  item.dataset.id = member.id;
  item.dataset.worker = String(member.worker);
  const worker = element("span", "worker", `worker ${member.worker}`);
  worker.title = `on host ${member.host}`;
  item.append(avatar(member.name), element("span", "person-name", member.name));
  if (isYou) item.append(element("span", "person-you", "(you)"));
  item.append(worker);
  return item;
}

function avatar(name) {
  const initials = name
    .split(/\s+/)
    .map((word) => [...word][0] ?? "")
    .filter(Boolean);
  const mark = element("span", "avatar", initials.slice(0, 2).join("").toLocaleUpperCase());
  mark.setAttribute("aria-hidden", "true");
  mark.style.setProperty("--hue", String(hueOf(name)));
  return mark;
}

function hueOf(name) {
  let hash = 0x811c9dc5; // FNV-1a
  for (const character of name) hash = Math.imul(hash ^ character.codePointAt(0), 0x01000193) >>> 0;
  // Steps of 24 degrees: close hues would look like the same person.
  return ((hash >>> 8) % 15) * 24;
}

function time(message) {
  const node = element("time", "", timeFormat.format(message.sentAtMs));
  node.dateTime = new Date(message.sentAtMs).toISOString();
  return node;
}

function describeVia(sender) {
  return sender.worker === undefined ? "" : `worker ${sender.worker}`;
}

function describeSpread(workers, hosts) {
  const onWorkers = workers === 1 ? "All on one worker" : `Spread over ${workers} workers`;
  return hosts > 1 ? `${onWorkers} on ${hosts} hosts` : onWorkers;
}

function describeState(state, secondsLeft) {
  if (state === "connected") return "Connected";
  if (state === "connecting") return "Connecting";
  return secondsLeft > 0 ? `Reconnecting in ${secondsLeft} s` : "Reconnecting";
}

function compareNames(a, b) {
  return a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1);
}

function showPart(node, text) {
  node.hidden = !text;
  setText(node, text ?? "");
}

// Unchanged text is left alone: a live region would be read out again.
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}
