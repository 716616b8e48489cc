import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Emitter } from "@socket.io/redis-emitter";
import fc from "fast-check";
import { encode } from "notepack.io";
import { FrameError } from "../../../src/protocol/frame.js";
import { type EmitterMessage, readEmitterMessage } from "../../../src/worker/fabric/emitter-message.js";

/** What an emitter publishes, read. */
function emit(use: (emitter: Emitter) => void, namespace = "/"): EmitterMessage | undefined {
  let read: EmitterMessage | undefined;
  const client = {
    publish: (channel: string, payload: Buffer | string) => {
      read = readEmitterMessage(Buffer.from(payload), channel.startsWith("socket.io-request#"), namespace);
    },
  };
  use(new Emitter(client));
  return read;
}

const local = { local: true, volatile: undefined, compress: undefined };
const nobody = new Set();

describe("what an emitter publishes", () => {
  test("a broadcast, with types kept", () => {
    const date = new Date(1_700_000_000_000);
    const message = emit((emitter) => emitter.to(["a", "b"]).except("c").emit("news", 1, date, Buffer.from("bytes")));
    assert.deepEqual(message, {
      type: "broadcast",
      packet: { type: 2, data: ["news", 1, date, Buffer.from("bytes")], nsp: "/" },
      selection: { rooms: new Set(["a", "b"]), except: new Set(["c"]), flags: local },
    });
  });

  test("flags", () => {
    const message = emit((emitter) => emitter.volatile.compress(false).emit("x"));
    assert.deepEqual(message?.type === "broadcast" && message.selection.flags, {
      local: true,
      volatile: true,
      compress: false,
    });
  });

  test("commands", () => {
    const selection = { rooms: new Set(["a"]), except: nobody, flags: local };
    assert.deepEqual(
      emit((emitter) => emitter.in("a").socketsJoin("b")),
      { type: "join", selection, rooms: ["b"] },
    );
    assert.deepEqual(
      emit((emitter) => emitter.in("a").socketsLeave(["b", "c"])),
      { type: "leave", selection, rooms: ["b", "c"] },
    );
    assert.deepEqual(
      emit((emitter) => emitter.in("a").disconnectSockets(true)),
      { type: "disconnect", selection, shouldClose: true },
    );
    assert.deepEqual(
      emit((emitter) => emitter.serverSideEmit("news", { a: 1 })),
      { type: "server-side-emit", args: ["news", { a: 1 }] },
    );
  });

  test("for another namespace it is left alone", () => {
    assert.equal(
      emit((emitter) => emitter.of("/other").emit("x")),
      undefined,
    );
    assert.equal(emit((emitter) => emitter.of("/other").emit("x"), "/other")?.type, "broadcast");
  });
});

describe("what a server of that format says to its like", () => {
  const packet = { type: 2, data: ["x"], nsp: "/" };
  test("is left alone", () => {
    assert.equal(readEmitterMessage(encode(["server", packet, { rooms: [] }]), false, "/"), undefined);
    for (const request of [
      { uid: "server", type: 2, opts: { rooms: [] }, rooms: ["x"] },
      { uid: "server", type: 6, data: ["x"] },
      { type: 5, requestId: "1", opts: { rooms: [] } },
      { type: 0 },
    ]) {
      assert.equal(readEmitterMessage(Buffer.from(JSON.stringify(request)), true, "/"), undefined);
    }
  });
});

describe("garbage", () => {
  const cases: [string, boolean, Buffer][] = [
    ["no MessagePack", false, Buffer.from([0xc1])],
    ["nothing", false, Buffer.alloc(0)],
    ["a list that is cut off", false, Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff, 1])],
    ["no list", false, encode({ a: 1 })],
    ["no packet", false, encode(["emitter"])],
    ["no event", false, encode(["emitter", { type: 3, data: [], nsp: "/" }])],
    ["no JSON", true, Buffer.from("{")],
    ["no object", true, Buffer.from("[]")],
    ["no rooms", true, Buffer.from('{"type":2}')],
    ["no arguments", true, Buffer.from('{"type":6,"data":[]}')],
  ];
  for (const [what, isRequest, payload] of cases) {
    test(`${what} is an error of its own kind`, () => {
      assert.throws(() => readEmitterMessage(payload, isRequest, "/"), FrameError);
    });
  }

  test("of any kind ends in nothing or in that error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.boolean(), (bytes, isRequest) => {
        try {
          readEmitterMessage(Buffer.from(bytes), isRequest, "/");
        } catch (error) {
          assert.ok(error instanceof FrameError, String(error));
        }
      }),
      { numRuns: 5_000 },
    );
  });
});
