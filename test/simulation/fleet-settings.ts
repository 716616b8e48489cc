/** What one seed of a fleet is made of: hosts, the bus between them, and what goes wrong there. All chosen by the seed. */

import type { HostBusSettings } from "../../src/router/host-bus/host-bus.js";
import type { SeededRandom } from "./seeded-random.js";
import { calmWeights, fewRooms, type SimulationSettings, type StepWeights } from "./settings.js";
import type { BusWireSettings } from "./simulated-bus.js";

export interface FleetSettings {
  readonly hosts: number;
  readonly wire: BusWireSettings;
  /** Of each host, without what is a host's own. */
  readonly bus: Omit<HostBusSettings, "name" | "instance" | "firstSnapshotId">;
  /** How long a cut lasts, and how long a dead host stays away, at most. */
  readonly maxOutageMs: number;
}

export const heartbeatMs = 1_000;
export const unreachableAfterMs = 3_000;

interface Profile {
  readonly name: string;
  readonly weights: Partial<StepWeights>;
}

const everything: Partial<StepWeights> = {
  killWorker: 1,
  killRouter: 0.8,
  stopWorker: 0.8,
  stopRouter: 0.4,
  cut: 0.6,
  namespace: 4,
  cutBus: 1,
  restartBus: 0.4,
  killHost: 0.5,
  leaveHost: 0.4,
};

const profiles: readonly [Profile, ...Profile[]] = [
  { name: "calm", weights: {} },
  { name: "workers die", weights: { killWorker: 2.5, stopWorker: 1.5, cut: 1, request: 20 } },
  { name: "routers die", weights: { killRouter: 2.5, stopRouter: 0.5 } },
  { name: "cuts", weights: { cutBus: 3, restartBus: 0.8 } },
  { name: "hosts come and go", weights: { killHost: 1.5, leaveHost: 1.5, request: 20 } },
  { name: "stalls", weights: { stopWorker: 2, stopRouter: 2 } },
  { name: "namespaces", weights: { namespace: 50, cutBus: 0.5, killRouter: 0.5 } },
  { name: "everything", weights: everything },
];

const lossyProfiles: readonly [Profile, ...Profile[]] = [
  { name: "lossy", weights: {} },
  { name: "lossy, and workers die", weights: { killWorker: 2, stopWorker: 1, cut: 1, namespace: 5 } },
  { name: "lossy, and routers die", weights: { killRouter: 2, stopRouter: 0.5 } },
  { name: "lossy, and cuts", weights: { cutBus: 2, restartBus: 0.5 } },
  { name: "lossy, everything", weights: everything },
];

/** @param isLossy the bus loses, doubles and reorders messages by itself, and not only when it is cut */
export function chooseFleetSettings(random: SeededRandom, isLossy: boolean): SimulationSettings {
  const profile = random.mustPick(isLossy ? lossyProfiles : profiles);
  const isTight = random.chance(0.3);
  const isFlooding = random.chance(0.25);
  const isSlow = random.chance(0.25);
  const isShortLived = random.chance(0.25);
  const marks = [isTight && "tight", isFlooding && "flooding", isSlow && "slow", isShortLived && "short-lived"];
  const manyRooms = Array.from({ length: 16 }, (_, index) => `room ${index}`);
  const hosts = random.whole(2, 4);
  return {
    profile: [`fleet: ${profile.name}`, ...marks.filter((mark) => mark !== false)].join(", "),
    workers: hosts === 4 ? random.whole(1, 2) : random.whole(1, 3),
    pace: random.mustPick([1, 3, 8]),
    namespaces: ["/", "/chat"].slice(0, random.whole(1, 2)),
    rooms: isFlooding ? [...fewRooms, ...manyRooms] : fewRooms.slice(0, random.whole(3, fewRooms.length)),
    wire: { kernelBytes: 8_000, delayMs: 0.4, spikeMs: 15, spikeChance: random.mustPick([0, 0.01]) },
    workerOutboxBytes: 4_000_000,
    routerOutboxBytes: 4_000_000,
    maxRooms: isFlooding && random.chance(0.3) ? random.whole(6, 12) : 10_000,
    maxBodyBytes: isTight ? 3_000 : random.mustPick([20, 200, 2_000]),
    leaveCooldownMs: random.mustPick([5, 100, 1_000]),
    weights: { ...calmWeights, ...profile.weights },
    fleet: {
      hosts,
      wire: {
        delayMs: isSlow ? 40 : random.mustPick([0.5, 2, 8]),
        loss: isLossy ? random.mustPick([0.02, 0.1, 0.25]) : 0,
        doubling: isLossy ? 0.1 : 0,
        doesReorder: isLossy && random.chance(0.7),
        maxUnsentBytes: isTight ? random.whole(3_000, 20_000) : 1_000_000,
      },
      bus: {
        heartbeatMs,
        isServing: false,
    unreachableAfterMs,
        joinMs: 500,
        maxRooms: isFlooding ? random.whole(4, 14) : 10_000,
        link: {
          maxBytes: isTight ? random.whole(6_000, 40_000) : 4_000_000,
          maxAgeMs: isShortLived ? 8_000 : 60_000,
          maxInFlightBytes: isTight ? random.whole(1_500, 8_000) : 256_000,
          maxDatagramBytes: isTight ? random.whole(500, 2_000) : random.mustPick([4_000, 64_000]),
          resendMs: isSlow ? 400 : 200,
          maxResendMs: 1_600,
          ackDelayMs: random.mustPick([2, 20]),
        },
      },
      maxOutageMs: isShortLived ? 14_000 : random.mustPick([1_500, 6_000]),
    },
  };
}
