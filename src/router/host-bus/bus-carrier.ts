/**
 * Joins the bus port to Redis: opens the connections, gives the port what comes and the time, publishes what it says. It
 * decides nothing. Redis's client is loaded here, after the router listens: it would make the start of a router slower.
 */

import type { RouterBusInit } from "../../protocol/router-messages.js";
import { parseRedisUrl } from "../../redis/redis-url.js";
import { type EmitterAddress, listEmitterPatterns, readEmitterChannel } from "../emitter-channels.js";
import type { BusEffects, BusNote } from "./bus-effects.js";
import { allHostsChannel, nameHostChannel } from "./bus-speaker.js";
import type { HostBus, HostBusSettings } from "./host-bus.js";
import type { RedisBus } from "./redis-bus.js";

const heartbeatMs = 1_000;
/** A hello comes back in milliseconds; a host that has the same key already has this long for it. */
const joinMs = 500;
/** Of datagrams to one host: enough for a connection's bandwidth times its delay, and far from where Redis cuts off. */
const maxInFlightBytes = 1024 * 1024;
const maxDatagramBytes = 64 * 1024;
/** Losses come with the loss of a connection, which is known; this is for a last message that nothing follows. */
const resendMs = 1_000;
const maxResendMs = 5_000;
const ackDelayMs = 4;
/** Written and not yet taken by Redis: beyond it the rest waits in the sessions, whose bounds are the bounds. */
const fullBytes = 4 * 1024 * 1024;
/** A message that is made in spite of that must still go out. */
const maxUnsentBytes = 64 * 1024 * 1024;

export interface BusCarrierEvents {
  /** An emitter has published something. */
  readonly onEmitted: (address: EmitterAddress, payload: Buffer) => void;
  readonly onNote: (note: BusNote) => void;
  /** This host must end: another one has its key. */
  readonly onMustStop: (other: { readonly hostKey: string; readonly name: string }) => void;
}

export class BusCarrier {
  readonly effects: BusEffects;
  readonly settings: HostBusSettings;
  readonly #init: RouterBusInit;
  readonly #hostKey: string;
  readonly #events: BusCarrierEvents;
  #bus: HostBus | undefined;
  #redis: RedisBus | undefined;
  #timer: NodeJS.Timeout | undefined;
  #timerDueMs = Number.POSITIVE_INFINITY;
  #isClosed = false;

  constructor(init: RouterBusInit, hostKey: string, events: BusCarrierEvents) {
    this.#init = init;
    this.#hostKey = hostKey;
    this.#events = events;
    this.settings = {
      name: init.name,
      instance: init.instance,
      isServing: init.isServing,
      heartbeatMs,
      joinMs,
      unreachableAfterMs: init.unreachableAfterMs,
      maxRooms: init.maxRooms,
      firstSnapshotId: Math.floor(Math.random() * 0x1_00_00_00_00),
      link: {
        maxBytes: init.maxOutboxBytes,
        maxAgeMs: init.maxOutboxAgeMs,
        maxInFlightBytes,
        maxDatagramBytes,
        resendMs,
        maxResendMs,
        ackDelayMs,
      },
    };
    const redis = (): RedisBus | undefined => this.#redis;
    this.effects = {
      publish: (channel, payload) => redis()?.publish(channel, payload) ?? false,
      get isFull() {
        return (redis()?.unsentBytes ?? 0) >= fullBytes;
      },
      get published() {
        return redis()?.published ?? 0;
      },
      get arrived() {
        return redis()?.arrived ?? 0;
      },
      wake: () => setImmediate(() => this.#flush()),
      note: events.onNote,
      mustStop: events.onMustStop,
    };
  }

  /** Why there is no bus; undefined while there is one. */
  get downReason(): string | undefined {
    return this.#redis === undefined ? "not connected yet" : this.#redis.downReason;
  }

  /** Connects, and goes on connecting; never rejects for want of Redis. @throws when Redis's client cannot be loaded */
  async start(bus: HostBus): Promise<void> {
    this.#bus = bus;
    const { redisUrl, ca, channelPrefix, emitterKey } = this.#init;
    const result = parseRedisUrl(redisUrl);
    if ("fault" in result) throw new Error(`redisUrl ${result.fault}`);
    const { RedisBus } = await import("./redis-bus.js");
    if (this.#isClosed) return;
    this.#redis = new RedisBus(
      {
        target: result.target,
        ...(ca !== null && { ca }),
        channelPrefix,
        patterns: emitterKey === null ? [] : listEmitterPatterns(emitterKey),
        channels: [allHostsChannel, nameHostChannel(this.#hostKey)],
        maxUnsentBytes,
        random: Math.random,
      },
      {
        onUp: () => {
          bus.carrierUp(performance.now());
          this.#arm();
        },
        onDown: (reason) => bus.carrierDown(reason, performance.now()),
        onMessage: (_channel, payload) => {
          bus.received(payload, performance.now());
          this.#arm();
        },
        onPatternMessage: (channel, payload) => {
          if (emitterKey === null) return;
          for (const address of readEmitterChannel(emitterKey, channel)) this.#events.onEmitted(address, payload);
        },
        onPatternsRefused: (reason) => this.#events.onNote({ type: "emitter-refused", reason }),
        onDrain: () => this.#flush(),
        onArrived: () => bus.noteArrived(),
      },
    );
    this.#redis.open();
  }

  /** Says the last word when all has been taken, or after `limitMs`; then closes. */
  async leave(limitMs: number): Promise<void> {
    const bus = this.#bus;
    const endMs = performance.now() + limitMs;
    while (bus?.isUp === true && !bus.isSettled && performance.now() < endMs) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    bus?.leave(performance.now());
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await this.#redis?.close();
  }

  #flush(): void {
    if (this.#isClosed) return;
    this.#bus?.flush(performance.now());
    // Whoever is not finished because much is being written, goes on when it is written.
    this.#arm();
  }

  /** Acknowledgements, heartbeats and repetitions are due at some time. */
  #arm(): void {
    const dueMs = this.#bus?.nextDueMs() ?? Number.POSITIVE_INFINITY;
    if (dueMs >= this.#timerDueMs || this.#isClosed) return;
    clearTimeout(this.#timer);
    this.#timerDueMs = dueMs;
    this.#timer = setTimeout(
      () => {
        this.#timerDueMs = Number.POSITIVE_INFINITY;
        this.#bus?.tick(performance.now());
        this.#arm();
      },
      Math.max(1, dueMs - performance.now()),
    );
  }
}
