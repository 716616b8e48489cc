// Knows of each message which deliveries are still to come, and counts those that are lost, double or nobody's; pure.

/** So many messages can be under way or remembered; an older number that comes in is unexpected. */
const DEFAULT_SLOTS = 2 ** 18;

export class DeliveryTracker {
  #slots;
  #wordsPerSlot;
  #sequences;
  #sentMs;
  #targets;
  #open; // deliveries still expected, by slot
  #taken; // one bit per receiver that has had it, by slot
  #nextSequence = 0;
  #oldestSequence = 0; // everything before it is complete or given up
  #recordFromMs = Number.POSITIVE_INFINITY;
  #recordUntilMs = Number.POSITIVE_INFINITY;
  #histogram;
  outstanding = 0;
  counters = { sent: 0, completed: 0, delivered: 0, lost: 0, late: 0, double: 0, unexpected: 0 };

  /** A target (a room, a client, everybody) has at most `maxReceivers`; a receiver is its target's number and its place there. */
  constructor({ maxReceivers, histogram, slots = DEFAULT_SLOTS }) {
    this.#slots = slots;
    this.#histogram = histogram;
    this.#wordsPerSlot = Math.ceil(maxReceivers / 32);
    this.#sequences = new Float64Array(slots).fill(-1);
    this.#sentMs = new Float64Array(slots);
    this.#targets = new Int32Array(slots);
    this.#open = new Int32Array(slots);
    this.#taken = new Int32Array(slots * this.#wordsPerSlot);
  }

  /** Latencies of messages sent between these moments are recorded, whenever they arrive. */
  recordBetween(fromMs, untilMs) {
    this.#recordFromMs = fromMs;
    this.#recordUntilMs = untilMs;
  }

  /** A message leaves for all receivers of a target; answers its sequence number. */
  send(target, receivers, sentMs) {
    const sequence = this.#nextSequence++;
    const slot = sequence % this.#slots;
    if (this.#open[slot] > 0) {
      this.#giveUp(slot);
    }
    this.#sequences[slot] = sequence;
    this.#sentMs[slot] = sentMs;
    this.#targets[slot] = target;
    this.#open[slot] = receivers;
    this.#taken.fill(0, slot * this.#wordsPerSlot, (slot + 1) * this.#wordsPerSlot);
    this.outstanding += receivers;
    this.counters.sent++;
    return sequence;
  }

  /** A message has arrived at the receiver that has this place in this target. */
  deliver(sequence, target, place, nowMs) {
    const slot = sequence % this.#slots;
    if (this.#sequences[slot] !== sequence || this.#targets[slot] !== target) {
      this.counters.unexpected++;
      return;
    }
    const word = slot * this.#wordsPerSlot + (place >> 5);
    const bit = 1 << (place & 31);
    if ((this.#taken[word] & bit) !== 0) {
      this.counters.double++;
      return;
    }
    this.#taken[word] |= bit;
    if (this.#open[slot] === 0) {
      this.counters.late++; // was given up as lost
      return;
    }
    this.outstanding--;
    this.counters.delivered++;
    if (--this.#open[slot] === 0) {
      this.counters.completed++;
    }
    const sentMs = this.#sentMs[slot];
    if (sentMs >= this.#recordFromMs && sentMs < this.#recordUntilMs) {
      this.#histogram.record(nowMs - sentMs);
    }
  }

  /** Deliveries expected for longer than `limitMs` are lost: they make room for new ones. */
  releaseLost(nowMs, limitMs) {
    this.#oldestSequence = Math.max(this.#oldestSequence, this.#nextSequence - this.#slots);
    for (; this.#oldestSequence < this.#nextSequence; this.#oldestSequence++) {
      const slot = this.#oldestSequence % this.#slots;
      if (this.#open[slot] > 0) {
        if (nowMs - this.#sentMs[slot] < limitMs) {
          return;
        }
        this.#giveUp(slot);
      }
    }
  }

  #giveUp(slot) {
    this.counters.lost += this.#open[slot];
    this.outstanding -= this.#open[slot];
    this.#open[slot] = 0;
  }
}
