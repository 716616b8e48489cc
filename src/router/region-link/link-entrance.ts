/** Who may still prove who they are: a bound on those who have not, and on failures from one address. Pure. */

/** Each costs a connection and a little memory, for as long as it has to prove itself. */
const maxPending = 128;
/** Of one address, so that it leaves room for others. */
const maxPendingOfOne = 32;
/** So many failures of one address, and it is refused until some time has passed without one. */
const maxFailures = 10;
const failureWindowMs = 10_000;
const maxAddresses = 10_000;

export class LinkEntrance {
  #pending = 0;
  readonly #pendingByAddress = new Map<string, number>();
  readonly #failures = new Map<string, { count: number; lastMs: number }>();

  /** Answers whether it may try; then `leave` is to be called, once. */
  enter(address: string, nowMs: number): boolean {
    const failed = this.#failures.get(address);
    if (failed !== undefined && nowMs - failed.lastMs >= failureWindowMs) this.#failures.delete(address);
    else if (failed !== undefined && failed.count >= maxFailures) return false;
    const own = this.#pendingByAddress.get(address) ?? 0;
    if (this.#pending >= maxPending || own >= maxPendingOfOne) return false;
    this.#pending++;
    this.#pendingByAddress.set(address, own + 1);
    return true;
  }

  /** It has proven itself, or not. */
  leave(address: string, isProven: boolean, nowMs: number): void {
    this.#pending--;
    const own = (this.#pendingByAddress.get(address) ?? 1) - 1;
    if (own > 0) this.#pendingByAddress.set(address, own);
    else this.#pendingByAddress.delete(address);
    if (isProven) {
      this.#failures.delete(address);
      return;
    }
    const count = (this.#failures.get(address)?.count ?? 0) + 1;
    // Anew at the end: the map stays in the order of the last failures.
    this.#failures.delete(address);
    this.#failures.set(address, { count, lastMs: nowMs });
    const [oldest] = this.#failures.keys();
    if (this.#failures.size > maxAddresses && oldest !== undefined) this.#failures.delete(oldest);
  }
}
