/** `context.runOnce`: asks the primary for a job's name and runs the job while this worker holds it. */

import { describeBriefly } from "../errors.js";
import type { Logger } from "../logging.js";
import { maxRunOnceNameLength } from "../protocol/worker-messages.js";
import type { PrimaryChannel } from "./primary-channel.js";

type Job = (signal: AbortSignal) => void | Promise<void>;

export class RunOnceJobs {
  readonly #channel: PrimaryChannel;
  readonly #log: Logger;
  readonly #jobByName = new Map<string, Job>();
  readonly #runningByName = new Map<string, { abort: AbortController; settled: Promise<void> }>();

  constructor(channel: PrimaryChannel, log: Logger) {
    this.#channel = channel;
    this.#log = log;
  }

  /** @throws RangeError for a name that is empty, too long or taken in this worker. */
  claim(name: string, job: Job): void {
    if (name.length === 0 || name.length > maxRunOnceNameLength) {
      throw new RangeError(`runOnce: the name must have 1 to ${maxRunOnceNameLength} characters`);
    }
    if (this.#jobByName.has(name))
      throw new RangeError(`runOnce: this worker has a job named ${JSON.stringify(name)} already`);
    this.#jobByName.set(name, job);
    this.#channel.send({ type: "signalbox:run-once-claim", name });
  }

  /** The primary gives this worker the name: the job runs here from now on. */
  grant(name: string): void {
    const job = this.#jobByName.get(name);
    if (job === undefined || this.#runningByName.has(name)) return;
    const abort = new AbortController();
    this.#runningByName.set(name, { abort, settled: this.#run(name, job, abort.signal) });
  }

  async #run(name: string, job: Job, signal: AbortSignal): Promise<void> {
    try {
      await job(signal);
    } catch (thrown) {
      // Not tried again, here or elsewhere: a job that fails everywhere must not go round the workers for ever.
      if (!signal.aborted)
        this.#log.error({ job: name, err: thrown }, `runOnce job ${name} failed: ${describeBriefly(thrown)}`);
    }
  }

  /** Gives all names back, each once its job has taken notice, so that no job runs on two workers at a time. */
  async releaseAll(): Promise<void> {
    const names = [...this.#jobByName.keys()];
    this.#jobByName.clear();
    await Promise.all(
      names.map(async (name) => {
        const running = this.#runningByName.get(name);
        running?.abort.abort();
        await running?.settled;
        this.#runningByName.delete(name);
        this.#channel.send({ type: "signalbox:run-once-release", name });
      }),
    );
  }
}
