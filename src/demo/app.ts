/** The application that `npm start` runs: a chat with rooms, written as any Socket.IO application would be. */

import type { SignalboxApp, SignalboxServerOptions } from "../index.js";
import { serveChat } from "./chat.js";
import type { ChatServer } from "./chat-contract.js";
import { readPageFiles, servePage } from "./page-server.js";
import { Presence } from "./presence.js";

export const serverOptions: SignalboxServerOptions = {
  // The longest message is 2,000 characters; nothing the page sends needs more.
  maxHttpBufferSize: 64 * 1024,
};

const startChat: SignalboxApp = async (io, context) => {
  // The same server, with the chat's events in place of "any event".
  const chatServer = io as ChatServer;
  const files = await readPageFiles();
  if (!files.has("/signalbox/client/index.js")) context.log.warn("the browser library is not built: no page badge");
  servePage(context.httpServer, files);
  const presence = new Presence(chatServer, context.log);
  context.onDrain(() => presence.drain());
  serveChat(chatServer, presence, context, context.log);
};

export default startChat;
