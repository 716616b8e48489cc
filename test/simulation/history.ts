/** What applications, clients and misfortune do to a fleet: one random step after another. */

import { requests } from "../../src/protocol/exchange-frames.js";
import type { RoomName } from "../../src/protocol/room-key.js";
import { Applications } from "./applications.js";
import { Choices } from "./choices.js";
import type { ModelAdapter } from "./model-adapter.js";
import type { StepName } from "./settings.js";
import type { SimulatedFleet } from "./simulated-fleet.js";
import type { SimulatedHost } from "./simulated-host.js";
import type { SimulatedWorker } from "./simulated-worker.js";

const requestTypes = [requests.fetchSockets, requests.serverSideEmit, requests.broadcast] as const;

/** What applications do as soon as there is a router again. */
const reactions: readonly [StepName, ...StepName[]] = ["emit", "emit", "joinAndEmit", "request"];

export class History {
  readonly applications: Applications;
  readonly #fleet: SimulatedFleet;
  readonly #choices: Choices;
  readonly #weights: readonly (readonly [StepName, number])[];
  readonly #weightSum: number;

  constructor(fleet: SimulatedFleet) {
    this.#fleet = fleet;
    this.#choices = new Choices(fleet);
    this.applications = new Applications(fleet, this.#choices);
    this.#weights = Object.entries(fleet.settings.weights) as [StepName, number][];
    this.#weightSum = this.#weights.reduce((sum, [, weight]) => sum + weight, 0);
    fleet.noteWelcome = (worker) => this.#actOnWelcome(worker);
  }

  /** Whoever has a router again says what waited, and more, while others are not back yet. */
  #actOnWelcome(worker: SimulatedWorker): void {
    const { random } = this.#fleet;
    for (let left = random.below(4); left > 0; left--) {
      const name = random.mustPick(reactions);
      worker.process.after(random.between(0, 40), () => this.#actAs(name, worker));
    }
  }

  /** How long until the next step: most come at once, a few after all has calmed down. */
  chooseGapMs(): number {
    const { random, settings } = this.#fleet;
    const dice = random.next();
    if (dice < 0.5) return random.between(0, 0.5);
    if (dice < 0.94) return random.between(0, 15 * settings.pace);
    return dice < 0.99 ? random.between(15, 300 * settings.pace) : random.between(300, 2_500);
  }

  step(): void {
    let left = this.#fleet.random.next() * this.#weightSum;
    for (const [name, weight] of this.#weights) {
      left -= weight;
      if (left < 0) {
        this.#take(name);
        return;
      }
    }
  }

  #take(name: StepName): void {
    const fleet = this.#fleet;
    const { random, settings } = fleet;
    const slot = random.below(settings.workers);
    const host = random.pick(fleet.livingHosts);
    if (host === undefined || host.isLeaving) return;
    switch (name) {
      case "killWorker":
        return this.#killWorker(host, slot);
      case "killRouter":
        return host.killRouter();
      case "stopWorker":
        return host.stopWorker(slot, random.chance(0.5) ? random.between(5, 400) : random.between(400, 6_000));
      case "stopRouter":
        return host.stopRouter(random.chance(0.5) ? random.between(5, 400) : random.between(400, 4_000));
      case "cut":
        return host.cutConnection(slot);
      case "cutBus":
        return fleet.cutBus(host);
      case "restartBus":
        return fleet.restartBus();
      case "killHost":
        return this.#killHost(host);
      case "leaveHost":
        return fleet.leaveHost(host);
      default:
    }
    const worker = host.workers[slot];
    if (worker !== undefined) this.#actAs(name, worker);
  }

  /** Some die while others wait for their answers. */
  #killWorker(host: SimulatedHost, slot: number): void {
    this.#askSomebody();
    this.#fleet.time.after(this.#fleet.random.between(0, 3), () => host.killWorker(slot));
  }

  #killHost(host: SimulatedHost): void {
    this.#askSomebody();
    this.#fleet.time.after(this.#fleet.random.between(0, 3), () => this.#fleet.killHost(host));
  }

  #askSomebody(): void {
    const { random, livingWorkers } = this.#fleet;
    const asker = random.pick(livingWorkers);
    if (asker !== undefined && random.chance(0.5)) this.#actAs("request", asker);
  }

  #actAs(name: StepName, worker: SimulatedWorker): void {
    const { random } = this.#fleet;
    // Who is stopped does nothing.
    if (!worker.isServing || worker.process.stoppedSinceMs !== undefined) return;
    if (name === "namespace") {
      this.#changeNamespaces(worker);
      return;
    }
    const adapter = random.pick(worker.adapters);
    if (adapter !== undefined) this.#act(name, worker, adapter);
  }

  #act(name: StepName, worker: SimulatedWorker, adapter: ModelAdapter): void {
    const { random } = this.#fleet;
    const choices = this.#choices;
    const { applications } = this;
    const socket = random.pick([...adapter.sockets.values()]);
    switch (name) {
      case "connect":
        adapter.connect(choices.chooseId(worker, adapter));
        break;
      case "disconnect":
        if (socket !== undefined) adapter.disconnect(socket);
        break;
      case "join":
        if (socket === undefined) break;
        adapter.join(socket, choices.chooseRooms(adapter.namespace, random.whole(1, 3)));
        if (this.#fleet.bus !== undefined) this.#emitToNewcomer(adapter, random.pick([...socket.rooms.keys()]) ?? "");
        break;
      case "leave":
        if (socket !== undefined) adapter.leave(socket, random.pick([...socket.rooms.keys()]) ?? "");
        break;
      case "emit":
        applications.emit(worker, adapter, choices.chooseSelection(adapter), random.chance(0.12), []);
        break;
      case "joinAndEmit":
        applications.joinAndEmit(worker, adapter);
        if (random.chance(0.5)) this.#joinAtTheSameTime();
        break;
      case "command":
        applications.command(worker, adapter);
        break;
      case "request":
        applications.request(
          worker,
          adapter,
          random.mustPick(requestTypes),
          choices.chooseRequestSelection(adapter),
          choices.chooseLimitMs(),
        );
        break;
      default:
    }
  }

  /** As soon as it has been waited for, a join counts elsewhere, too. */
  #emitToNewcomer(adapter: ModelAdapter, room: RoomName): void {
    const { random, livingWorkers, time } = this.#fleet;
    const other = random.pick(livingWorkers);
    const there = other?.adapters.find(({ namespace }) => namespace === adapter.namespace);
    if (other === undefined || there === undefined) return;
    time.after(random.between(0, 6), () => {
      const canEmit = other.isServing && other.process.stoppedSinceMs === undefined && other.adapters.includes(there);
      if (canEmit) this.applications.emit(other, there, { rooms: new Set([room]), except: new Set() }, false, []);
    });
  }

  /** Commands of several workers meet at their receivers. */
  #joinAtTheSameTime(): void {
    const { random, livingWorkers } = this.#fleet;
    const other = random.pick(livingWorkers);
    other?.process.after(random.between(0, 1), () => this.#actAs("joinAndEmit", other));
  }

  // Namespaces.

  #changeNamespaces(worker: SimulatedWorker): void {
    const { random, settings } = this.#fleet;
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
    worker.process.after(this.#fleet.random.between(0, 10), () => {
      if (!worker.adapters.includes(adapter)) worker.reopen(adapter);
    });
  }
}
