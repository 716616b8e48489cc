// The two kinds of client of the accept scenario. A client calls `onAccepted` once it is where its user wants it, closes, and calls
// `onEnd(error | undefined)` when all its connections are gone.
import { HttpPool } from "./http-connection.mjs";
import { encodeText, WebSocketConnection } from "./websocket-connection.mjs";

const CLIENT_TIMEOUT_MS = 5_000; // a lost byte shows as this; an accepted client needs well under a second at the limits used

// What a browser sends along: the head has the size that servers meet.
const BROWSER_HEADERS =
  "Host: localhost\r\n" +
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36\r\n" +
  "Accept-Encoding: gzip, deflate, br\r\nAccept-Language: en-GB,en;q=0.9\r\n" +
  "Cache-Control: no-cache\r\nPragma: no-cache\r\n";

const requestGet = (sid) =>
  `GET /socket.io/?EIO=4&transport=polling${sid === undefined ? "" : `&sid=${sid}`} HTTP/1.1\r\n${BROWSER_HEADERS}Accept: */*\r\nConnection: keep-alive\r\n\r\n`;
const requestPost = (sid, body) =>
  `POST /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\n${BROWSER_HEADERS}Accept: */*\r\nOrigin: http://localhost\r\nConnection: keep-alive\r\n` +
  `Content-Type: text/plain;charset=UTF-8\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
const requestUpgrade = (sid) =>
  `GET /socket.io/?EIO=4&transport=websocket${sid === undefined ? "" : `&sid=${sid}`} HTTP/1.1\r\n${BROWSER_HEADERS}Connection: Upgrade\r\nUpgrade: websocket\r\n` +
  "Origin: http://localhost\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
  "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n";

const UPGRADE_WITHOUT_SID = requestUpgrade(undefined);
const CONNECT_FRAME = encodeText("40");
const PROBE_FRAME = encodeText("2probe");
const UPGRADE_FRAME = encodeText("5");

/** WebSocket only: one TCP connection. */
export function startWebSocketOnlyClient(target, { onAccepted, onEnd }) {
  let isAccepted = false;
  const timer = setTimeout(() => connection.destroy(new Error("timeout")), CLIENT_TIMEOUT_MS);
  const connection = new WebSocketConnection(target, UPGRADE_WITHOUT_SID, {
    onOpen() {},
    onMessage(text) {
      if (text.startsWith("0{")) {
        connection.send(CONNECT_FRAME);
      } else if (text.startsWith("40{")) {
        isAccepted = true;
        onAccepted(1);
        connection.close();
      }
    },
    onClose(error) {
      clearTimeout(timer);
      onEnd(isAccepted ? undefined : (error ?? new Error("closed before 40")));
    },
  });
}

/**
 * Long-polling first, then the upgrade, as socket.io-client does by default. `order` "concurrent" is what that client does: the answer
 * to the handshake starts the POST, the probe and the poll at the same time. "sequential" does one after the other.
 */
export function startPollingFirstClient(target, { order, onAccepted, onEnd }) {
  const pool = new HttpPool(target);
  let sid;
  let webSocket;
  let hasConnect = false;
  let isPolling = false;
  let isPosting = false;
  let isProbed = false;
  let isUpgraded = false;
  let isAccepted = false;
  let isOver = false;
  const timer = setTimeout(() => fail(new Error("timeout")), CLIENT_TIMEOUT_MS);

  const fail = (error) => {
    if (!isOver) {
      isOver = true;
      clearTimeout(timer);
      pool.destroy();
      webSocket?.destroy();
      onEnd(error);
    }
  };
  const readAnswer = (step, onBody) => (error, answer) => {
    if (isOver) {
      return;
    }
    if (error !== undefined) {
      fail(new Error(`${step}: ${error.code ?? error.message}`));
    } else if (answer.status !== 200) {
      fail(new Error(`${step}: HTTP ${answer.status}`));
    } else {
      onBody(answer.body);
    }
  };

  const handshake = () =>
    pool.request(
      requestGet(undefined),
      readAnswer("handshake", (body) => {
        sid = body.slice(9, body.indexOf('"', 9)); // 0{"sid":"…
        post();
        if (order === "concurrent") {
          probe();
          poll();
        }
      }),
    );

  const post = () => {
    isPosting = true;
    pool.request(
      requestPost(sid, "40"),
      readAnswer("post", () => {
        isPosting = false;
        if (order === "sequential") {
          poll();
        }
        upgradeIfPaused();
      }),
    );
  };

  const poll = () => {
    isPolling = true;
    pool.request(
      requestGet(sid),
      readAnswer("poll", (body) => {
        isPolling = false;
        const isFirst = !hasConnect;
        hasConnect ||= body.startsWith("40{") || body.includes("\x1e40{");
        if (!isProbed) {
          poll();
        }
        if (order === "sequential" && isFirst && hasConnect) {
          probe();
        }
        upgradeIfPaused();
      }),
    );
  };

  const probe = () => {
    webSocket = new WebSocketConnection(target, requestUpgrade(sid), {
      onOpen: () => webSocket.send(PROBE_FRAME),
      onMessage(text) {
        if (text === "3probe") {
          isProbed = true;
          upgradeIfPaused();
        } else if (text.startsWith("40{")) {
          hasConnect = true;
          acceptIfDone();
        }
      },
      onClose(error) {
        if (isOver) {
          return;
        }
        if (!isAccepted) {
          fail(new Error(`upgrade: ${error?.code ?? error?.message ?? "closed"}`));
          return;
        }
        pool.close(() => {
          isOver = true;
          clearTimeout(timer);
          onEnd(undefined);
        });
      },
    });
  };

  // The polling transport is paused once no request of it is under way; only then the client says "5".
  const upgradeIfPaused = () => {
    if (isProbed && !isPolling && !isPosting && !isUpgraded) {
      isUpgraded = true;
      webSocket.send(UPGRADE_FRAME);
      acceptIfDone();
    }
  };

  const acceptIfDone = () => {
    if (isUpgraded && hasConnect && !isAccepted) {
      isAccepted = true;
      onAccepted(pool.openedCount + 1);
      webSocket.close();
    }
  };

  handshake();
}
