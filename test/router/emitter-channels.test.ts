import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type EmitterAddress, listEmitterPatterns, readEmitterChannel } from "../../src/router/emitter-channels.js";

const broadcast = (namespace: string, room?: string): EmitterAddress => ({ isRequest: false, namespace, room });
const request = (namespace: string): EmitterAddress => ({ isRequest: true, namespace, room: undefined });

describe("the name of an emitter's channel", () => {
  const readings: [string, EmitterAddress[]][] = [
    ["key#/#", [broadcast("/")]],
    ["key#/#room#", [broadcast("/", "room"), broadcast("/#room")]],
    ["key#/chat#room#", [broadcast("/chat", "room"), broadcast("/chat#room")]],
    ["key#/#a#b#", [broadcast("/", "a#b"), broadcast("/#a", "b"), broadcast("/#a#b")]],
    ["key#/###", [broadcast("/", "#"), broadcast("/##")]],
    ["key-request#/#", [request("/")]],
    ["key-request#/chat#", [request("/chat")]],
    ["key#/", []],
    ["key#", []],
    ["key-request#", []],
    ["key-response#/#", []],
    ["other#/#", []],
    ["", []],
  ];
  for (const [channel, addresses] of readings) {
    test(`${JSON.stringify(channel)} is read in ${addresses.length} ways`, () => {
      const read = readEmitterChannel("key", channel);
      for (const address of addresses) {
        assert.ok(
          read.some((each) => JSON.stringify(each) === JSON.stringify(address)),
          `${JSON.stringify(address)} is not among ${JSON.stringify(read)}`,
        );
      }
      if (addresses.length === 0) assert.deepEqual(read, []);
    });
  }

  test("whatever namespace and room are called, they are among the readings", () => {
    const name = fc.string({ maxLength: 6 }).map((text) => text.replaceAll("#", ""));
    fc.assert(
      fc.property(name, fc.string({ minLength: 1, maxLength: 8 }), (namespace, room) => {
        const read = readEmitterChannel("key", `key#/${namespace}#${room}#`);
        assert.ok(read.some((each) => each.namespace === `/${namespace}` && each.room === room));
      }),
    );
  });

  test("a name of many marks has few readings", () => {
    assert.ok(readEmitterChannel("key", `key#${"#".repeat(100_000)}`).length <= 8);
  });

  test("the patterns are those of broadcasts and commands", () => {
    assert.deepEqual(listEmitterPatterns("key"), ["key#*", "key-request#*"]);
  });
});
