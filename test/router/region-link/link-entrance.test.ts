/** Who may still prove who they are: bounded in all, and by failures of one address. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { LinkEntrance } from "../../../src/router/region-link/link-entrance.js";

test("ten failures of one address, and it waits ten seconds; others do not", () => {
  const entrance = new LinkEntrance();
  for (let failure = 0; failure < 10; failure++) {
    assert.ok(entrance.enter("bad", failure));
    entrance.leave("bad", false, failure);
  }
  assert.equal(entrance.enter("bad", 100), false);
  assert.ok(entrance.enter("good", 100));
  assert.equal(entrance.enter("bad", 9_900), false);
  assert.ok(entrance.enter("bad", 10_100));
});

test("a proof makes former failures forgotten", () => {
  const entrance = new LinkEntrance();
  for (let failure = 0; failure < 9; failure++) {
    entrance.enter("host", 0);
    entrance.leave("host", false, 0);
  }
  entrance.enter("host", 0);
  entrance.leave("host", true, 0);
  for (let failure = 0; failure < 9; failure++) {
    assert.ok(entrance.enter("host", 0));
    entrance.leave("host", false, 0);
  }
  assert.ok(entrance.enter("host", 0));
});

test("of those that have not proven anything there are 128 at a time", () => {
  const entrance = new LinkEntrance();
  for (let count = 0; count < 128; count++) assert.ok(entrance.enter(`address ${count}`, 0));
  assert.equal(entrance.enter("one more", 0), false);
  entrance.leave("address 0", true, 0);
  assert.ok(entrance.enter("one more", 0));
});

test("of one address there are 32 of them, so that others find room", () => {
  const entrance = new LinkEntrance();
  for (let count = 0; count < 32; count++) assert.ok(entrance.enter("crowd", 0));
  assert.equal(entrance.enter("crowd", 0), false);
  assert.ok(entrance.enter("other", 0));
  entrance.leave("crowd", true, 0);
  assert.ok(entrance.enter("crowd", 0));
});
