/** Decides what the log says of Redis being away: once when it is lost, once for each refusal, once when it is back. Pure. */

/** The two connections of a worker. */
export type RedisConnection = "publishing" | "subscribing";

export interface ConnectionFault {
  /** In words without secrets. */
  readonly reason: string;
  /** Redis itself said so (a wrong password, a missing right): a person has to act. */
  readonly isRefusal: boolean;
}

export interface ReportLine {
  readonly level: "info" | "warn";
  readonly message: string;
}

/** An outage may have a new reason with every attempt; so many are told. */
const maxRefusals = 5;

export class OutageReport {
  readonly #redis: string;
  readonly #up = new Set<RedisConnection>();
  /** Answers of Redis that were told of in this outage: a refused password stays refused at every attempt. */
  readonly #refusals = new Set<string>();
  #lostSinceMs: number | undefined;
  #failedBefore = 0;

  /** @param redis where it is, without secrets */
  constructor(redis: string) {
    this.#redis = redis;
  }

  get isUp(): boolean {
    return this.#up.size === 2;
  }

  /**
   * A connection is lost, was not made, or is of no use.
   * @param failedPublishes of the worker so far
   */
  noteDown(
    connection: RedisConnection,
    { reason, isRefusal }: ConnectionFault,
    nowMs: number,
    failedPublishes: number,
  ): ReportLine | undefined {
    this.#up.delete(connection);
    const isNew = this.#lostSinceMs === undefined;
    if (isNew) {
      this.#lostSinceMs = nowMs;
      this.#failedBefore = failedPublishes;
    }
    const isNewRefusal = isRefusal && !this.#refusals.has(reason) && this.#refusals.size < maxRefusals;
    if (isNewRefusal) this.#refusals.add(reason);
    if (isNewRefusal)
      return { level: "warn", message: `Redis at ${this.#redis} refuses: ${reason}${this.#explain(isNew)}` };
    if (!isNew) return undefined;
    return { level: "warn", message: `Redis at ${this.#redis} is away: ${reason}${this.#explain(isNew)}` };
  }

  /** A connection is of use again. */
  noteUp(connection: RedisConnection, nowMs: number, failedPublishes: number): ReportLine | undefined {
    this.#up.add(connection);
    if (!this.isUp) return undefined;
    this.#refusals.clear();
    if (this.#lostSinceMs === undefined) return undefined;
    const seconds = ((nowMs - this.#lostSinceMs) / 1000).toFixed(1);
    const failed = failedPublishes - this.#failedBefore;
    this.#lostSinceMs = undefined;
    const lost = failed === 0 ? "" : `; ${failed} messages of this worker did not reach it meanwhile`;
    return { level: "info", message: `Redis at ${this.#redis} is back after ${seconds} s${lost}` };
  }

  #explain(isNew: boolean): string {
    return isNew
      ? ". This worker goes on with its own clients; until Redis is back, what goes to and comes from other workers and hosts is lost"
      : "";
  }
}
