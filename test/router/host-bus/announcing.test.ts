/** What one host announces, and what another makes of it: equal in the end, and never too little meanwhile. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { encodeRoom } from "../../../src/protocol/room-key.js";
import { AnnouncementWriter } from "../../../src/router/host-bus/announcement-writer.js";
import { HostView, partsPerRequest } from "../../../src/router/host-bus/host-view.js";
import { type ServedPart, SnapshotServer } from "../../../src/router/host-bus/snapshot-server.js";

const hostKey = "far-";
const keyOf = (room: string): string => (encodeRoom(room) as Buffer).toString("latin1");
const uidOf = (name: string): string => `${hostKey}${name}`.padEnd(20, "u");

/** A host as it is, and what it says. */
class Announcer {
  readonly rooms = new Map<string, Set<string>>();
  readonly members = new Map<string, { namespace: string; namespaceKey: string; parserId: number }>();
  readonly writer = new AnnouncementWriter();
  readonly server: SnapshotServer;

  constructor() {
    const { writer } = this;
    this.server = new SnapshotServer({
      get isFlooded() {
        return writer.isFlooded;
      },
      listMembers: () => this.members,
      listStalledPlaces: () => writer.stalledPlaces,
      listRooms: () => this.rooms,
    });
  }

  setRoom(namespace: string, room: string, isWanted: boolean): void {
    const rooms = this.rooms.get(namespace) ?? new Set<string>();
    this.rooms.set(namespace, rooms);
    if (isWanted) rooms.add(keyOf(room));
    else rooms.delete(keyOf(room));
    this.writer.noteRoom(namespace, keyOf(room), isWanted);
  }

  setMember(name: string, isThere: boolean): void {
    const member = { namespace: "/", namespaceKey: "/", parserId: 7 };
    if (isThere) this.members.set(uidOf(name), member);
    else this.members.delete(uidOf(name));
    this.writer.noteMember(uidOf(name), isThere ? member : undefined);
  }

  flush(): { sequence: number; frames: Buffer }[] {
    const said: { sequence: number; frames: Buffer }[] = [];
    this.writer.flush(
      () => this.rooms,
      (sequence, frames) => said.push({ sequence, frames }),
    );
    return said;
  }
}

/** A host that listens. */
class Listener {
  readonly rooms = new Set<string>();
  readonly members = new Set<string>();
  readonly stalled: string[] = [];
  readonly view = new HostView(
    hostKey,
    {
      setRoom: (namespace, room, isWanted) => {
        if (isWanted) this.rooms.add(`${namespace} ${room}`);
        else this.rooms.delete(`${namespace} ${room}`);
      },
      forgetRooms: () => this.rooms.clear(),
      setMember: (uid, member) => {
        if (member === undefined) this.members.delete(uid);
        else this.members.add(uid);
      },
      keepMembers: (uids) => {
        for (const uid of [...this.members]) if (!uids.has(uid)) this.members.delete(uid);
      },
      noteStalled: (place) => this.stalled.push(place),
      noteWantsAll: () => {},
    },
    5,
  );

  /** Asks for parts until nothing more is wanted. */
  fetch(announcer: Announcer, nowMs: number): void {
    for (let wanted = this.view.takeWanted(nowMs); wanted !== undefined; wanted = this.view.takeWanted(nowMs)) {
      for (const part of announcer.server.serve("own-", wanted.snapshotId, wanted.part)) {
        this.take(part, wanted.snapshotId, announcer.writer.head, nowMs);
      }
    }
  }

  take(part: ServedPart, snapshotId: number, sequence: number, nowMs: number): void {
    this.view.takePart({ ...part, snapshotId, sequence }, nowMs);
  }
}

function assertEqual(listener: Listener, announcer: Announcer): void {
  const rooms = [...announcer.rooms].flatMap(([namespace, keys]) => [...keys].map((key) => `${namespace} ${key}`));
  assert.deepEqual([...listener.rooms].sort(), announcer.writer.isFlooded ? [] : rooms.sort());
  assert.deepEqual([...listener.members].sort(), [...announcer.members.keys()].sort());
  assert.equal(listener.view.wantsAll, announcer.writer.isFlooded);
}

type Step =
  | { readonly type: "room"; readonly namespace: string; readonly room: string; readonly isWanted: boolean }
  | { readonly type: "member"; readonly name: string; readonly isThere: boolean }
  | { readonly type: "flood"; readonly isOn: boolean }
  | { readonly type: "say"; readonly isLost: boolean; readonly isTwice: boolean }
  | { readonly type: "heartbeat" }
  | { readonly type: "fetch" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("room" as const),
      namespace: fc.constantFrom("/", "/other"),
      room: fc.constantFrom("a", "b", "c", "grün"),
      isWanted: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant("member" as const),
      name: fc.constantFrom("one", "two", "three"),
      isThere: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("flood" as const), isOn: fc.boolean() }) },
  {
    weight: 4,
    arbitrary: fc.record({ type: fc.constant("say" as const), isLost: fc.boolean(), isTwice: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.constant({ type: "heartbeat" as const }) },
  { weight: 2, arbitrary: fc.constant({ type: "fetch" as const }) },
);

describe("a host that listens", () => {
  test("knows in the end what is true, whatever is lost or comes twice, and until then wants everything", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const announcer = new Announcer();
        const listener = new Listener();
        const run = (each: Step): void => {
          if (each.type === "room") announcer.setRoom(each.namespace, each.room, each.isWanted);
          else if (each.type === "member") announcer.setMember(each.name, each.isThere);
          else if (each.type === "flood") announcer.writer.noteFlooded(each.isOn);
          else if (each.type === "heartbeat") listener.view.noteHead(announcer.writer.head, 0);
          else if (each.type === "fetch") {
            for (const { sequence, frames } of announcer.flush()) listener.view.takeAnnouncement(sequence, frames, 0);
            listener.fetch(announcer, 0);
          } else {
            for (const { sequence, frames } of announcer.flush()) {
              for (let left = each.isLost ? 0 : each.isTwice ? 2 : 1; left > 0; left--) {
                listener.view.takeAnnouncement(sequence, frames, 0);
              }
            }
          }
          // All that was said and taken is known, or everything is wanted.
          if (
            !listener.view.wantsAll &&
            listener.view.sequence === announcer.writer.head &&
            !announcer.writer.hasNews
          ) {
            assertEqual(listener, announcer);
          }
        };
        for (const each of steps) run(each);
        run({ type: "heartbeat" });
        run({ type: "fetch" });
        assertEqual(listener, announcer);
      }),
      { numRuns: 500 },
    );
  });

  test("takes what changes while a snapshot comes for newer than the parts that come after", () => {
    const announcer = new Announcer();
    for (let number = 0; number < 40_000; number++) announcer.setRoom("/", `room ${number}`, true);
    announcer.flush();
    const listener = new Listener();
    listener.view.noteHead(announcer.writer.head, 0);
    const first = listener.view.takeWanted(0);
    assert.ok(first !== undefined);
    const parts = announcer.server.serve("own-", first.snapshotId, first.part);
    assert.equal(parts.length, partsPerRequest);
    const { head } = announcer.writer;
    // On their way, while rooms are left that they name, and joined again, and new ones joined.
    announcer.setRoom("/", "room 0", false);
    announcer.setRoom("/", "room 1", false);
    announcer.setRoom("/", "new", true);
    const news = announcer.flush();
    announcer.setRoom("/", "room 1", true);
    news.push(...announcer.flush());
    for (const { sequence, frames } of news) listener.view.takeAnnouncement(sequence, frames, 0);
    for (const part of parts) listener.take(part, first.snapshotId, head, 0);
    assert.ok(listener.view.wantsAll, "until the last part has come");
    listener.fetch(announcer, 0);
    assertEqual(listener, announcer);
    assert.ok(!listener.rooms.has(`/ ${keyOf("room 0")}`));
  });

  test("asks anew for a snapshot of which a part is lost", () => {
    const announcer = new Announcer();
    for (let number = 0; number < 20_000; number++) announcer.setRoom("/", `room ${number}`, true);
    announcer.flush();
    const listener = new Listener();
    listener.view.noteHead(announcer.writer.head, 0);
    const first = listener.view.takeWanted(0);
    assert.ok(first !== undefined);
    const [, ...others] = announcer.server.serve("own-", first.snapshotId, first.part);
    for (const part of others) listener.take(part, first.snapshotId, announcer.writer.head, 100);
    assert.equal(listener.view.takeWanted(100), undefined, "nothing to be done but wait");
    listener.view.tick(1_000);
    assert.equal(listener.view.takeWanted(1_000), undefined);
    listener.view.tick(1_600);
    listener.fetch(announcer, 1_600);
    assertEqual(listener, announcer);
  });

  test("has nothing of a host that speaks of others' workers, and asks it for everything", () => {
    const announcer = new Announcer();
    announcer.setRoom("/", "a", true);
    const [said] = announcer.flush();
    const listener = new Listener();
    listener.view.takeAnnouncement(1, said?.frames ?? Buffer.alloc(0), 0);
    listener.fetch(announcer, 0);
    assertEqual(listener, announcer);
    const liar = new AnnouncementWriter();
    liar.noteMember("else".padEnd(20, "u"), { namespace: "/", namespaceKey: "/", parserId: 0 });
    liar.flush(
      () => [],
      (_sequence, frames) => {
        assert.throws(() => listener.view.takeAnnouncement(2, frames, 0), /speaks of else/);
      },
    );
    assert.ok(listener.view.wantsAll);
    assert.deepEqual([...listener.members], []);
  });

  test("is told of workers that do not answer", () => {
    const announcer = new Announcer();
    const listener = new Listener();
    listener.fetch(announcer, 0);
    announcer.writer.notePlace(`${hostKey}AA`, true);
    for (const { sequence, frames } of announcer.flush()) listener.view.takeAnnouncement(sequence, frames, 0);
    assert.deepEqual(listener.stalled, [`${hostKey}AA`]);
    const late = new Listener();
    late.view.noteHead(announcer.writer.head, 0);
    late.fetch(announcer, 0);
    assert.deepEqual(late.stalled, [`${hostKey}AA`]);
  });

  test("garbage in an announcement does no harm", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const listener = new Listener();
        const announcer = new Announcer();
        listener.fetch(announcer, 0);
        const frames = Buffer.from(bytes);
        try {
          listener.view.takeAnnouncement(1, frames, 0);
        } catch (error) {
          assert.equal((error as Error).name, "FrameError");
          assert.ok(listener.view.wantsAll);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});
