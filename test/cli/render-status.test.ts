import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { renderDuration, renderStatus } from "../../src/cli/render-status.js";
import type { RouterStatus } from "../../src/protocol/host-status.js";
import { exampleStatus } from "./example-status.js";

test("the host, its workers and its counters are shown in aligned columns", () => {
  assert.equal(
    renderStatus(exampleStatus),
    `host key      ab12
region        eu
version       0.1.0
state         running
uptime        1 h 1 min
pid           100
listening on  127.0.0.1:3000
admin         127.0.0.1:9464
fabric        stock
app           /srv/app.js

workers
  slot  pid  state    sessions  handed off  restarts  uptime
  0     101  ready    12        340         0         1 h 1 min
  1     -    backoff  0         7           3         -

counters
  connections_total  347
  refused_total      0
`,
  );
});

test("a Unix socket is shown by its path, an IPv6 address in brackets", () => {
  assert.match(
    renderStatus({ ...exampleStatus, listen: { kind: "unix", path: "/run/s.sock" } }),
    /on {2}\/run\/s\.sock\n/,
  );
  assert.match(
    renderStatus({ ...exampleStatus, listen: { kind: "tcp", host: "::1", port: 80 } }),
    /on {2}\[::1\]:80\n/,
  );
});

test("a router gets a line on its process and one on what it holds", () => {
  const router: RouterStatus = {
    pid: 102,
    state: "ready",
    stateSeconds: 61,
    restarts: 2,
    queuedBytes: { 0: 0, 1: 4096, 3: 4 },
    stalledWorkers: [],
    lostFrames: 7,
    announcedRooms: 120,
  };
  const linesOf = (shown: RouterStatus): string[] =>
    renderStatus({ ...exampleStatus, fabric: "routed", router: shown })
      .split("\n")
      .slice(8, 13);
  assert.deepEqual(linesOf(router), [
    "fabric        routed",
    "router        ready for 1 min 1 s, pid 102, restarts 2",
    "              announced rooms 120, lost messages 7, waiting bytes 4100 (worker 1: 4096, worker 3: 4)",
    "app           /srv/app.js",
    "",
  ]);
  const absent = { ...router, pid: null, state: "backoff", queuedBytes: {}, announcedRooms: 0 } as const;
  assert.deepEqual(linesOf({ ...absent, stalledWorkers: [1, 2] }).slice(1, 4), [
    "router        backoff for 1 min 1 s, no process, restarts 2",
    "              announced rooms 0, lost messages 7, waiting bytes 0",
    "              does not answer: worker 1, 2",
  ]);
});

test("links get a line for each region, with how long one has been without and why", () => {
  const region = { answers: false, isFlooded: true, rooms: 0, queuedBytes: 7, roundTripMs: null };
  const links = {
    regions: [
      { ...region, region: "us", isLinked: true, hostKey: "us-0", absence: null, isFlooded: false, roundTripMs: 80.04 },
      { ...region, region: "ap", isLinked: false, hostKey: null, absence: { seconds: 61.2, reason: "it was refused" } },
    ],
    accepted: 1,
    lostFrames: 2,
    missedFrames: 3,
  };
  const shown = renderStatus({ ...exampleStatus, links }).split("\n");
  assert.deepEqual(shown.slice(9, 12), [
    "links         1 taken, lost messages 2, missed 3",
    "              region us: linked to us-0, 0 rooms, 7 bytes wait, round trip 80.0 ms",
    "              region ap: no link for 1 min 1 s (it was refused), gets everything, 7 bytes wait",
  ]);
});

test("without counters there is no section for them", () => {
  assert.doesNotMatch(renderStatus({ ...exampleStatus, counters: {} }), /counters/);
});

describe("a duration is told in its two largest units", () => {
  const cases: [seconds: number, text: string][] = [
    [0, "0 s"],
    [0.9, "0 s"],
    [59, "59 s"],
    [60, "1 min 0 s"],
    [3661, "1 h 1 min"],
    [86_400, "1 d 0 h"],
    [273_600, "3 d 4 h"],
  ];
  for (const [seconds, text] of cases) {
    test(`${seconds} seconds are ${text}`, () => assert.equal(renderDuration(seconds), text));
  }
});
