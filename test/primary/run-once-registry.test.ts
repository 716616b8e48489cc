import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Grant, RunOnceRegistry } from "../../src/primary/run-once-registry.js";

test("the first claimant gets the name, those after it wait in the order of their claims", () => {
  const registry = new RunOnceRegistry();
  assert.deepEqual(registry.claim("job", 2), { name: "job", slot: 2 });
  assert.equal(registry.claim("job", 0), undefined);
  assert.equal(registry.claim("job", 1), undefined);
  assert.deepEqual(registry.release("job", 2), { name: "job", slot: 0 });
  assert.deepEqual(registry.release("job", 0), { name: "job", slot: 1 });
  assert.equal(registry.release("job", 1), undefined);
  assert.deepEqual(registry.claim("job", 3), { name: "job", slot: 3 });
});

test("one who is about to leave gets a name only when there is nobody else", () => {
  const leaving = new Set([0, 1]);
  const registry = new RunOnceRegistry((slot) => leaving.has(slot));
  for (const slot of [0, 1, 2, 3]) registry.claim("job", slot);
  assert.deepEqual(registry.release("job", 0), { name: "job", slot: 2 });
  assert.equal(registry.release("job", 3), undefined);
  assert.deepEqual(registry.release("job", 2), { name: "job", slot: 1 });
  assert.equal(registry.release("job", 1), undefined);
});

test("names are held apart", () => {
  const registry = new RunOnceRegistry();
  registry.claim("one", 0);
  assert.deepEqual(registry.claim("two", 1), { name: "two", slot: 1 });
});

test("a second claim of the holder or of one who waits changes nothing", () => {
  const registry = new RunOnceRegistry();
  registry.claim("job", 0);
  assert.equal(registry.claim("job", 0), undefined);
  registry.claim("job", 1);
  registry.claim("job", 1);
  assert.deepEqual(registry.release("job", 0), { name: "job", slot: 1 });
  assert.equal(registry.release("job", 1), undefined);
});

test("one who waits and gives up is passed over", () => {
  const registry = new RunOnceRegistry();
  registry.claim("job", 0);
  registry.claim("job", 1);
  registry.claim("job", 2);
  assert.equal(registry.release("job", 1), undefined);
  assert.deepEqual(registry.release("job", 0), { name: "job", slot: 2 });
});

test("a release of what was never claimed is nothing", () => {
  const registry = new RunOnceRegistry();
  assert.equal(registry.release("job", 0), undefined);
  registry.claim("job", 0);
  assert.equal(registry.release("job", 1), undefined);
  assert.deepEqual(registry.releaseAll(1), []);
});

test("the end of a worker passes on every name it held, and only those", () => {
  const registry = new RunOnceRegistry();
  for (const name of ["both", "mine"]) registry.claim(name, 0);
  registry.claim("theirs", 1);
  for (const name of ["both", "theirs"]) registry.claim(name, 2);
  registry.claim("theirs", 0);
  assert.deepEqual(registry.releaseAll(0), [{ name: "both", slot: 2 }]);
  assert.deepEqual(registry.release("theirs", 1), { name: "theirs", slot: 2 });
});

type Step =
  | { readonly kind: "claim" | "release"; readonly name: string; readonly slot: number }
  | { readonly kind: "end"; readonly slot: number };

const names = fc.constantFrom("a", "b");
const slots = fc.nat({ max: 3 });
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constantFrom("claim" as const, "release" as const), name: names, slot: slots }),
    fc.record({ kind: fc.constant("end" as const), slot: slots }),
  ),
  { maxLength: 60 },
);

/** What the workers know: who wants a name, and who was told that it has it. */
class Workers {
  readonly registry = new RunOnceRegistry();
  readonly wanted = new Map<string, Set<number>>();
  readonly holderByName = new Map<string, number>();

  take(step: Step): void {
    switch (step.kind) {
      case "claim":
        this.#want(step.name).add(step.slot);
        this.#note(this.registry.claim(step.name, step.slot));
        break;
      case "release":
        this.#giveUp(step.name, step.slot);
        this.#note(this.registry.release(step.name, step.slot));
        break;
      case "end":
        for (const name of this.wanted.keys()) this.#giveUp(name, step.slot);
        for (const grant of this.registry.releaseAll(step.slot)) this.#note(grant);
        break;
    }
  }

  #want(name: string): Set<number> {
    const slots = this.wanted.get(name) ?? new Set();
    this.wanted.set(name, slots);
    return slots;
  }

  #giveUp(name: string, slot: number): void {
    this.#want(name).delete(slot);
    if (this.holderByName.get(name) === slot) this.holderByName.delete(name);
  }

  #note(grant: Grant | undefined): void {
    if (grant === undefined) return;
    assert.equal(this.holderByName.has(grant.name), false, `${grant.name} has two holders`);
    assert.ok(this.wanted.get(grant.name)?.has(grant.slot), `${grant.name} went to one who did not ask`);
    this.holderByName.set(grant.name, grant.slot);
  }
}

test("whatever the workers do, a name has one holder while anybody wants it, and none otherwise", () => {
  fc.assert(
    fc.property(steps, (taken) => {
      const workers = new Workers();
      for (const step of taken) {
        workers.take(step);
        for (const [name, wanting] of workers.wanted) {
          assert.equal(workers.holderByName.has(name), wanting.size > 0, `${name} after ${JSON.stringify(step)}`);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test("who waits gets the name once all before it have let go", () => {
  fc.assert(
    fc.property(steps, (taken) => {
      const workers = new Workers();
      for (const step of taken) workers.take(step);
      workers.take({ kind: "claim", name: "a", slot: 9 });
      for (const slot of [0, 1, 2, 3]) workers.take({ kind: "end", slot });
      assert.equal(workers.holderByName.get("a"), 9);
    }),
  );
});
