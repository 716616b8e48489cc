/** Who wants what, against naive sets. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { InterestTable } from "../../src/routing/interest-table.js";

interface Place {
  readonly name: string;
}

const places: readonly Place[] = ["A", "B", "C"].map((name) => ({ name }));
const namespaces = ["/", "/chat", ""];
const rooms = ["a", "b", "c"];

/** Pairs and counts, and nothing clever. */
class Model {
  entries: { place: Place; namespace: string; room: string }[] = [];
  adapters: { place: Place; namespace: string }[] = [];

  has(place: Place, namespace: string, room: string): boolean {
    return this.entries.some((entry) => entry.place === place && entry.namespace === namespace && entry.room === room);
  }

  add(place: Place, namespace: string, room: string): boolean {
    if (this.has(place, namespace, room)) return false;
    this.entries.push({ place, namespace, room });
    return true;
  }

  remove(place: Place, namespace: string, room: string): boolean {
    const had = this.has(place, namespace, room);
    this.entries = this.entries.filter(
      (entry) => !(entry.place === place && entry.namespace === namespace && entry.room === room),
    );
    return had;
  }

  removeAdapter(place: Place, namespace: string): void {
    const at = this.adapters.findIndex((adapter) => adapter.place === place && adapter.namespace === namespace);
    if (at >= 0) this.adapters.splice(at, 1);
  }
}

type Step =
  | { readonly type: "add" | "remove"; readonly place: Place; readonly namespace: string; readonly room: string }
  | { readonly type: "serve" | "leave"; readonly place: Place; readonly namespace: string }
  | { readonly type: "remove-rooms" | "remove-place"; readonly place: Place };

const place = fc.constantFrom(...places);
const namespace = fc.constantFrom(...namespaces);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      type: fc.constantFrom("add" as const, "add" as const, "remove" as const),
      place,
      namespace,
      room: fc.constantFrom(...rooms),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constantFrom("serve" as const, "leave" as const), place, namespace }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ type: fc.constantFrom("remove-rooms" as const, "remove-place" as const), place }),
  },
);

function apply(table: InterestTable<Place>, model: Model, each: Step): void {
  switch (each.type) {
    case "add":
      assert.equal(
        table.addRoom(each.place, each.namespace, each.room),
        model.add(each.place, each.namespace, each.room),
      );
      break;
    case "remove":
      assert.equal(
        table.removeRoom(each.place, each.namespace, each.room),
        model.remove(each.place, each.namespace, each.room),
      );
      break;
    case "serve":
      table.addNamespace(each.place, each.namespace);
      model.adapters.push({ place: each.place, namespace: each.namespace });
      break;
    case "leave":
      table.removeNamespace(each.place, each.namespace);
      model.removeAdapter(each.place, each.namespace);
      break;
    case "remove-place":
      table.removePlace(each.place);
      model.entries = model.entries.filter((entry) => entry.place !== each.place);
      model.adapters = model.adapters.filter((adapter) => adapter.place !== each.place);
      break;
    case "remove-rooms":
      table.removeRooms(each.place);
      model.entries = model.entries.filter((entry) => entry.place !== each.place);
  }
}

function namesOf(list: Iterable<Place>): string[] {
  return [...list].map(({ name }) => name).sort();
}

function compare(table: InterestTable<Place>, model: Model): void {
  assert.equal(table.size, model.entries.length);
  for (const each of namespaces) {
    const serving = new Set(
      model.adapters.filter((adapter) => adapter.namespace === each).map((adapter) => adapter.place),
    );
    assert.deepEqual(namesOf(table.placesOf(each)), namesOf(serving), `who serves ${each}`);
    for (const room of rooms) {
      const inside = model.entries.filter((entry) => entry.namespace === each && entry.room === room);
      assert.deepEqual(
        namesOf(table.placesIn(each, room)),
        namesOf(inside.map((entry) => entry.place)),
        `${each} ${room}`,
      );
    }
  }
}

test("the table says what naive sets say, whatever is added and removed, and is empty when everybody is gone", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const table = new InterestTable<Place>();
      const model = new Model();
      for (const each of steps) {
        apply(table, model, each);
        compare(table, model);
      }
      for (const each of places) table.removePlace(each);
      compare(table, new Model());
      assert.equal(table.size, 0);
    }),
    { numRuns: 200 },
  );
});

test("a namespace that two adapters of one place serve is served until both have gone", () => {
  const table = new InterestTable<string>();
  table.addNamespace("A", "/");
  table.addNamespace("A", "/");
  table.removeNamespace("A", "/");
  assert.deepEqual([...table.placesOf("/")], ["A"]);
  table.removeNamespace("A", "/");
  table.removeNamespace("A", "/");
  assert.deepEqual([...table.placesOf("/")], []);
  table.addNamespace("A", "/");
  assert.deepEqual([...table.placesOf("/")], ["A"]);
});

test("rooms of a place may be wanted in a namespace that it does not serve, and stay when it stops to serve", () => {
  const table = new InterestTable<string>();
  table.addRoom("A", "/", "a");
  table.addNamespace("A", "/");
  table.removeNamespace("A", "/");
  assert.deepEqual([...table.placesIn("/", "a")], ["A"]);
  table.removeRooms("A");
  assert.deepEqual([table.size, [...table.placesIn("/", "a")]], [0, []]);
});

test("rooms of one name in two namespaces, and keys that look like one another, are different rooms", () => {
  const table = new InterestTable<string>();
  table.addRoom("A", "/", "a\0b");
  table.addRoom("B", "/\0a", "b");
  table.addRoom("C", "/a", "");
  assert.deepEqual([...table.placesIn("/", "a\0b")], ["A"]);
  assert.deepEqual([...table.placesIn("/\0a", "b")], ["B"]);
  assert.deepEqual([...table.placesIn("/", "a")], []);
});

test("a hundred thousand rooms of a place are gone with it in a moment", () => {
  const table = new InterestTable<string>();
  for (let room = 0; room < 100_000; room++) table.addRoom("A", "/", String(room));
  table.addRoom("B", "/", "1");
  table.removePlace("A");
  assert.equal(table.size, 1);
  assert.deepEqual([...table.placesIn("/", "1")], ["B"]);
});
