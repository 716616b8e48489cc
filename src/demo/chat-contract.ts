/** The events and records that the demo's page and its server exchange: types only, no behaviour. */

import type { DefaultEventsMap, Server, Socket } from "socket.io";
import type { ChatError } from "./chat-rules.js";

/** Somebody in a room, and the place in the fleet that serves them. */
export interface Member {
  readonly id: string;
  readonly name: string;
  readonly host: string;
  readonly worker: number;
}

/** Who is in a room; `members` is cut short in a big room, `total` is not. */
export interface PeopleList {
  readonly members: readonly Member[];
  readonly total: number;
}

export interface ChatMessage {
  readonly id: string;
  readonly text: string;
  readonly sender: Member;
  readonly sentAtMs: number;
}

export type Refusal = { readonly ok: false; readonly error: ChatError };
export type JoinAnswer = { readonly ok: true; readonly you: Member; readonly people: PeopleList } | Refusal;
export type Answer = { readonly ok: true } | Refusal;

/** What the page sends. Every argument is `unknown`: anybody can send anything. */
export interface PageEvents {
  join(request: unknown, answer: unknown): void;
  rename(request: unknown, answer: unknown): void;
  message(request: unknown, answer: unknown): void;
  typing(): void;
}

/** What the page receives. */
export interface ServerEvents {
  people(list: PeopleList): void;
  /** `formerId` is the id of somebody who is back after a break, else null. */
  joined(member: Member, formerId: string | null): void;
  left(member: Member): void;
  renamed(member: Member, formerName: string): void;
  message(message: ChatMessage): void;
  typing(member: Member): void;
}

/** Kept in `socket.data`: the adapters carry it between processes, so it holds only what others need to see. */
export interface SocketData {
  name?: string;
  room?: string;
  host?: string;
  worker?: number;
}

export type ChatServer = Server<PageEvents, ServerEvents, DefaultEventsMap, SocketData>;
export type ChatSocket = Socket<PageEvents, ServerEvents, DefaultEventsMap, SocketData>;
