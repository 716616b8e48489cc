/** What applications do: they emit, make sockets of others join and leave, and ask. */

import {
  commands,
  encodeRoomsCommand,
  requestHeadBytes,
  requests,
  writeRequestHead,
} from "../../src/protocol/exchange-frames.js";
import { frameKinds } from "../../src/protocol/frame.js";
import type { RoomName } from "../../src/protocol/room-key.js";
import type { Choices } from "./choices.js";
import type { ModelAdapter } from "./model-adapter.js";
import { type AdapterRecord, Message, type Selection, type SocketRecord } from "./records.js";
import { SimulatedRequest } from "./request-truth.js";
import type { SimulatedFleet } from "./simulated-fleet.js";
import type { SimulatedWorker } from "./simulated-worker.js";
import { encodeRooms } from "./tagged-frames.js";

const nobody: ReadonlySet<RoomName> = new Set();

export class Applications {
  readonly #fleet: SimulatedFleet;
  readonly #choices: Choices;

  constructor(fleet: SimulatedFleet, choices: Choices) {
    this.#fleet = fleet;
    this.#choices = choices;
  }

  #createMessage(
    what: string,
    lane: "message" | "request",
    worker: SimulatedWorker,
    namespace: string,
    selection: Selection,
    isVolatile = false,
  ): Message {
    const { truth, time, observer } = this.#fleet;
    const message = new Message({
      id: truth.messages.length,
      what,
      lane,
      sender: worker,
      sequence: ++worker.sequence,
      namespace,
      rooms: selection.rooms,
      except: selection.except,
      isVolatile,
      order: truth.nextOrder,
      sentMs: time.nowMs,
      isAtRest: time.nowMs >= this.#fleet.exactSinceMs,
    });
    truth.note(message);
    observer.log?.(`${worker.name} sends ${message}`);
    return message;
  }

  emit(
    worker: SimulatedWorker,
    adapter: ModelAdapter,
    selection: Selection,
    isVolatile: boolean,
    via: readonly Message[],
  ): void {
    const fleet = this.#fleet;
    const { namespace } = adapter;
    const message = this.#createMessage("broadcast", "message", worker, namespace, selection, isVolatile);
    adapter.deliver(message, adapter.select(selection));
    const body = Buffer.alloc(fleet.random.below(fleet.settings.maxBodyBytes));
    if (!worker.sender.send(frameKinds.broadcast, message, body)) return;
    fleet.truth.oblige(message, fleet.livingWorkers, via, (other, sent) => fleet.canReach(other, sent));
  }

  #sendCommand(
    what: string,
    worker: SimulatedWorker,
    namespace: string,
    selection: Selection,
    body: Uint8Array,
  ): Message | undefined {
    const message = this.#createMessage(what, "message", worker, namespace, selection);
    return worker.sender.send(frameKinds.command, message, body) ? message : undefined;
  }

  #sendJoin(
    worker: SimulatedWorker,
    adapter: ModelAdapter,
    selection: Selection,
    rooms: readonly RoomName[],
  ): Message | undefined {
    for (const socket of adapter.select(selection)) adapter.join(socket, rooms);
    const body = encodeRoomsCommand(commands.socketsJoin, encodeRooms(rooms));
    const what = `socketsJoin ${rooms.map(String).join("+")}`;
    return this.#sendCommand(what, worker, adapter.namespace, selection, body);
  }

  /** What is sent to a room right after sockets were told to join it reaches them; over two steps, too. */
  joinAndEmit(worker: SimulatedWorker, adapter: ModelAdapter): void {
    const { random } = this.#fleet;
    const selection = { ...this.#choices.chooseSelection(adapter), except: nobody };
    const first = `joined ${random.below(6)}`;
    const command = this.#sendJoin(worker, adapter, selection, [first]);
    if (command === undefined) return;
    if (random.chance(0.7)) {
      this.emit(worker, adapter, { rooms: new Set([first]), except: nobody }, false, [command]);
      if (random.chance(0.4)) this.#emitLater(worker, adapter, first, command);
      return;
    }
    const second = `then joined ${random.below(3)}`;
    const next = this.#sendJoin(worker, adapter, { rooms: new Set([first]), except: nobody }, [second]);
    if (next === undefined) return;
    this.emit(worker, adapter, { rooms: new Set([second]), except: nobody }, false, [command, next]);
  }

  /** Until the others have carried it out, or said what came of it: unless something happens to them meanwhile. */
  #emitLater(worker: SimulatedWorker, adapter: ModelAdapter, room: RoomName, command: Message): void {
    const fleet = this.#fleet;
    worker.process.after(fleet.random.between(0, 12), () => {
      const areSteady = fleet.livingWorkers.every((other) => other.isSteadySince(command.sentMs));
      const isSteady = areSteady && (fleet.bus === undefined || fleet.isBusSteadySince(command.sentMs));
      if (!isSteady || command.isLossy || !worker.adapters.includes(adapter)) return;
      this.emit(worker, adapter, { rooms: new Set([room]), except: nobody }, false, [command]);
    });
  }

  command(worker: SimulatedWorker, adapter: ModelAdapter): void {
    const { random } = this.#fleet;
    const selection = this.#choices.chooseSelection(adapter);
    if (random.chance(0.2)) {
      this.#sendCommand(
        "disconnectSockets",
        worker,
        adapter.namespace,
        selection,
        Buffer.of(commands.disconnectSockets, 1),
      );
      for (const socket of adapter.select(selection)) adapter.disconnect(socket);
      return;
    }
    const rooms = [...this.#choices.chooseRooms(adapter.namespace, 1), `joined ${random.below(6)}`];
    for (const socket of adapter.select(selection)) for (const room of rooms) adapter.leave(socket, room);
    const body = encodeRoomsCommand(commands.socketsLeave, encodeRooms(rooms));
    this.#sendCommand("socketsLeave", worker, adapter.namespace, selection, body);
  }

  // Requests.

  request(
    worker: SimulatedWorker,
    adapter: ModelAdapter,
    type: 1 | 2 | 3,
    selection: Selection,
    limitMs: number,
  ): void {
    const fleet = this.#fleet;
    const meant = type === requests.serverSideEmit ? { rooms: nobody, except: nobody } : selection;
    const what = { 1: "fetchSockets", 2: "serverSideEmit", 3: "broadcast with acks" }[type];
    // The others may wait for a worker that is expected back, and are overtaken.
    const lane = type === requests.broadcast ? "message" : "request";
    const message = this.#createMessage(what, lane, worker, adapter.namespace, meant);
    const { required, sockets } = this.#findRequired(message);
    const request = new SimulatedRequest(message, adapter, limitMs, required, sockets);
    fleet.requests.add(request);
    if (type === requests.broadcast) adapter.deliver(message, adapter.select(selection));
    const id = worker.session.openRequest(
      {
        onAnswer: (answerType, value) => fleet.requests.noteAnswer(request, answerType, value),
        onEnd: (end, counts) => fleet.requests.noteEnd(request, end, counts),
      },
      fleet.time.nowMs + limitMs,
    );
    const body = Buffer.alloc(requestHeadBytes);
    writeRequestHead(body, 0, adapter.uid, id, type);
    if (!worker.sender.send(frameKinds.request, message, body)) {
      worker.session.failRequest(id);
      return;
    }
    if (type === requests.broadcast) {
      fleet.truth.oblige(message, fleet.livingWorkers, [], (other, sent) => fleet.canReach(other, sent));
    }
  }

  /** Everybody, when everybody is asked; else those with a socket that is certainly meant. */
  #findRequired(message: Message): { required: AdapterRecord[]; sockets: SocketRecord[] } {
    const fleet = this.#fleet;
    const required: AdapterRecord[] = [];
    const sockets: SocketRecord[] = [];
    for (const other of fleet.livingWorkers) {
      if (other === message.sender || !other.isServing) continue;
      for (const adapter of other.adapters) {
        if (adapter.namespace !== message.namespace || !fleet.canReach(adapter, message)) continue;
        const meant = [...adapter.sockets.values()].filter(
          (socket) => socket.isCertainlyIn(message.rooms, message) && !socket.isIn(message.except),
        );
        if (message.rooms.size === 0 || meant.length > 0) required.push(adapter);
        sockets.push(...meant);
      }
    }
    return { required, sockets };
  }
}
