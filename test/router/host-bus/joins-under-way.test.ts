import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { JoinsUnderWay } from "../../../src/router/host-bus/joins-under-way.js";
import { Port } from "../../../src/router/port.js";

const limits = { maxBytes: 1, maxVolatileBytes: 1 };

describe("joins of another host", () => {
  test("are done when every worker that got them has said so, in the order of the marks", () => {
    const joins = new JoinsUnderWay();
    const [one, two] = [new Port("hostAA", limits), new Port("hostAB", limits)] as const;
    joins.note(one, 1);
    joins.note(two, 1);
    joins.mark(1);
    joins.note(two, 2);
    joins.mark(2);
    assert.equal(joins.hasNews, false);
    joins.settle(two, 2);
    assert.equal(joins.hasNews, false, "the first is not done");
    joins.settle(one, 1);
    assert.equal(joins.takeDone(), 2);
    assert.equal(joins.hasNews, false);
  });

  test("that nobody here got are done at once", () => {
    const joins = new JoinsUnderWay();
    joins.mark(5);
    assert.equal(joins.takeDone(), 5);
  });

  test("do not add up behind a worker that hangs, which others are not waiting for", () => {
    const joins = new JoinsUnderWay();
    const port = new Port("hostAA", limits);
    joins.note(port, 1);
    for (let number = 1; number <= 1_000; number++) joins.mark(number);
    assert.equal(joins.hasNews, false);
    joins.settle(port, 1);
    assert.equal(joins.takeDone(), 1_000);
  });

  test("end with a worker, also before they are marked", () => {
    const joins = new JoinsUnderWay();
    const port = new Port("hostAA", limits);
    joins.note(port, 1);
    joins.settle(port, Number.POSITIVE_INFINITY);
    joins.mark(1);
    assert.equal(joins.takeDone(), 1);
  });

  test("wait for what a worker has carried out, not for what it had carried out before", () => {
    const joins = new JoinsUnderWay();
    const port = new Port("hostAA", limits);
    joins.note(port, 4);
    joins.mark(1);
    joins.settle(port, 3);
    assert.equal(joins.hasNews, false);
    joins.settle(port, 4);
    assert.equal(joins.takeDone(), 1);
  });
});
