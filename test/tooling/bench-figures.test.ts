/** What the benchmarks count and calculate, without any load: a wrong figure looks like a good one. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";

interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

interface Histogram {
  readonly total: number;
  record(latencyMs: number): void;
  percentileMs(share: number): number;
  clear(): void;
}

interface Tracker {
  readonly outstanding: number;
  readonly counters: Readonly<Record<string, number>>;
  recordBetween(fromMs: number, untilMs: number): void;
  send(target: number, receivers: number, sentMs: number): number;
  deliver(sequence: number, target: number, place: number, nowMs: number): void;
  releaseLost(nowMs: number, limitMs: number): void;
}

interface Template {
  readonly size: number;
  write(target: Buffer, start: number, sequence: number): number;
}

interface Gate {
  readonly workload: string;
  readonly what: string;
  readonly isPassed: boolean;
}

interface Summary {
  readonly sides: readonly { readonly side: string; readonly timesStock?: Spread; readonly fleetTax?: Spread }[];
}

/** The benchmarks are modules without types: each part of them that is used here is described above. */
async function load<Exports>(file: string): Promise<Exports> {
  const url = new URL(`../../scripts/bench/${file}`, import.meta.url);
  return (await import(url.href)) as Exports;
}

const { median, summarizePairRatios } = await load<{
  median: (values: readonly number[]) => number;
  summarizePairRatios: (a: readonly number[], b: readonly number[]) => Spread;
}>("shared/statistics.mjs");
const { LatencyHistogram } = await load<{ LatencyHistogram: new () => Histogram }>("shared/latency-histogram.mjs");
const { DeliveryTracker } = await load<{ DeliveryTracker: new (options: object) => Tracker }>(
  "messages/delivery-tracker.mjs",
);
const { FrameTemplate, readSequence } = await load<{
  FrameTemplate: new (text: string) => Template;
  readSequence: (bytes: Buffer, start: number) => number;
}>("messages/frames.mjs");
const { judgeGates, planLatencies, summarizeWorkload } = await load<{
  judgeGates: (summaries: readonly Summary[]) => readonly Gate[];
  planLatencies: (windows: readonly object[], sides: readonly string[]) => readonly object[];
  summarizeWorkload: (measured: object) => Summary;
}>("messages/results.mjs");
const { describeDoubt } = await load<{ describeDoubt: (shares: object) => string }>("shared/saturation.mjs");
const { readSettings } = await load<{
  readSettings: (args: readonly string[], startedAt: Date) => Readonly<Record<string, unknown>> | undefined;
}>("messages/settings.mjs");

describe("statistics", () => {
  test("the median of an even number of values is the mean of the two in the middle", () => {
    assert.equal(median([9, 1, 5]), 5);
    assert.equal(median([4, 1, 3, 2]), 2.5);
    assert.ok(Number.isNaN(median([])));
  });

  test("ratios are taken of neighbours, before the median", () => {
    assert.deepEqual(summarizePairRatios([10, 40, 30], [10, 20, 10]), { median: 2, min: 1, max: 3 });
  });
});

describe("latency histogram", () => {
  test("percentiles are exact up to 1/64 from microseconds to minutes", () => {
    for (const scaleMs of [0.002, 0.1, 3, 250, 60_000]) {
      const histogram = new LatencyHistogram();
      for (let i = 1; i <= 1_000; i++) histogram.record((scaleMs * i) / 1_000);
      for (const share of [0.5, 0.99, 1]) {
        const exactMs = scaleMs * share;
        const error = Math.abs(histogram.percentileMs(share) - exactMs);
        assert.ok(error <= exactMs / 64 + 0.001, `${share} of ${scaleMs} ms: off by ${error} ms`);
      }
    }
  });

  test("a single slow value is the last percentile and nothing else", () => {
    const histogram = new LatencyHistogram();
    for (let i = 0; i < 99; i++) histogram.record(1);
    histogram.record(500);
    assert.ok(histogram.percentileMs(0.99) < 1.02);
    assert.ok(histogram.percentileMs(1) >= 500);
    histogram.clear();
    assert.equal(histogram.total, 0);
    assert.ok(Number.isNaN(histogram.percentileMs(0.5)));
  });
});

describe("delivery tracker", () => {
  const newTracker = (histogram = new LatencyHistogram(), slots = 64) =>
    new DeliveryTracker({ maxReceivers: 40, histogram, slots });

  test("a message is complete when each of its receivers has had it", () => {
    const tracker = newTracker();
    const sequence = tracker.send(7, 3, 0);
    assert.equal(tracker.outstanding, 3);
    for (const place of [2, 0]) tracker.deliver(sequence, 7, place, 1);
    assert.equal(tracker.counters.completed, 0);
    tracker.deliver(sequence, 7, 1, 1);
    assert.equal(tracker.counters.completed, 1);
    assert.equal(tracker.outstanding, 0);
  });

  test("a second delivery to the same receiver is double and completes nothing", () => {
    const tracker = newTracker();
    const sequence = tracker.send(0, 40, 0);
    for (let i = 0; i < 40; i++) tracker.deliver(sequence, 0, 35, 1);
    assert.equal(tracker.counters.double, 39);
    assert.equal(tracker.counters.delivered, 1);
    assert.equal(tracker.outstanding, 39);
  });

  test("a delivery to somebody else, or of a message never sent, is unexpected", () => {
    const tracker = newTracker();
    const sequence = tracker.send(1, 1, 0);
    tracker.deliver(sequence, 2, 0, 1);
    tracker.deliver(sequence + 1, 1, 0, 1);
    tracker.deliver(Number.NaN, 1, 0, 1);
    assert.equal(tracker.counters.unexpected, 3);
    assert.equal(tracker.outstanding, 1);
  });

  test("what is late by the limit is lost and makes room; when it comes after all it is late", () => {
    const tracker = newTracker();
    const old = tracker.send(1, 4, 0);
    tracker.deliver(old, 1, 0, 10);
    tracker.send(2, 2, 3_000);
    tracker.releaseLost(4_999, 5_000);
    assert.equal(tracker.counters.lost, 0);
    tracker.releaseLost(5_000, 5_000);
    assert.equal(tracker.counters.lost, 3);
    assert.equal(tracker.outstanding, 2);
    tracker.deliver(old, 1, 1, 5_001);
    assert.equal(tracker.counters.late, 1);
    assert.equal(tracker.counters.delivered, 1);
    tracker.releaseLost(8_000, 5_000);
    assert.equal(tracker.counters.lost, 5);
    assert.equal(tracker.outstanding, 0);
  });

  test("a number used again gives up what it stood for", () => {
    const tracker = newTracker(new LatencyHistogram(), 4);
    const first = tracker.send(0, 1, 0);
    for (let i = 0; i < 4; i++) tracker.deliver(tracker.send(0, 1, 1), 0, 0, 2);
    assert.equal(tracker.counters.lost, 1);
    assert.equal(tracker.counters.completed, 4);
    tracker.deliver(first, 0, 0, 3);
    assert.equal(tracker.counters.unexpected, 1);
    assert.equal(tracker.outstanding, 0);
  });

  test("latencies of messages sent within the recording count, whenever they arrive", () => {
    const histogram = new LatencyHistogram();
    const tracker = newTracker(histogram);
    const before = tracker.send(0, 1, 99);
    tracker.recordBetween(100, Number.POSITIVE_INFINITY);
    const within = tracker.send(0, 1, 150);
    tracker.recordBetween(100, 200);
    const after = tracker.send(0, 1, 200);
    for (const sequence of [before, within, after]) tracker.deliver(sequence, 0, 0, 400);
    assert.equal(histogram.total, 1);
    assert.ok(Math.abs(histogram.percentileMs(1) - 250) < 5);
  });
});

describe("frames", () => {
  for (const padding of [10, 200]) {
    test(`a frame with ${padding} more bytes unmasks to its text with the sequence number in its place`, () => {
      const template = new FrameTemplate(`42["é","1000000000${"x".repeat(padding)}"]`);
      const frame = Buffer.alloc(template.size + 3);
      assert.equal(template.write(frame, 3, 1_234_567_890), frame.length);
      const payload = unmask(frame.subarray(3));
      assert.equal(payload.toString(), `42["é","2234567890${"x".repeat(padding)}"]`);
      assert.equal(readSequence(payload, payload.indexOf("2234567890")), 1_234_567_890);
    });
  }
});

function unmask(frame: Buffer): Buffer {
  const isLong = (frame.readUInt8(1) & 0x7f) === 126;
  const size = isLong ? frame.readUInt16BE(2) : frame.readUInt8(1) & 0x7f;
  const head = isLong ? 4 : 2;
  const payload = Buffer.from(frame.subarray(head + 4));
  assert.equal(payload.length, size);
  for (let i = 0; i < payload.length; i++) payload[i] = payload.readUInt8(i) ^ frame.readUInt8(head + (i & 3));
  return payload;
}

const usPerMessage = { primary: 1, router: 1, workers: 1, redis: 0, other: 0, total: 3 };
const noCounters = { lost: 0, double: 0, unexpected: 0, late: 0 };

function makeWindows(side: string, capacities: readonly number[]): object[] {
  return capacities.map((capacity) => ({
    side,
    perSecond: capacity,
    perSecondAndCore: capacity,
    usPerMessage,
    saturation: 1,
    loadBusy: 0.5,
  }));
}

function summarizeRoom(routedP99Ms: number, counters: object = noCounters): Summary {
  const latency = (side: string, p99Ms: number) => ({ side, at: "half of stock", p50Ms: 1, p99Ms });
  return summarizeWorkload({
    workload: "room",
    sides: ["routed", "stock", "in-memory"],
    windows: [
      ...makeWindows("routed", [300, 500, 400]),
      ...makeWindows("stock", [100, 250, 100]),
      ...makeWindows("in-memory", [600, 500, 400]),
    ],
    latencies: [latency("routed", routedP99Ms), latency("stock", 10), latency("stock", 12), latency("stock", 90)],
    rssBytesBySide: {},
    countersBySide: { routed: counters, stock: noCounters, "in-memory": noCounters },
  });
}

describe("results", () => {
  test("ratio and tax come from windows that ran next to each other", () => {
    const [routed, stock, inMemory] = summarizeRoom(1).sides;
    assert.deepEqual(routed?.timesStock, { median: 3, min: 2, max: 4 });
    assert.deepEqual(routed?.fleetTax, { median: 1, min: 1, max: 2 });
    assert.equal(stock?.timesStock, undefined);
    assert.equal(inMemory?.fleetTax, undefined);
  });

  test("gates judge ratio, p99 against stock's median round, and the deliveries", () => {
    const failing = (summary: Summary) =>
      judgeGates([summary])
        .filter(({ isPassed }) => !isPassed)
        .map(({ what }) => what.split(" ")[0]);
    assert.deepEqual(failing(summarizeRoom(12)), []);
    assert.deepEqual(failing(summarizeRoom(12.1)), ["ms"]);
    assert.deepEqual(failing(summarizeRoom(1, { ...noCounters, double: 1 })), ["deliveries"]);
  });

  test("latencies are planned at half of stock for every side, and at half of its own for the others", () => {
    const windows = [...makeWindows("routed", [400]), ...makeWindows("stock", [100])];
    assert.deepEqual(planLatencies(windows, ["routed", "stock"]), [
      { side: "routed", at: "half of stock", ratePerSecond: 50 },
      { side: "stock", at: "half of stock", ratePerSecond: 50 },
      { side: "routed", at: "half of its own", ratePerSecond: 200 },
    ]);
  });

  test("a window is doubted when somebody else was the limit", () => {
    const good = { saturation: 0.99, othersOnServerCore: 0.01, loadBusy: 0.7, othersOnLoadCore: 0.01 };
    assert.equal(describeDoubt(good), "");
    assert.match(describeDoubt({ ...good, loadBusy: 0.95 }), /load generator is near its limit/);
    assert.match(describeDoubt({ ...good, saturation: 0.6, othersOnServerCore: 0.4 }), /other processes took 40 %/);
    assert.match(describeDoubt({ ...good, saturation: 0.6 }), /number in flight is the limit/);
  });
});

describe("settings of the message benchmark", () => {
  const read = (...args: string[]) =>
    readSettings(["--side", "routed=@socket.io/cluster-adapter", ...args], new Date());

  test("--quick gives way to what is said explicitly", () => {
    const settings = read("--quick", "--window-s", "2");
    assert.deepEqual([settings?.windows, settings?.windowS, settings?.warmupS], [1, 2, 1]);
  });

  const mistakes: readonly [string[], RegExp][] = [
    [["--windows", "0"], /--windows must be a whole number from 1 to 50/],
    [["--windows", "2.5"], /--windows must be a whole number/],
    [["--window-s", "x"], /--window-s must be a number from 0.2 to 120/],
    [["--workers", ""], /--workers must be a whole number/],
    [["--scenarios", "room,rom"], /--scenarios: "rom" is none of room, dm, all, room-7k, presence/],
    [["--sides", "stack"], /--sides: "stack" is none of/],
    [["--side", "mine"], /--side: "mine" is not NAME=FILE/],
    [["--side", "mine=./no/such/file.mjs"], /there is no file/],
    [["--side", "mine=no-such-package"], /neither a file nor a package/],
    [["--json", "/no/such/directory/x.json"], /no directory/],
    [["--wndows", "1"], /^Unknown option '--wndows'/],
    [["room"], /^Unexpected argument 'room'/],
  ];
  for (const [args, message] of mistakes) {
    test(`"${args.join(" ")}" is refused in one line`, () => {
      assert.throws(
        () => read(...args),
        (error: Error) => {
          assert.equal(error.constructor.name, "UsageError");
          assert.match(error.message, message);
          assert.ok(!error.message.includes("\n"));
          return true;
        },
      );
    });
  }
});
