import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { describe, test } from "node:test";
import fc from "fast-check";
import { Server } from "socket.io";
import {
  addressLength,
  chooseHostKey,
  createAddress,
  encodePlace,
  isHostKey,
  maxWorkerSlots,
  parseAddress,
  parsePlace,
  randomBytesPerAddress,
} from "../../src/address/address.js";

const alphabet = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"];
const hostKeys = fc.string({ unit: fc.constantFrom(...alphabet), minLength: 4, maxLength: 4 });
const slots = fc.integer({ min: 0, max: maxWorkerSlots - 1 });

function makeRandomCharacters(): string {
  return randomBytes(randomBytesPerAddress).toString("base64url");
}

test("every slot of a host comes back from its address", () => {
  for (let workerSlot = 0; workerSlot < maxWorkerSlots; workerSlot++) {
    const id = createAddress(encodePlace({ hostKey: "AbC_", workerSlot }), makeRandomCharacters());
    assert.deepEqual(parseAddress(id), { hostKey: "AbC_", workerSlot });
  }
});

test("every host key, slot and random part makes an address of 20 characters that leads back", () => {
  const bytes = fc.uint8Array({ minLength: randomBytesPerAddress, maxLength: randomBytesPerAddress });
  fc.assert(
    fc.property(hostKeys, slots, bytes, (hostKey, workerSlot, random) => {
      const id = createAddress(encodePlace({ hostKey, workerSlot }), Buffer.from(random).toString("base64url"));
      assert.match(id, /^[A-Za-z0-9_-]{20}$/);
      assert.deepEqual(parseAddress(id), { hostKey, workerSlot });
    }),
  );
});

test("two places never share the beginning of their ids", () => {
  const places = new Set<string>();
  for (let workerSlot = 0; workerSlot < maxWorkerSlots; workerSlot++) {
    places.add(encodePlace({ hostKey: "host", workerSlot }));
  }
  assert.equal(places.size, maxWorkerSlots);
});

test("the random part is the first 14 of the characters given, and 11 bytes give enough", () => {
  assert.ok(makeRandomCharacters().length >= 14);
  assert.equal(createAddress("hostAA", "0123456789abcdefgh"), "hostAA0123456789abcd");
});

test("high and low digit of the slot are in the order of base64", () => {
  const cases: [number, string][] = [
    [0, "AA"],
    [1, "AB"],
    [63, "A_"],
    [64, "BA"],
    [4095, "__"],
  ];
  for (const [workerSlot, digits] of cases) assert.equal(encodePlace({ hostKey: "host", workerSlot }), `host${digits}`);
});

describe("what is not an address is not parsed", () => {
  const cases: [string, string][] = [
    ["nothing", ""],
    ["one character too few", "hostAA0123456789abc"],
    ["one character too many", "hostAA0123456789abcde"],
    ["standard base64", "host+/0123456789abcd"],
    ["a line break at the end", "hostAA0123456789abc\n"],
    ["a line break after the end", "hostAA0123456789abcd\n"],
    ["a space", "host AA123456789abcd"],
    ["letters outside ASCII", "hostAA0123456789abcé"],
    ["the id of an Engine.IO 3 socket in a namespace", "/chat#hostAA0123456789abcd"],
  ];
  for (const [what, text] of cases) {
    test(`${what}: ${JSON.stringify(text)}`, () => assert.equal(parseAddress(text), undefined));
  }

  test("any string that is parsed has the shape, and any other is refused", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ minLength: 20, maxLength: 20 })), (text) => {
        assert.equal(parseAddress(text) !== undefined, /^[A-Za-z0-9_-]{20}$/.test(text));
      }),
    );
  });
});

test("a place is read back from its six characters, and from nothing else", () => {
  fc.assert(
    fc.property(fc.nat({ max: maxWorkerSlots - 1 }), (workerSlot) => {
      const place = { hostKey: "ho_-", workerSlot };
      assert.deepEqual(parsePlace(encodePlace(place)), place);
    }),
  );
  for (const text of ["", "hostA", "hostAAA", "host+A", "hostAA\n", "host A"])
    assert.equal(parsePlace(text), undefined);
});

describe("a place that cannot be encoded is refused", () => {
  for (const workerSlot of [-1, maxWorkerSlots, 0.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    test(`slot ${workerSlot}`, () => {
      assert.throws(() => encodePlace({ hostKey: "host", workerSlot }), { name: "RangeError", message: /worker slot/ });
    });
  }
  for (const hostKey of ["", "abc", "abcde", "ab.d", "äbcd", "abcd\n"]) {
    test(`host key ${JSON.stringify(hostKey)}`, () => {
      assert.equal(isHostKey(hostKey), false);
      assert.throws(() => encodePlace({ hostKey, workerSlot: 0 }), { name: "RangeError", message: /host key/ });
    });
  }
});

test("a host key is the beginning of a base64url digest, and a digest in another alphabet is refused", () => {
  assert.equal(chooseHostKey("Zm9_-mJhcg"), "Zm9_");
  assert.throws(() => chooseHostKey("Zm+/mJhcg"), RangeError);
  assert.throws(() => chooseHostKey("Zm9"), RangeError);
});

test("addresses are as long as the session ids that Engine.IO makes itself", () => {
  const io = new Server(createServer());
  const generateId = io.engine.generateId as (request: unknown) => string;
  const id = generateId.call(io.engine, {});
  assert.equal(id.length, addressLength);
  assert.equal(addressLength, 20);
});
