/** What a host says about itself: the JSON of `/status`, on the admin port and on the control socket alike. */

export type HostState = "starting" | "running" | "draining" | "closed";
export type WorkerState = "starting" | "ready" | "draining" | "backoff";

/** The public address in use; with `port: 0` in the configuration this is the port that the system picked. */
export type ListenAddress =
  | { readonly kind: "tcp"; readonly host: string; readonly port: number }
  | { readonly kind: "unix"; readonly path: string };

export interface WorkerStatus {
  readonly slot: number;
  /** null while the slot waits out its backoff: there is no process then. */
  readonly pid: number | null;
  readonly state: WorkerState;
  /** Sessions open in the worker now. */
  readonly sessions: number;
  /** Connections handed to this slot since the host started. */
  readonly handedOff: number;
  readonly restarts: number;
  readonly uptimeSeconds: number;
}

export type RouterState = "starting" | "ready" | "backoff" | "ended";

export interface RouterStatus {
  /** null while it waits to be started again. */
  readonly pid: number | null;
  readonly state: RouterState;
  /** For how long it has been in that state. */
  readonly stateSeconds: number;
  readonly restarts: number;
  /** What waits in it, by worker slot. */
  readonly queuedBytes: Readonly<Record<string, number>>;
  /** Slots of workers that do not answer it. */
  readonly stalledWorkers: readonly number[];
  /** Messages given up since the host started, because too much waited for their worker. */
  readonly lostFrames: number;
  /** Rooms with members, counted once for each worker that has some. */
  readonly announcedRooms: number;
}

export interface RemoteHostStatus {
  readonly hostKey: string;
  /** Machine and process, as that host says. */
  readonly name: string;
  readonly isReachable: boolean;
  /** It gets every message: its rooms are not known yet, or too many. */
  readonly isFlooded: boolean;
  readonly rooms: number;
  /** What waits for it. */
  readonly queuedBytes: number;
}

/** The way to the other hosts of the region. */
export interface BusStatus {
  readonly state: "up" | "down";
  readonly stateSeconds: number;
  /** It has been up since this host began. */
  readonly hasJoined: boolean;
  /** Why it is down; null while it is up. */
  readonly reason: string | null;
  readonly hosts: readonly RemoteHostStatus[];
  /** Messages for other hosts that did not arrive there, and for this host that others gave up; since the host started. */
  readonly lostFrames: number;
  readonly missedFrames: number;
}

/** The last reload, or the one that is under way. */
export interface ReloadStatus {
  readonly state: "rolling" | "done" | "failed";
  /** Old workers that have been replaced, or are not needed any more. */
  readonly workersDone: number;
  readonly workers: number;
  /** Sessions of old workers that have ended because of it. */
  readonly sessionsMoved: number;
  /** How long it has taken so far. */
  readonly seconds: number;
  /** How long it may still take at most; 0 when it has ended. */
  readonly secondsLeft: number;
  /** Why it failed, on the admin port only where that is told; null unless it did. */
  readonly reason: string | null;
  /** Settings that have changed and need a restart of the host. */
  readonly restartNeeded: readonly string[];
}

/** What is known of another region that this host links to. */
export interface RegionStatus {
  readonly region: string;
  readonly isLinked: boolean;
  /** It has a link back: it answers requests. */
  readonly answers: boolean;
  /** Of the host that has taken the link. */
  readonly hostKey: string | null;
  /** For how long there has been no link, and why; null while there is one. */
  readonly absence: { readonly seconds: number; readonly reason: string } | null;
  /** It gets every message: its rooms are not known yet, or too many. */
  readonly isFlooded: boolean;
  readonly rooms: number;
  /** What waits for it, or has not been acknowledged. */
  readonly queuedBytes: number;
  /** Of the last heartbeat; null before the first. */
  readonly roundTripMs: number | null;
}

/** The links to other regions. */
export interface LinksStatus {
  readonly regions: readonly RegionStatus[];
  /** Links that hosts of other regions have to this one. */
  readonly accepted: number;
  /** Of this router: messages for other regions that did not arrive there, and for this one that others gave up. */
  readonly lostFrames: number;
  readonly missedFrames: number;
}

export interface HostStatus {
  readonly version: string;
  readonly hostKey: string;
  readonly region: string;
  readonly pid: number;
  readonly state: HostState;
  readonly uptimeSeconds: number;
  readonly listen: ListenAddress;
  readonly adminPort: number;
  readonly fabric: string;
  /** Absolute path of the application module. */
  readonly app: string;
  readonly workers: readonly WorkerStatus[];
  /** null when there has been none. */
  readonly reload: ReloadStatus | null;
  /** null with a fabric that has none. */
  readonly router: RouterStatus | null;
  /** null for a host that is alone, and with a fabric that has none. */
  readonly bus: BusStatus | null;
  /** null for a host of the only region, and while there is no router. */
  readonly links: LinksStatus | null;
  readonly counters: Readonly<Record<string, number>>;
}
