/** What must be true between hosts when everything has come to rest: each knows of the others what is true, and what is lost. */

import type { HostPort } from "../../src/router/host-bus/host-port.js";
import { listWantedRooms } from "./final-checks.js";
import type { SimulatedFleet } from "./simulated-fleet.js";
import type { SimulatedHost } from "./simulated-host.js";

export function checkHostsAtRest(fleet: SimulatedFleet): void {
  for (const host of fleet.livingHosts) {
    const bus = host.router?.core.bus;
    if (bus === undefined) continue;
    const { counters } = bus;
    if (counters.badMessages > 0) fleet.observer.fail(`${host.hostKey} read ${counters.badMessages} bad messages`);
    if (!bus.isSettled) fleet.observer.fail(`${host.hostKey} waits for others to take what it has said`);
    for (const other of fleet.otherHosts(host)) checkPair(host, other);
    for (const port of host.router?.core.ports ?? []) {
      if (port.untakenInterest.length > 0)
        fleet.observer.fail(`what ${port.place} has announced is not taken: ${JSON.stringify(port.untakenInterest)}`);
    }
  }
}

function checkPair(host: SimulatedHost, other: SimulatedHost): void {
  const { observer } = host;
  const who = `${host.hostKey} of ${other.hostKey}`;
  const port = host.router?.core.bus?.hosts.find(({ hostKey }) => hostKey === other.hostKey);
  if (other.isAway) {
    if (port?.isReachable === true) observer.fail(`${who}: takes it for there`);
    return;
  }
  if (port === undefined || port.incarnation !== other.router?.incarnation) {
    observer.fail(`${who}: knows ${port?.incarnation}, and not ${other.router?.incarnation}`);
    return;
  }
  if (!port.isReachable || !port.isCurrent || !port.view.isComplete) observer.fail(`${who}: knows too little`);
  checkTruth(port, host, other, who);
  if (port.expectedRooms.size > 0)
    observer.fail(
      `${who}: ${port.expectedRooms.size} joins are still expected ${JSON.stringify([...port.expectedRooms.values(), port.joinsSent, port.settled, port.view.sequence])} ${JSON.stringify(other.router.core.bus?.hosts.map((h) => [h.hostKey, h.joins.isEmpty, h.joins.hasNews, h.joins.takeDone()]))}`,
    );
  if (!port.joins.isEmpty || port.joins.hasNews) observer.fail(`${who}: its joins are still under way`);
  if (port.settled.length > 0) observer.fail(`${who}: its word on joins still waits`);
  const back = other.router.core.bus?.hosts.find(({ hostKey }) => hostKey === host.hostKey);
  if (back !== undefined && port.session.lost !== back.session.missed) {
    observer.fail(`${who}: ${port.session.lost} frames were lost, and it has missed ${back.session.missed}`);
  }
}

function checkTruth(port: HostPort, host: SimulatedHost, other: SimulatedHost, who: string): void {
  const { observer, settings } = host;
  const rooms = new Set(other.livingWorkers.flatMap((worker) => [...listWantedRooms(worker)]));
  const isFlooded =
    other.router?.core.ports.some(({ isFlooded }) => isFlooded) === true || rooms.size > maxRooms(settings);
  if (isFlooded !== port.view.wantsAll && rooms.size > maxRooms(settings) / 2 !== port.view.wantsAll) {
    observer.fail(`${who}: with ${rooms.size} rooms, it gets everything: ${port.view.wantsAll}`);
  }
  const expected = port.view.wantsAll ? 0 : rooms.size;
  if (port.roomCount !== expected) observer.fail(`${who}: knows ${port.roomCount} rooms, and ${expected} are true`);
  const uids = other.livingWorkers.flatMap(({ adapters }) => adapters.map(({ uid }) => uid)).sort();
  const known = [...port.members.keys()].sort();
  if (uids.join() !== known.join()) observer.fail(`${who}: knows ${known.join()}, and ${uids.join()} are true`);
}

function maxRooms(settings: SimulatedHost["settings"]): number {
  return settings.fleet?.bus.maxRooms ?? 0;
}
