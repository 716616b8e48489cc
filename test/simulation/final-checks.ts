/** What must be true when everything has come to rest: everybody knows the truth, and nothing is left over. */

import { checkHostsAtRest } from "./fleet-checks.js";
import type { SimulatedFleet } from "./simulated-fleet.js";
import type { SimulatedHost } from "./simulated-host.js";
import type { SimulatedWorker } from "./simulated-worker.js";

export function checkAtRest(fleet: SimulatedFleet): void {
  if (fleet.observer.violation !== undefined) return;
  fleet.truth.checkNothingOwed();
  fleet.requests.checkNothingOpen();
  for (const host of fleet.livingHosts) checkHost(fleet, host);
  if (fleet.bus !== undefined) checkHostsAtRest(fleet);
}

function checkHost(fleet: SimulatedFleet, host: SimulatedHost): void {
  const { observer, router } = host;
  router?.checkAtRest();
  for (const worker of host.livingWorkers) {
    checkWorker(host, worker);
    checkMembers(fleet, worker);
  }
  if (router !== undefined && router.core.ports.length !== host.livingWorkers.length) {
    observer.fail(`the router has ${router.core.ports.length} ports for ${host.livingWorkers.length} workers`);
  }
  checkUnsent(host);
}

function checkWorker(host: SimulatedHost, worker: SimulatedWorker): void {
  const { observer, router } = host;
  const { session, name } = worker;
  if (session.pendingRequests > 0) observer.fail(`${session.pendingRequests} requests of ${name} are left over`);
  if (worker.sender.shadow.waiting > 0)
    observer.fail(`${worker.sender.shadow.waiting} frames of ${name} were never written`);
  if (worker.pendingJoins > 0) observer.fail(`${worker.pendingJoins} joins on ${name} never come back`);
  if (worker.toldLosses.length > 0)
    observer.fail(`${name} was not told of ${worker.toldLosses.join(" and ")} lost frames`);
  // What was given up with others needs no word of its own.
  if (worker.othersLosses > 0 && session.counters.missedFrames === 0) {
    observer.fail(`${name} was not told that other workers lost what was for it`);
  }
  const wanted = countWantedRooms(worker);
  if (session.announcedRooms !== wanted) {
    observer.fail(`${name} announces ${session.announcedRooms} rooms, and ${wanted} are wanted`);
  }
  const port = router?.findPort(worker.place);
  if (port === undefined) {
    observer.fail(`${name} has no port`);
    return;
  }
  const isFlooded = wanted > host.settings.maxRooms;
  if (isFlooded && !port.isFlooded) observer.fail(`${name} has ${wanted} rooms, and is not flooded`);
  const expected = port.isFlooded ? 0 : wanted;
  if (port.roomCount !== expected)
    observer.fail(`the router knows ${port.roomCount} rooms of ${name}, and ${expected} are true`);
}

function checkMembers(fleet: SimulatedFleet, worker: SimulatedWorker): void {
  const { observer, settings, livingWorkers } = fleet;
  for (const namespace of settings.namespaces) {
    if (!worker.adapters.some((adapter) => adapter.namespace === namespace)) continue;
    let others = countUnreachable(fleet, worker, namespace);
    for (const other of livingWorkers) {
      if (other !== worker) others += other.adapters.filter((adapter) => adapter.namespace === namespace).length;
    }
    const counted = worker.session.countMembers(namespace);
    if (counted !== others)
      observer.fail(`${worker.name} counts ${counted} members of ${namespace}, and there are ${others}`);
  }
}

/** Members of hosts that are away are kept for as long as these may come back. */
function countUnreachable(fleet: SimulatedFleet, worker: SimulatedWorker, namespace: string): number {
  let members = 0;
  for (const port of fleet.findHost(worker).router?.core.bus?.hosts ?? []) {
    if (!fleet.hosts.some((host) => host.isAway && host.hostKey === port.hostKey)) continue;
    for (const member of port.members.values()) if (member.namespace === namespace) members++;
  }
  return members;
}

/** (namespace, room) pairs, as they are announced: what cannot be encoded is not. */
function countWantedRooms(worker: SimulatedWorker): number {
  return listWantedRooms(worker).size;
}

export function listWantedRooms(worker: SimulatedWorker): Set<string> {
  const wanted = new Set<string>();
  for (const adapter of worker.adapters) {
    for (const room of adapter.rooms.keys()) {
      if (typeof room === "string" && !room.isWellFormed()) continue;
      if (adapter.isRoomWanted(room)) wanted.add(`${adapter.namespace} ${typeof room} ${room}`);
    }
  }
  return wanted;
}

/** What workers threw away, the router was told; unless one of them is not there any more to be asked. */
function checkUnsent({ observer, router, livingWorkers, faults }: SimulatedHost): void {
  if (router === undefined || faults > 0) return;
  const unsent = livingWorkers.reduce((sum, worker) => sum + worker.session.counters.unsentFrames, 0);
  if (router.core.counters.unsentFrames !== unsent) {
    observer.fail(
      `workers lost ${unsent} frames unsent, and the router was told of ${router.core.counters.unsentFrames}`,
    );
  }
}
