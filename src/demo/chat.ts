/** Serves the chat: joins, renames, messages and leaving, for the sockets of this process. */

import type { SignalboxContext } from "../index.js";
import type { Answer, ChatServer, ChatSocket, JoinAnswer, Member } from "./chat-contract.js";
import {
  type ChatError,
  fillBucket,
  type Pace,
  parseJoin,
  parseMessage,
  parseRename,
  takeToken,
} from "./chat-rules.js";
import { describeMember, type Presence, roomKey } from "./presence.js";

const pace: Pace = { perSecond: 10, burst: 20 };

/** Where this process is in the fleet. */
type Place = Pick<SignalboxContext, "hostKey" | "workerSlot">;

export function serveChat(io: ChatServer, presence: Presence, place: Place, log: SignalboxContext["log"]): void {
  io.on("connection", (socket) => {
    const mayPass = limitPace();
    socket.on("join", (request, answer) => {
      if (!mayPass()) return reply(answer, refuse("too-fast"));
      join(socket, presence, place, request).then(
        (result) => reply(answer, result),
        // The page gets no answer, and asks again.
        (error: unknown) => log.error({ err: error }, "a join failed"),
      );
    });
    socket.on("rename", (request, answer) => {
      reply(answer, mayPass() ? rename(socket, presence, request) : refuse("too-fast"));
    });
    socket.on("message", (request, answer) => {
      reply(answer, mayPass() ? publish(io, socket, request) : refuse("too-fast"));
    });
    socket.on("typing", () => {
      const member = memberOf(socket);
      // Worth nothing later, hence volatile: a slow connection skips it.
      if (member && mayPass()) socket.to(roomKey(roomOf(socket))).volatile.emit("typing", member);
    });
    socket.on("disconnect", () => announceLeft(socket, presence));
  });
}

async function join(socket: ChatSocket, presence: Presence, place: Place, request: unknown): Promise<JoinAnswer> {
  const parsed = parseJoin(request);
  if (!parsed.ok) return parsed;
  const { name, room, formerId } = parsed.value;
  await leave(socket, presence);
  Object.assign(socket.data, { name, room, host: place.hostKey, worker: place.workerSlot });
  await socket.join(roomKey(room));
  const you = memberOf(socket);
  // The socket may have closed, or gone to a further room, while the join was on its way.
  if (!you || !socket.connected || socket.data.room !== room) return refuse("not-joined");
  // When a worker dies nobody says who left with it. The former id lets the pages strike out that one at once; it is
  // only the page's word, and the list that follows is what counts.
  socket.to(roomKey(room)).emit("joined", you, formerId ?? null);
  presence.announceChange(room);
  return { ok: true, you, people: presence.known(room) };
}

function rename(socket: ChatSocket, presence: Presence, request: unknown): Answer {
  const parsed = parseRename(request);
  if (!parsed.ok) return parsed;
  const former = memberOf(socket);
  if (!former) return refuse("not-joined");
  if (former.name === parsed.value.name) return { ok: true };
  socket.data.name = parsed.value.name;
  const room = roomOf(socket);
  socket.to(roomKey(room)).emit("renamed", { ...former, name: parsed.value.name }, former.name);
  presence.announceChange(room);
  return { ok: true };
}

function publish(io: ChatServer, socket: ChatSocket, request: unknown): Answer {
  const parsed = parseMessage(request);
  if (!parsed.ok) return parsed;
  const sender = memberOf(socket);
  if (!sender) return refuse("not-joined");
  io.to(roomKey(roomOf(socket))).emit("message", { ...parsed.value, sender, sentAtMs: Date.now() });
  return { ok: true };
}

async function leave(socket: ChatSocket, presence: Presence): Promise<void> {
  const { room } = socket.data;
  if (room === undefined) return;
  await socket.leave(roomKey(room));
  announceLeft(socket, presence);
}

function announceLeft(socket: ChatSocket, presence: Presence): void {
  const member = memberOf(socket);
  if (!member) return;
  const room = roomOf(socket);
  delete socket.data.room;
  socket.to(roomKey(room)).emit("left", member);
  presence.announceChange(room);
}

function memberOf(socket: ChatSocket): Member | undefined {
  return socket.data.room === undefined ? undefined : describeMember(socket.id, socket.data);
}

function roomOf(socket: ChatSocket): string {
  return socket.data.room ?? "";
}

function limitPace(): () => boolean {
  let bucket = fillBucket(pace, Date.now());
  return () => {
    const next = takeToken(bucket, pace, Date.now());
    bucket = next ?? bucket;
    return next !== undefined;
  };
}

/** Answers if the page asked for an answer; whoever calls may have sent something else in its place. */
function reply(answer: unknown, result: JoinAnswer | Answer): void {
  if (typeof answer === "function") answer(result);
}

function refuse(error: ChatError): { readonly ok: false; readonly error: ChatError } {
  return { ok: false, error };
}
