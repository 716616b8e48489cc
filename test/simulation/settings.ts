/** What one seed is made of: sizes, limits, delays, and how often what happens. All chosen by the seed. */

import type { FleetSettings } from "./fleet-settings.js";
import type { SeededRandom } from "./seeded-random.js";
import type { WireSettings } from "./simulated-connection.js";

/** Relative weights: how often each kind of step is taken. */
export interface StepWeights {
  readonly connect: number;
  readonly disconnect: number;
  readonly join: number;
  readonly leave: number;
  readonly emit: number;
  readonly joinAndEmit: number;
  readonly command: number;
  readonly request: number;
  readonly namespace: number;
  readonly killWorker: number;
  readonly killRouter: number;
  readonly stopWorker: number;
  readonly stopRouter: number;
  readonly cut: number;
  /** Of the bus: of one host, and of all at the same time. */
  readonly cutBus: number;
  readonly restartBus: number;
  readonly killHost: number;
  readonly leaveHost: number;
}

export type StepName = keyof StepWeights;

export interface SimulationSettings {
  readonly profile: string;
  /** Of each host. */
  readonly workers: number;
  /** How many times as long as usual there is between two steps. */
  readonly pace: number;
  /** Undefined for a host that stays alone. */
  readonly fleet: FleetSettings | undefined;
  readonly namespaces: readonly string[];
  /** Shared rooms: besides these, sockets join rooms named by others' ids. */
  readonly rooms: readonly (string | number)[];
  readonly wire: WireSettings;
  readonly workerOutboxBytes: number;
  readonly routerOutboxBytes: number;
  readonly maxRooms: number;
  readonly maxBodyBytes: number;
  readonly leaveCooldownMs: number;
  readonly weights: StepWeights;
}

export const joinLimitMs = 1_000;
export const stalledAfterMs = 2_000;
export const expectBackMs = 3_000;
export const tickIntervalMs = 500;

/** Pairs that look alike and are not the same; what is not ASCII; numbers that are the same and do not look it. */
export const fewRooms = ["red", "blue", "1", 1, "2", 2, 0.5, "grün", Number.NaN, "half \ud83d"] as const;

export const calmWeights: StepWeights = {
  connect: 14,
  disconnect: 5,
  join: 16,
  leave: 9,
  emit: 34,
  joinAndEmit: 7,
  command: 4,
  request: 8,
  namespace: 2,
  killWorker: 0,
  killRouter: 0,
  stopWorker: 0,
  stopRouter: 0,
  cut: 0,
  cutBus: 0,
  restartBus: 0,
  killHost: 0,
  leaveHost: 0,
};

const profiles: readonly { readonly name: string; readonly weights: Partial<StepWeights> }[] = [
  { name: "calm", weights: {} },
  { name: "workers die", weights: { killWorker: 2, stopWorker: 0.5 } },
  { name: "routers die", weights: { killRouter: 1.5, stopWorker: 0.5 } },
  { name: "stalls", weights: { stopWorker: 2.5, stopRouter: 0.5 } },
  { name: "workers are replaced", weights: { killWorker: 4, stopWorker: 2.5, request: 30 } },
  { name: "namespaces", weights: { namespace: 60, killWorker: 0.5, killRouter: 0.3 } },
  {
    name: "everything",
    weights: { killWorker: 1.2, killRouter: 0.8, stopWorker: 1, stopRouter: 0.4, cut: 0.6, namespace: 4 },
  },
];

export function chooseSettings(random: SeededRandom): SimulationSettings {
  const profile = random.pick(profiles) ?? { name: "calm", weights: {} };
  // Boxes so small that a stopped worker fills them, in some seeds.
  const isTight = random.chance(0.35);
  const isFlooding = random.chance(0.3);
  const isSlow = random.chance(0.3);
  const outboxBytes = isTight ? random.whole(4_000, 24_000) : 4_000_000;
  const manyRooms = Array.from({ length: 16 }, (_, index) => `room ${index}`);
  return {
    profile: `${profile.name}${isTight ? ", tight" : ""}${isFlooding ? ", flooding" : ""}${isSlow ? ", slow" : ""}`,
    workers: random.chance(0.7) ? 4 : random.whole(2, 6),
    pace: 1,
    fleet: undefined,
    namespaces: ["/", "/chat", "/näme"].slice(0, random.whole(1, 3)),
    rooms: isFlooding ? [...fewRooms, ...manyRooms] : fewRooms.slice(0, random.whole(3, fewRooms.length)),
    wire: {
      kernelBytes: isTight ? random.whole(700, 4_000) : random.whole(2_000, 32_000),
      delayMs: isSlow ? 8 : 0.4,
      spikeMs: isSlow ? 120 : 15,
      spikeChance: random.pick([0, 0.01, 0.05]) ?? 0,
    },
    workerOutboxBytes: outboxBytes,
    routerOutboxBytes: isTight ? random.whole(4_000, 24_000) : 4_000_000,
    maxRooms: isFlooding ? random.whole(3, 12) : 10_000,
    maxBodyBytes: isTight ? 3_000 : (random.pick([20, 200, 2_000]) ?? 200),
    leaveCooldownMs: random.pick([5, 100, 1_000]) ?? 1_000,
    weights: { ...calmWeights, ...profile.weights },
  };
}
