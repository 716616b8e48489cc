// The yardstick: two processes with a plain WebSocket of ws between them, which carries what the load writes, unread.
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SERVER_CORE } from "../messages/measure.mjs";
import { ask } from "../shared/ask.mjs";
import { startPinned } from "../shared/processes.mjs";

/** `batch`: bytes of a message, of an answer, how many messages are answered at once, or `isEcho`. Otherwise as `startLinkPair`. */
export async function startPlainPair({ name, directory, listen, url, batch }) {
  const start = async (role, more) => {
    const args = [fileURLToPath(new URL("./plain-end.mjs", import.meta.url))];
    const end = startPinned({ name: `${name}-${role}`, core: SERVER_CORE, args, ipc: true });
    end.socketPath = join(directory, `${name}-${role}.sock`);
    await ask(end, { type: role, socketPath: end.socketPath, batch, ...more }, "ready");
    return end;
  };
  const taker = await start("take", { listen });
  const sender = await start("send", { url });
  return {
    name,
    processes: [sender, taker],
    ends: { from: { socketPath: sender.socketPath }, to: { socketPath: taker.socketPath } },
  };
}
