/**
 * Gathers what goes to one WebSocket client in one turn of the event loop into one write: at load, a system call for each
 * message is most of what a delivery costs (44 % of a worker's time in the room benchmark).
 *
 * Finished frames go to the client's TCP socket directly, which is corked until the turn ends. Engine.IO would send the
 * first at once, and the others one by one when that is written. It keeps its part of the bargain: as soon as anything
 * waits in Engine.IO or in the socket, or somebody listens, messages take Engine.IO's way, so order and back-pressure
 * stay as they are, and so does what is dropped of volatile messages when a client does not read. Of several volatile
 * messages in one turn all are sent, where Engine.IO sends the first.
 */

/** The connection of a client (engine.io 6.6 `Socket`, with a WebSocket transport of ws 8); private faces, pinned by tests. */
export interface EngineConnection {
  readonly readyState: string;
  readonly writeBuffer?: readonly unknown[];
  readonly transport: EngineTransport;
  /** Engine.IO's server, which emits `flush` and `drain` as well. */
  readonly server?: { listenerCount(event: string): number };
  write(data: unknown, options: MessageOptions): unknown;
  listenerCount(event: string): number;
}

export interface EngineTransport {
  readonly writable: boolean;
  /** The response that long-polling waits with. */
  readonly res?: { readonly socket?: RawSocket | null } | null;
  /** ws' WebSocket, of the WebSocket transport. */
  readonly socket?: { readonly _socket?: RawSocket; readonly _sender?: FrameSink };
  /** Whether the transport writes a finished frame and never looks at the text. */
  _canSendPreEncodedFrame?(packet: { options: MessageOptions }): boolean;
}

/** Options that Engine.IO keeps with a message. */
export interface MessageOptions {
  preEncoded: true;
  volatile: boolean | undefined;
  compress: boolean | undefined;
  /** What the WebSocket transport writes instead of encoding the message itself. */
  wsPreEncodedFrame?: readonly Buffer[];
}

interface RawSocket {
  readonly writable: boolean;
  readonly writableLength: number;
  readonly writableCorked: number;
  cork(): void;
  uncork(): void;
}

interface FrameSink {
  sendFrame(frame: readonly Buffer[], callback?: () => void): void;
}

/** Sockets corked in this turn. */
let corked: RawSocket[] = [];
/** The process ends: there is no end of the turn to wait for. */
let isEnding = false;
/** What has to be on its way before clients hear of anything. */
const flushesBefore = new Set<() => void>();

/**
 * Calls `flush` before the writes that were held in a turn: what a client is told, and tells others, must not overtake
 * what this worker has said to the router.
 */
export function flushBeforeClientWrites(flush: () => void): void {
  flushesBefore.add(flush);
}

export function stopFlushingBeforeClientWrites(flush: () => void): void {
  flushesBefore.delete(flush);
}

function endTurn(): void {
  for (const flush of flushesBefore) flush();
  const sockets = corked;
  corked = [];
  for (const socket of sockets) socket.uncork();
}

// An application that says goodbye and exits in the same turn, or in its own listener of this: its last words are written.
process.once("exit", () => {
  isEnding = true;
  endTurn();
});

function corkForTurn(socket: RawSocket): void {
  if (corked.length === 0) setImmediate(endTurn);
  socket.cork();
  corked.push(socket);
}

/** Holds what is written to a client until the turn ends, whichever way it takes. */
export function holdForTurn(connection: EngineConnection): void {
  const { transport } = connection;
  const raw = transport.socket?._socket ?? transport.res?.socket;
  if (!isEnding && raw?.writable === true && raw.writableCorked === 0) corkForTurn(raw);
}

/**
 * Writes a finished frame with what else goes to this client in this turn. False when it must take Engine.IO's way.
 * The caller has checked that the transport would write the frame as it is.
 */
export function writeGathered(connection: EngineConnection, frame: readonly Buffer[]): boolean {
  const { transport } = connection;
  if (isEnding || connection.readyState !== "open" || !transport.writable) return false;
  if (connection.writeBuffer?.length !== 0) return false;
  const raw = transport.socket?._socket;
  const sink = transport.socket?._sender;
  if (raw === undefined || sink === undefined || raw.writable !== true) return false;
  if (raw.writableCorked === 0) {
    // Something is on its way already: the client is slow, or somebody else writes.
    if (raw.writableLength > 0) return false;
    corkForTurn(raw);
  }
  sink.sendFrame(frame);
  return true;
}

/**
 * Nothing can be written to the client now: what is volatile is dropped. Engine.IO does not know of what was gathered and
 * has not left. Within a turn it is not looked at: what comes from another worker in one piece is not one message.
 */
export function isBusy({ transport }: EngineConnection): boolean {
  if (!transport.writable) return true;
  const raw = transport.socket?._socket;
  return raw !== undefined && raw.writableCorked === 0 && raw.writableLength > 0;
}

/** Nobody wants to see messages pass, or to know when they are written. */
export function isUnobserved(connection: EngineConnection): boolean {
  const { server } = connection;
  return (
    connection.listenerCount("packetCreate") === 0 &&
    connection.listenerCount("flush") === 0 &&
    connection.listenerCount("drain") === 0 &&
    // One is the fabric's own, which looks after the order of what is said to clients and to the router.
    (server === undefined || (server.listenerCount("flush") <= 1 && server.listenerCount("drain") === 0))
  );
}
