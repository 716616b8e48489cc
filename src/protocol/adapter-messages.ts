/** How a worker of a program that uses `signalbox/adapter` learns its place, over the IPC channel of node:cluster. Pure. */

/** Marks messages as ours: the program uses the same channel. */
const source = "_signalbox_adapter";

/** Worker to primary. */
export const placeQuestion = { source, type: "hello" } as const;

/** Primary to worker. */
export interface PlaceAnswer {
  readonly source: typeof source;
  readonly type: "place";
  /** Of the router. */
  readonly socketPath: string;
  readonly hostKey: string;
  readonly slot: number;
}

export function createPlaceAnswer(place: { socketPath: string; hostKey: string; slot: number }): PlaceAnswer {
  return { source, type: "place", ...place };
}

function readOwn(raw: unknown): Readonly<Record<string, unknown>> | undefined {
  if (typeof raw !== "object" || raw === null) return undefined;
  const message = raw as Record<string, unknown>;
  return message.source === source ? message : undefined;
}

export function isPlaceQuestion(raw: unknown): boolean {
  return readOwn(raw)?.type === "hello";
}

/** Undefined for everything that is not ours. */
export function parsePlaceAnswer(raw: unknown): PlaceAnswer | undefined {
  const message = readOwn(raw);
  if (message?.type !== "place") return undefined;
  const { socketPath, hostKey, slot } = message;
  if (typeof socketPath !== "string" || typeof hostKey !== "string" || typeof slot !== "number") return undefined;
  return createPlaceAnswer({ socketPath, hostKey, slot });
}
