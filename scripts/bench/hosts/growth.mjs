// Growth: how the capacity per core falls with the number of hosts that a message goes to besides its own; pure.
import { createRandom } from "../shared/random.mjs";
import { median, summarize } from "../shared/statistics.mjs";

/**
 * Other hosts that have members of a sender's room, the mean over all clients: each of them sends as often as the others.
 * `hostOf(i)`: where client `i` is.
 */
export function countRemoteHosts(places, hostOf) {
  const hostsByTarget = new Map();
  for (const [client, { target }] of places.entries()) {
    hostsByTarget.set(target, (hostsByTarget.get(target) ?? new Set()).add(hostOf(client)));
  }
  return places.reduce((sum, { target }) => sum + hostsByTarget.get(target).size - 1, 0) / places.length;
}

/** The same for rooms as a workload makes them, clients in turn on hosts with one worker each. */
export function expectRemoteHosts(workload, clientCount, hosts, seed) {
  return countRemoteHosts(workload.place(clientCount, createRandom(seed)), (client) => client % hosts);
}

/** Least squares of the microseconds per message, a + b x remote hosts. */
export function fitGrowth(points) {
  const mean = (read) => points.reduce((sum, point) => sum + read(point), 0) / points.length;
  const meanX = mean(({ remoteHosts }) => remoteHosts);
  const meanY = mean(({ us }) => us);
  const spreadX = mean(({ remoteHosts }) => (remoteHosts - meanX) ** 2);
  const b = spreadX === 0 ? 0 : mean(({ remoteHosts, us }) => (remoteHosts - meanX) * (us - meanY)) / spreadX;
  const a = meanY - b * meanX;
  return { a, b, off: points.map(({ remoteHosts, us }) => us / (a + b * remoteHosts) - 1) };
}

/** `fleets`: `{ name, hosts, remoteHosts }`, each with its windows among these. */
export function summarizeGrowth(fleets, { windows, countersByFleet }) {
  const points = fleets.map(({ name, hosts, remoteHosts }) => {
    const own = windows.filter(({ side }) => side === name);
    const us = median(own.map(({ usPerMessage }) => usPerMessage.total));
    const perSecondAndCore = summarize(own.map((window) => window.perSecondAndCore));
    return { hosts, remoteHosts, us, perSecondAndCore, counters: countersByFleet[name] };
  });
  return { points, ...fitGrowth(points) };
}
