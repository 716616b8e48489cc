// One end of the yardsticks: what comes from a Unix socket goes into messages of a WebSocket, or comes out of them; each so many
// messages are answered, or, as an echo, each with itself. No session, no rooms, nothing kept: what ws alone takes for the same bytes.
import { createServer as createHttpServer } from "node:http";
import { createServer } from "node:net";
import { WebSocket, WebSocketServer } from "ws";

const FULL_BYTES = 1_024 * 1_024; // as a link: beyond it the reader waits

/** Takes the bytes of a stream to pieces of the same length; without a length, as they come. */
function createBatcher(batchBytes, send) {
  let chunks = [];
  let heldBytes = 0;
  return (chunk) => {
    if (batchBytes === 0) {
      send(chunk);
      return;
    }
    chunks.push(chunk);
    heldBytes += chunk.length;
    while (heldBytes >= batchBytes) {
      const held = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, heldBytes);
      send(held.subarray(0, batchBytes));
      chunks = [held.subarray(batchBytes)];
      heldBytes -= batchBytes;
    }
  };
}

async function send({ socketPath, url, batch }) {
  const webSocket = new WebSocket(url, { perMessageDeflate: false });
  await new Promise((resolve, reject) => {
    webSocket.once("open", resolve);
    webSocket.once("error", reject);
  });
  const server = createServer((socket) => {
    const resume = () => webSocket.bufferedAmount < FULL_BYTES / 2 && socket.isPaused() && socket.resume();
    const push = createBatcher(batch.bytes, (bytes) => webSocket.send(bytes, { binary: true }, resume));
    socket.on("data", (chunk) => {
      push(chunk);
      if (webSocket.bufferedAmount >= FULL_BYTES) {
        socket.pause();
      }
    });
    socket.on("error", () => {}); // the load ends
  });
  await listenAt(server, { path: socketPath });
}

async function take({ socketPath, listen, batch }) {
  let out;
  await listenAt(
    createServer((socket) => {
      out = socket.on("error", () => {});
    }),
    { path: socketPath },
  );
  const http = createHttpServer();
  const webSockets = new WebSocketServer({ server: http, perMessageDeflate: false });
  webSockets.on("connection", (webSocket) => {
    const answer = Buffer.alloc(batch.answerBytes);
    let count = 0;
    webSocket.on("message", (bytes) => {
      if (!out.write(bytes) && out.writableLength > FULL_BYTES && !webSocket.isPaused) {
        webSocket.pause();
        out.once("drain", () => webSocket.resume());
      }
      if (batch.isEcho) {
        webSocket.send(bytes, { binary: true });
      } else if (++count % batch.perAnswer === 0) {
        webSocket.send(answer, { binary: true });
      }
    });
  });
  await listenAt(http, listen.kind === "unix" ? { path: listen.path } : listen);
}

const listenAt = (server, place) =>
  new Promise((resolve, reject) => server.once("error", reject).listen(place, resolve));

process.on("message", (message) => {
  const begin = message.type === "send" ? send : take;
  begin(message).then(
    () => process.send({ type: "ready" }),
    (error) => process.send({ type: "failed", reason: error.message }),
  );
});
process.on("disconnect", () => process.exit());
process.on("SIGTERM", () => process.exit());
process.on("SIGINT", () => {}); // Ctrl-C reaches the whole group; the scenario ends its processes itself
