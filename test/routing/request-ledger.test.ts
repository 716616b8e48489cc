import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type RequestEnd, RequestLedger } from "../../src/routing/request-ledger.js";

const placeA = "hostAA";
const placeB = "hostAB";
const a1 = `${placeA}11111111111111`;
const a2 = `${placeA}22222222222222`;
const b1 = `${placeB}11111111111111`;
const uids = [a1, a2, b1];
/** Who asks, and who had the same place before. */
const self = "hostAC11111111111111";
const former = "hostAC00000000000000";
const nothing = Buffer.alloc(0);

/** What a request was told, in order: answers as their type and text, and how it ended. */
class Recorded {
  readonly told: string[] = [];
  readonly ends: RequestEnd[] = [];

  readonly onAnswer = (type: number, value: Buffer): void => {
    this.told.push(`${type} ${value}`);
  };

  readonly onEnd = (end: RequestEnd, { asked, missing }: { asked: number; missing: number }): void => {
    this.ends.push(end);
    this.told.push(`${end}, ${missing} of ${asked} missing`);
  };
}

/** A request that asked these. */
function ask(ledger: RequestLedger, asked: readonly string[], deadlineMs = 1_000): { id: number; told: string[] } {
  const recorded = new Recorded();
  const id = ledger.open(recorded, deadlineMs);
  ledger.noteAsked(id, self, asked);
  return { id, told: recorded.told };
}

describe("a request ends", () => {
  test("when everybody who was asked has had their last word", () => {
    const ledger = new RequestLedger();
    const { id, told } = ask(ledger, [a1, b1]);
    ledger.noteAnswer(id, self, b1, 1, Buffer.from("b"), true);
    assert.equal(ledger.size, 1);
    ledger.noteAnswer(id, self, a1, 1, Buffer.from("a"), true);
    assert.deepEqual(told, ["1 b", "1 a", "complete, 0 of 2 missing"]);
    assert.equal(ledger.size, 0);
  });

  test("at once when nobody was asked", () => {
    const { told } = ask(new RequestLedger(), []);
    assert.deepEqual(told, ["complete, 0 of 0 missing"]);
  });

  test("without those who are gone: a member, a worker with all its members", () => {
    const ledger = new RequestLedger();
    const { id, told } = ask(ledger, [a1, a2, b1]);
    ledger.forgetMember(b1);
    ledger.forgetMember(b1);
    ledger.noteAnswer(id, self, a1, 1, Buffer.from("a"), true);
    ledger.forgetPlace(placeA);
    assert.deepEqual(told, ["1 a", "complete, 0 of 3 missing"]);
  });

  test("when its time is up, with what has come until then", () => {
    const ledger = new RequestLedger();
    const { id, told } = ask(ledger, [a1, b1], 500);
    ledger.noteAnswer(id, self, a1, 1, nothing, true);
    ledger.expire(499);
    assert.equal(told.length, 1);
    ledger.expire(500);
    assert.deepEqual(told, ["1 ", "timed-out, 1 of 2 missing"]);
  });

  test("when the router is lost, whether or not it has said who was asked", () => {
    const ledger = new RequestLedger();
    const { told } = ask(ledger, [a1]);
    const unsaid = new Recorded();
    ledger.open(unsaid, 1_000);
    ledger.loseRouter();
    assert.deepEqual(told, ["router-lost, 1 of 1 missing"]);
    assert.deepEqual(unsaid.told, ["router-lost, 0 of 0 missing"]);
  });

  test("when it could not be sent", () => {
    const ledger = new RequestLedger();
    const recorded = new Recorded();
    ledger.fail(ledger.open(recorded, 1_000));
    ledger.fail(77);
    assert.deepEqual(recorded.told, ["not-sent, 0 of 0 missing"]);
  });
});

describe("an answer is passed over", () => {
  const cases: readonly [string, (ledger: RequestLedger, id: number) => void][] = [
    ["to a request that nobody opened", (ledger, id) => ledger.noteAnswer(id + 1, self, a1, 1, nothing, true)],
    ["to a worker that had this place before", (ledger, id) => ledger.noteAnswer(id, former, a1, 1, nothing, true)],
    ["of a member that was not asked", (ledger, id) => ledger.noteAnswer(id, self, a2, 1, nothing, true)],
    ["of a member that has had its last word", (ledger, id) => ledger.noteAnswer(id, self, b1, 1, nothing, true)],
    [
      "of a member that was forgotten",
      (ledger, id) => {
        ledger.noteAsked(id, self, [a2]);
        ledger.noteAnswer(id, self, a2, 1, nothing, true);
      },
    ],
  ];
  for (const [title, answer] of cases) {
    test(title, () => {
      const ledger = new RequestLedger();
      const { id, told } = ask(ledger, [a1, b1]);
      ledger.noteAnswer(id, self, b1, 1, Buffer.from("b"), true);
      answer(ledger, id);
      assert.deepEqual(told, ["1 b"]);
    });
  }

  test("before the router has said who was asked, and after the end", () => {
    const ledger = new RequestLedger();
    const recorded = new Recorded();
    const id = ledger.open(recorded, 1_000);
    ledger.noteAnswer(id, self, a1, 1, nothing, true);
    ledger.forgetPlace(placeA);
    assert.deepEqual(recorded.told, []);
    ledger.noteAsked(id, self, [a1]);
    ledger.expire(1_000);
    ledger.noteAnswer(id, self, a1, 1, nothing, true);
    ledger.noteAsked(id, self, [a1]);
    ledger.loseRouter();
    assert.deepEqual(recorded.told, ["timed-out, 1 of 1 missing"]);
  });
});

test("a member may say much before its last word", () => {
  const ledger = new RequestLedger();
  const { id, told } = ask(ledger, [a1]);
  for (const text of ["x", "y"]) ledger.noteAnswer(id, self, a1, 2, Buffer.from(text), false);
  ledger.noteAnswer(id, self, a1, 3, nothing, true);
  assert.deepEqual(told, ["2 x", "2 y", "3 ", "complete, 0 of 1 missing"]);
});

test("the next time that something is due is the earliest deadline of those that wait", () => {
  const ledger = new RequestLedger();
  assert.equal(ledger.nextDueMs(), Number.POSITIVE_INFINITY);
  ask(ledger, [a1], 700);
  const { id } = ask(ledger, [b1], 300);
  assert.equal(ledger.nextDueMs(), 300);
  ledger.noteAnswer(id, self, b1, 1, nothing, true);
  assert.equal(ledger.nextDueMs(), 700);
});

test("numbers stay within 32 bits and begin at 1 again, never 0", () => {
  const ledger = new RequestLedger(0xff_ff_ff_fe);
  const ids = [1, 2, 3, 4].map(() => ledger.open(new Recorded(), 1_000));
  assert.deepEqual(ids, [0xff_ff_ff_fe, 0xff_ff_ff_ff, 1, 2]);
  assert.equal(new RequestLedger().open(new Recorded(), 0), 1);
});

test("a request may be opened, and another end, while one ends", () => {
  const ledger = new RequestLedger();
  const later = new Recorded();
  const other = new Recorded();
  let laterId = 0;
  const first = ledger.open({ onAnswer: () => {}, onEnd: () => (laterId = ledger.open(later, 9_000)) }, 1_000);
  const second = ledger.open({ onAnswer: () => {}, onEnd: () => ledger.noteAsked(third, self, []) }, 1_000);
  const third = ledger.open(other, 1_000);
  ledger.expire(1_000);
  assert.deepEqual([first, second, third, laterId], [1, 2, 3, 4]);
  assert.deepEqual([other.ends, later.ends, ledger.size], [["complete"], [], 1]);
});

test("who asks again when the router is lost waits for the next one", () => {
  const ledger = new RequestLedger();
  const ends: RequestEnd[] = [];
  const askAgain = (end?: RequestEnd): void => {
    if (end !== undefined) ends.push(end);
    if (ends.length < 3) ledger.open({ onAnswer: () => {}, onEnd: askAgain }, 1_000);
  };
  askAgain();
  ledger.loseRouter();
  assert.deepEqual([ends, ledger.size], [["router-lost"], 1]);
});

type Step =
  | { readonly type: "open" | "expire"; readonly ms: number }
  | { readonly type: "asked"; readonly id: number; readonly uids: string[] }
  | { readonly type: "answer"; readonly id: number; readonly uid: string; readonly isLast: boolean }
  | { readonly type: "forget"; readonly uid: string }
  | { readonly type: "forget-place"; readonly place: string }
  | { readonly type: "fail"; readonly id: number }
  | { readonly type: "lose" };

const id = fc.integer({ min: 1, max: 5 });
const uid = fc.constantFrom(...uids);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ type: fc.constant("open" as const), ms: fc.integer({ min: 0, max: 9 }) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("asked" as const), id, uids: fc.subarray(uids) }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constant("answer" as const), id, uid, isLast: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("forget" as const), uid }) },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constant("forget-place" as const), place: fc.constantFrom(placeA, placeB) }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("expire" as const), ms: fc.integer({ min: 0, max: 9 }) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("fail" as const), id }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("lose" as const) }) },
);

interface ModelRequest {
  readonly recorded: Recorded;
  readonly deadlineMs: number;
  /** Who was asked, and who of them has had the last word or is gone. */
  asked: readonly string[] | undefined;
  readonly done: Set<string>;
  end: RequestEnd | undefined;
  answers: number;
}

function applyToModel(requests: ModelRequest[], each: Step, opened: Recorded): void {
  const waiting = requests.filter(({ end }) => end === undefined);
  const named = "id" in each ? waiting.find((request) => requests.indexOf(request) === each.id - 1) : undefined;
  const finish = (list: readonly ModelRequest[], end: RequestEnd): void => {
    for (const request of list) request.end = end;
  };
  switch (each.type) {
    case "open":
      requests.push({
        recorded: opened,
        deadlineMs: each.ms,
        asked: undefined,
        done: new Set(),
        end: undefined,
        answers: 0,
      });
      break;
    case "asked":
      if (named !== undefined) named.asked ??= each.uids;
      break;
    case "answer":
      if (named?.asked?.includes(each.uid) !== true || named.done.has(each.uid)) break;
      named.answers++;
      if (each.isLast) named.done.add(each.uid);
      break;
    case "forget":
      for (const request of waiting) if (request.asked?.includes(each.uid)) request.done.add(each.uid);
      break;
    case "forget-place":
      for (const request of waiting) {
        for (const gone of request.asked ?? []) if (gone.startsWith(each.place)) request.done.add(gone);
      }
      break;
    case "expire":
      finish(
        waiting.filter(({ deadlineMs }) => deadlineMs <= each.ms),
        "timed-out",
      );
      break;
    case "fail":
      if (named !== undefined) named.end = "not-sent";
      break;
    case "lose":
      finish(waiting, "router-lost");
  }
  finish(
    waiting.filter(({ end, asked, done }) => end === undefined && asked?.every((who) => done.has(who))),
    "complete",
  );
}

function applyToLedger(ledger: RequestLedger, each: Step, recorded: Recorded): void {
  if (each.type === "open") ledger.open(recorded, each.ms);
  else if (each.type === "asked") ledger.noteAsked(each.id, self, each.uids);
  else if (each.type === "answer") ledger.noteAnswer(each.id, self, each.uid, 1, nothing, each.isLast);
  else if (each.type === "forget") ledger.forgetMember(each.uid);
  else if (each.type === "forget-place") ledger.forgetPlace(each.place);
  else if (each.type === "expire") ledger.expire(each.ms);
  else if (each.type === "fail") ledger.fail(each.id);
  else ledger.loseRouter();
}

test("each request ends once, for the reason that came first, and hears nothing after that", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const ledger = new RequestLedger();
      const requests: ModelRequest[] = [];
      for (const each of steps) {
        const recorded = new Recorded();
        applyToLedger(ledger, each, recorded);
        applyToModel(requests, each, recorded);
        for (const { recorded: seen, end, answers } of requests) {
          assert.deepEqual(seen.ends, end === undefined ? [] : [end]);
          assert.equal(seen.told.length - seen.ends.length, answers);
          if (end !== undefined) assert.match(seen.told.at(-1) ?? "", new RegExp(`^${end}`));
        }
        assert.equal(ledger.size, requests.filter(({ end }) => end === undefined).length);
      }
    }),
    { numRuns: 500 },
  );
});

describe("a request to another region", () => {
  const region = "~eu".padEnd(20, "*");
  const hostX = "hosX".padEnd(20, "*");
  const hostY = "hosY".padEnd(20, "*");
  const x1 = "hosXAA11111111111111";
  const y1 = "hosYAA11111111111111";

  /** What the hosts of the region say, each on its own way. */
  const steps = {
    accepting: (ledger: RequestLedger, id: number) => ledger.noteAskedAt(id, self, region, [x1, hostY]),
    acceptingAnswer: (ledger: RequestLedger, id: number) => ledger.noteAnswer(id, self, x1, 1, Buffer.from("x"), true),
    other: (ledger: RequestLedger, id: number) => ledger.noteAskedAt(id, self, hostY, [y1]),
    otherAnswer: (ledger: RequestLedger, id: number) => ledger.noteAnswer(id, self, y1, 1, Buffer.from("y"), true),
  };

  for (const order of [
    ["accepting", "acceptingAnswer", "other", "otherAnswer"],
    ["other", "otherAnswer", "accepting", "acceptingAnswer"],
    ["other", "accepting", "otherAnswer", "acceptingAnswer"],
    ["accepting", "other", "otherAnswer", "acceptingAnswer"],
  ] as const) {
    test(`is complete when all have answered, heard as ${order.join(", ")}`, () => {
      const ledger = new RequestLedger();
      const { id, told } = ask(ledger, [a1, region]);
      ledger.noteAnswer(id, self, a1, 1, Buffer.from("a"), true);
      for (const step of order) {
        assert.equal(ledger.size, 1, `it is over before ${step}`);
        steps[step](ledger, id);
      }
      assert.deepEqual(told.slice(0, 3).sort(), ["1 a", "1 x", "1 y"]);
      assert.equal(told[3], "complete, 0 of 3 missing");
    });
  }

  test("does not take what comes twice, nor of whom nobody has asked once the region has said whom it asks", () => {
    const ledger = new RequestLedger();
    const { id, told } = ask(ledger, [region]);
    steps.other(ledger, id);
    steps.otherAnswer(ledger, id);
    steps.otherAnswer(ledger, id);
    steps.accepting(ledger, id);
    ledger.noteAnswer(id, self, "hosZAA11111111111111", 1, Buffer.from("z"), true);
    steps.acceptingAnswer(ledger, id);
    assert.deepEqual(told, ["1 y", "1 x", "complete, 0 of 2 missing"]);
  });

  test("waits no more for a host that cannot be reached, nor for the region", () => {
    const ledger = new RequestLedger();
    const { id, told } = ask(ledger, [region]);
    ledger.noteAskedAt(id, self, region, [hostX, hostY]);
    ledger.forgetPlace("hosX");
    ledger.forgetPlace("hosY");
    assert.deepEqual(told, ["complete, 0 of 2 missing"]);
    const next = ask(ledger, [region]);
    ledger.forgetPlace("~eu");
    assert.deepEqual(next.told, ["complete, 0 of 1 missing"]);
  });
});
