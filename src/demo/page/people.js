/** Keeps and shows who is in the room, who comes and goes, and who is typing, from what the server tells. */

import * as view from "./view.js";

const typingShownMs = 3_500;
/** Somebody who is back within this time (a reload, a worker that ended) is not announced as gone. */
const leaveGraceMs = 4_000;

export class People {
  #byId = new Map();
  #total = 0; // the server lists only the first of a big crowd
  #ownId;
  #typing = new Timers(() => view.showTyping(this.#typing.keys()));
  #leaving = new Timers();

  constructor(socket) {
    socket.on("people", (list) => this.replaceAll(list));
    socket.on("joined", (member, formerId) => this.#joined(member, formerId));
    socket.on("left", (member) => this.#left(member));
    socket.on("renamed", (member, formerName) => this.#renamed(member, formerName));
    socket.on("typing", (member) => this.#typing.start(member.name, typingShownMs));
    socket.on("message", (message) => this.#typing.stop(message.sender.name));
  }

  setOwnId(id) {
    this.#ownId = id;
  }

  replaceAll(list) {
    this.#byId = new Map(list.members.map((member) => [member.id, member]));
    this.#total = list.total;
    this.#draw();
  }

  /** Puts a member in the list, in the place of the one they were before a break if that one is still there. */
  put(member, formerId) {
    if (this.#byId.get(formerId)?.name === member.name) this.#remove(formerId);
    if (!this.#byId.has(member.id)) this.#total += 1;
    this.#byId.set(member.id, member);
    this.#draw();
  }

  /** Another room: nothing of this one goes on. */
  clear() {
    this.#typing.stopAll();
    this.#leaving.stopAll();
    this.replaceAll({ members: [], total: 0 });
  }

  #joined(member, formerId) {
    this.put(member, formerId);
    const wasLeaving = this.#leaving.stop(member.name);
    if (!wasLeaving && formerId === null) view.addNotice(`${member.name} joined`);
  }

  #left(member) {
    this.#remove(member.id);
    this.#draw();
    this.#typing.stop(member.name);
    this.#leaving.start(member.name, leaveGraceMs, () => view.addNotice(`${member.name} left`));
  }

  #renamed(member, formerName) {
    this.put(member);
    this.#typing.stop(formerName);
    view.addNotice(`${formerName} is now ${member.name}`);
  }

  #remove(id) {
    if (this.#byId.delete(id)) this.#total -= 1;
  }

  #draw() {
    view.showPeople([...this.#byId.values()], this.#total, this.#ownId);
  }
}

/** One timer per key; `onChange` runs whenever the set of running ones has changed. */
class Timers {
  #timerByKey = new Map();
  #onChange;

  constructor(onChange = () => {}) {
    this.#onChange = onChange;
  }

  keys() {
    return [...this.#timerByKey.keys()];
  }

  start(key, delayMs, onEnd = () => {}) {
    clearTimeout(this.#timerByKey.get(key));
    const end = () => {
      this.stop(key);
      onEnd();
    };
    this.#timerByKey.set(key, setTimeout(end, delayMs));
    this.#onChange();
  }

  /** Whether it was running. */
  stop(key) {
    clearTimeout(this.#timerByKey.get(key));
    const wasRunning = this.#timerByKey.delete(key);
    if (wasRunning) this.#onChange();
    return wasRunning;
  }

  stopAll() {
    for (const key of this.keys()) this.stop(key);
  }
}
