/** What applications, clients and misfortune do to a host: one random step after another. */

import {
  commands,
  encodeRoomsCommand,
  requestHeadBytes,
  requests,
  writeRequestHead,
} from "../../src/protocol/exchange-frames.js";
import { frameKinds } from "../../src/protocol/frame.js";
import { encodeRoom, type RoomName } from "../../src/protocol/room-key.js";
import type { ModelAdapter } from "./model-adapter.js";
import { type AdapterRecord, Message, type Selection, type SocketRecord } from "./records.js";
import { SimulatedRequest } from "./request-truth.js";
import type { StepName } from "./settings.js";
import type { SimulatedHost } from "./simulated-host.js";
import type { SimulatedWorker } from "./simulated-worker.js";
import { encodeRooms } from "./tagged-frames.js";

const nobody: ReadonlySet<RoomName> = new Set();
const requestTypes = [requests.fetchSockets, requests.serverSideEmit, requests.broadcast] as const;

export class History {
  readonly #host: SimulatedHost;
  readonly #weights: readonly (readonly [StepName, number])[];
  readonly #weightSum: number;

  constructor(host: SimulatedHost) {
    this.#host = host;
    this.#weights = Object.entries(host.settings.weights) as [StepName, number][];
    this.#weightSum = this.#weights.reduce((sum, [, weight]) => sum + weight, 0);
  }

  /** How long until the next step: most come at once, a few after all has calmed down. */
  chooseGapMs(): number {
    const { random } = this.#host;
    const dice = random.next();
    if (dice < 0.5) return random.between(0, 0.5);
    if (dice < 0.94) return random.between(0, 15);
    return dice < 0.99 ? random.between(15, 300) : random.between(300, 2_500);
  }

  step(): void {
    let left = this.#host.random.next() * this.#weightSum;
    for (const [name, weight] of this.#weights) {
      left -= weight;
      if (left < 0) {
        this.#take(name);
        return;
      }
    }
  }

  #take(name: StepName): void {
    const host = this.#host;
    const { random, settings } = host;
    const slot = random.below(settings.workers);
    switch (name) {
      case "killWorker":
        return host.killWorker(slot);
      case "killRouter":
        return host.killRouter();
      case "stopWorker":
        return host.stopWorker(slot, random.chance(0.5) ? random.between(5, 400) : random.between(400, 6_000));
      case "stopRouter":
        return host.stopRouter(random.chance(0.5) ? random.between(5, 400) : random.between(400, 4_000));
      case "cut":
        return host.cutConnection(slot);
      default:
    }
    const worker = host.workers[slot];
    // Who is stopped does nothing.
    if (worker?.isServing !== true || worker.process.stoppedSinceMs !== undefined) return;
    if (name === "namespace") {
      this.#changeNamespaces(worker);
      return;
    }
    const adapter = random.pick(worker.adapters);
    if (adapter !== undefined) this.#act(name, worker, adapter);
  }

  #act(name: StepName, worker: SimulatedWorker, adapter: ModelAdapter): void {
    const { random } = this.#host;
    const socket = random.pick([...adapter.sockets.values()]);
    switch (name) {
      case "connect":
        adapter.connect(this.#chooseId(worker, adapter));
        break;
      case "disconnect":
        if (socket !== undefined) adapter.disconnect(socket);
        break;
      case "join":
        if (socket !== undefined) adapter.join(socket, this.#chooseRooms(adapter.namespace, random.whole(1, 3)));
        break;
      case "leave":
        if (socket !== undefined) adapter.leave(socket, random.pick([...socket.rooms.keys()]) ?? "");
        break;
      case "emit":
        this.emit(worker, adapter, this.#chooseSelection(adapter), random.chance(0.12), []);
        break;
      case "joinAndEmit":
        this.#joinAndEmit(worker, adapter);
        break;
      case "command":
        this.#command(worker, adapter);
        break;
      case "request":
        this.request(
          worker,
          adapter,
          random.mustPick(requestTypes),
          this.#chooseRequestSelection(adapter),
          this.#chooseLimitMs(),
        );
        break;
      default:
    }
  }

  #chooseLimitMs(): number {
    return this.#host.random.mustPick([30, 500, 2_000, 5_000, 5_000]);
  }

  // Choices.

  /** Mostly an address of this worker; ids that recovered sockets brought along name other places, or none. */
  #chooseId(worker: SimulatedWorker, adapter: ModelAdapter): string {
    const { random, workers } = this.#host;
    const dice = random.next();
    if (dice < 0.8) return worker.createId();
    if (dice < 0.9) return `${adapter.namespace}#${worker.createId()}`;
    const other = random.pick(workers);
    return dice < 0.95 && other !== undefined ? other.createId() : `else${random.characters(16)}`;
  }

  #chooseRooms(namespace: string, count: number): RoomName[] {
    const { random, settings } = this.#host;
    const rooms: RoomName[] = [];
    for (let left = count; left > 0; left--) {
      rooms.push(random.chance(0.1) ? this.#chooseSocketId(namespace) : (random.pick(settings.rooms) ?? "red"));
    }
    return rooms;
  }

  #chooseSocketId(namespace: string): string {
    const adapters = this.#host.livingWorkers.flatMap((worker) =>
      worker.adapters.filter((adapter) => adapter.namespace === namespace),
    );
    const sockets = adapters.flatMap((adapter) => [...adapter.sockets.keys()]);
    return this.#host.random.pick(sockets) ?? "nobody";
  }

  #chooseSelection(adapter: ModelAdapter): Selection {
    const { random } = this.#host;
    const { namespace } = adapter;
    // What cannot be encoded excepts nobody elsewhere.
    const excepted = random.chance(0.2) ? this.#chooseRooms(namespace, random.whole(1, 2)) : [];
    const except = new Set(excepted.filter((room) => encodeRoom(room) !== undefined));
    const dice = random.next();
    if (dice < 0.12) return { rooms: nobody, except };
    if (dice < 0.32) return { rooms: new Set([this.#chooseSocketId(namespace)]), except };
    return { rooms: new Set(this.#chooseRooms(namespace, dice < 0.8 ? 1 : 3)), except };
  }

  #chooseRequestSelection(adapter: ModelAdapter): Selection {
    return this.#host.random.chance(0.5) ? { rooms: nobody, except: nobody } : this.#chooseSelection(adapter);
  }

  // Messages.

  #createMessage(
    what: string,
    lane: "message" | "request",
    worker: SimulatedWorker,
    namespace: string,
    selection: Selection,
    isVolatile = false,
  ): Message {
    const { truth, time, observer } = this.#host;
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
    const host = this.#host;
    const { namespace } = adapter;
    const message = this.#createMessage("broadcast", "message", worker, namespace, selection, isVolatile);
    adapter.deliver(message, adapter.select(selection));
    const body = Buffer.alloc(host.random.below(host.settings.maxBodyBytes));
    if (!worker.send(frameKinds.broadcast, message, body)) return;
    host.truth.oblige(message, host.livingWorkers, via, (other, sent) => host.canReach(other, sent));
  }

  #sendCommand(
    what: string,
    worker: SimulatedWorker,
    namespace: string,
    selection: Selection,
    body: Uint8Array,
  ): Message | undefined {
    const message = this.#createMessage(what, "message", worker, namespace, selection);
    return worker.send(frameKinds.command, message, body) ? message : undefined;
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
  #joinAndEmit(worker: SimulatedWorker, adapter: ModelAdapter): void {
    const { random } = this.#host;
    const selection = { ...this.#chooseSelection(adapter), except: nobody };
    const first = `joined ${random.below(6)}`;
    const command = this.#sendJoin(worker, adapter, selection, [first]);
    if (command === undefined) return;
    if (random.chance(0.7)) {
      this.emit(worker, adapter, { rooms: new Set([first]), except: nobody }, false, [command]);
      return;
    }
    const second = `then joined ${random.below(3)}`;
    const next = this.#sendJoin(worker, adapter, { rooms: new Set([first]), except: nobody }, [second]);
    if (next === undefined) return;
    this.emit(worker, adapter, { rooms: new Set([second]), except: nobody }, false, [command, next]);
  }

  #command(worker: SimulatedWorker, adapter: ModelAdapter): void {
    const { random } = this.#host;
    const selection = this.#chooseSelection(adapter);
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
    const rooms = [...this.#chooseRooms(adapter.namespace, 1), `joined ${random.below(6)}`];
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
    const host = this.#host;
    const meant = type === requests.serverSideEmit ? { rooms: nobody, except: nobody } : selection;
    const what = { 1: "fetchSockets", 2: "serverSideEmit", 3: "broadcast with acks" }[type];
    const message = this.#createMessage(what, "request", worker, adapter.namespace, meant);
    const { required, sockets } = this.#findRequired(message);
    const request = new SimulatedRequest(message, adapter, limitMs, required, sockets);
    host.requests.add(request);
    if (type === requests.broadcast) adapter.deliver(message, adapter.select(selection));
    const id = worker.session.openRequest(
      {
        onAnswer: (answerType, value) => host.requests.noteAnswer(request, answerType, value),
        onEnd: (end, counts) => host.requests.noteEnd(request, end, counts),
      },
      host.time.nowMs + limitMs,
    );
    const body = Buffer.alloc(requestHeadBytes);
    writeRequestHead(body, 0, adapter.uid, id, type);
    if (!worker.send(frameKinds.request, message, body)) {
      worker.session.failRequest(id);
      return;
    }
    if (type === requests.broadcast) {
      host.truth.oblige(message, host.livingWorkers, [], (other, sent) => host.canReach(other, sent));
    }
  }

  /** Everybody, when everybody is asked; else those with a socket that is certainly meant. */
  #findRequired(message: Message): { required: AdapterRecord[]; sockets: SocketRecord[] } {
    const host = this.#host;
    const required: AdapterRecord[] = [];
    const sockets: SocketRecord[] = [];
    for (const other of host.livingWorkers) {
      if (other === message.sender || !other.isServing) continue;
      for (const adapter of other.adapters) {
        if (adapter.namespace !== message.namespace || !host.canReach(adapter, message)) continue;
        const meant = [...adapter.sockets.values()].filter(
          (socket) => socket.isCertainlyIn(message.rooms, message.order) && !socket.isIn(message.except),
        );
        if (message.rooms.size === 0 || meant.length > 0) required.push(adapter);
        sockets.push(...meant);
      }
    }
    return { required, sockets };
  }

  // Namespaces.

  #changeNamespaces(worker: SimulatedWorker): void {
    const { random, settings } = this.#host;
    const closable = worker.adapters.filter((adapter) => adapter.namespace !== "/");
    const adapter = random.pick(closable);
    if (adapter !== undefined && random.chance(0.55)) {
      worker.closeNamespace(adapter);
      // A socket that was on its way when the namespace closed opens it again: beside a new one, perhaps.
      if (!random.chance(0.5)) return;
      if (random.chance(0.5)) worker.openNamespace(adapter.namespace);
      if (random.chance(0.5)) this.#reopenLater(worker, adapter);
      else worker.reopen(adapter);
      return;
    }
    const namespace = random.pick(settings.namespaces.slice(1));
    if (namespace === undefined) return;
    const isOpen = worker.adapters.some((other) => other.namespace === namespace);
    if (!isOpen || random.chance(0.2)) worker.openNamespace(namespace);
  }

  #reopenLater(worker: SimulatedWorker, adapter: ModelAdapter): void {
    worker.process.after(this.#host.random.between(0, 10), () => {
      if (!worker.adapters.includes(adapter)) worker.reopen(adapter);
    });
  }
}
