/**
 * Computes what a fleet costs one of its hosts as it grows: what it has to hear of the others' rooms when it joins, what it
 * remembers of them, and what heartbeats and joins take. The host is the product's own router core; of the others there is
 * what they would say, without their processes. No sockets, no Redis.
 */

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const usage = `npm run simulate -- [options]

Prints what interest, heartbeats and memory cost one host as its fleet grows.

  --hosts COUNT     largest fleet [200]
  --workers COUNT   workers of each host [32]
  --rooms COUNT     rooms with members in the whole fleet [1000000]
  --spread COUNT    hosts on which each room has members [2]
  --json            one line of JSON for each size, and nothing else
  -h, --help        print this
`;

const sizes = [2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000];
const heartbeatMs = 1_000;
const joinMs = 500;
const heartbeatRounds = 20;
const mebibyte = 1024 * 1024;
const barLength = 40;

class UsageError extends Error {}

function readOptions() {
  let values;
  try {
    ({ values } = parseArgs({
      options: {
        hosts: { type: "string", default: "200" },
        workers: { type: "string", default: "32" },
        rooms: { type: "string", default: "1000000" },
        spread: { type: "string", default: "2" },
        json: { type: "boolean", default: false },
        // For the process that measures one size.
        only: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    }));
  } catch (error) {
    throw new UsageError(`${error.message}\n\n${usage}`);
  }
  return {
    isHelp: values.help,
    isJson: values.json,
    only: values.only === undefined ? undefined : readCount("--only", values.only, 2, 2_000),
    hosts: readCount("--hosts", values.hosts, 2, 2_000),
    workers: readCount("--workers", values.workers, 1, 256),
    rooms: readCount("--rooms", values.rooms, 1, 20_000_000),
    spread: readCount("--spread", values.spread, 1, 2_000),
  };
}

function readCount(name, text, least, most) {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= least && count <= most) return count;
  throw new UsageError(`${name} is to be a whole number from ${least} to ${most}, and not ${JSON.stringify(text)}`);
}

/** In a process of its own: the garbage of one size must not be in the measurement of the next. */
function measureApart(hosts) {
  const flags = ["--expose-gc", "--max-old-space-size=16384"];
  const args = [...flags, fileURLToPath(import.meta.url), ...process.argv.slice(2), "--only", String(hosts)];
  const { status, stdout } = spawnSync(process.execPath, args, {
    stdio: ["ignore", "pipe", "inherit"],
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`the measurement of ${hosts} hosts ended with ${status}`);
  return JSON.parse(stdout);
}

async function loadProduct() {
  const [core, bus, messages, frames, interest, rooms, writer, frame] = await Promise.all([
    import("../dist/router/core.js"),
    import("../dist/router/host-bus/host-bus.js"),
    import("../dist/protocol/bus-messages.js"),
    import("../dist/protocol/worker-port-frames.js"),
    import("../dist/protocol/interest-frame.js"),
    import("../dist/protocol/room-key.js"),
    import("../dist/router/host-bus/announcement-writer.js"),
    import("../dist/protocol/frame.js"),
  ]);
  return { ...core, ...bus, ...messages, ...frames, ...interest, ...rooms, ...writer, ...frame };
}

const encodeKey = (number) => number.toString(36).padStart(4, "0");
const encodeSlot = (number) => number.toString(36).padStart(2, "0");
const nameUid = (hostKey, slot) => `${hostKey}${encodeSlot(slot)}`.padEnd(20, "u");
const roomName = (number) => `customer-${number}`;

/** Numbers of the rooms that a host has members of: each room is on `spread` hosts, next to each other. */
function* listRoomNumbers(host, { hosts, rooms, spread }) {
  for (let number = 0; number < rooms; number++) {
    const distance = (host - (number % hosts) + hosts) % hosts;
    if (distance < spread) yield number;
  }
}

/** One real router core, which sees a fleet of this size. */
class Observer {
  constructor(product, size) {
    this.product = product;
    this.size = size;
    this.nowMs = 1_000;
    this.sent = [];
    this.isAwake = false;
    const link = { maxBytes: 64 * mebibyte, maxAgeMs: 60_000, maxInFlightBytes: mebibyte, maxDatagramBytes: 65_536 };
    this.core = new product.RouterCore(
      {
        hostKey: encodeKey(0),
        incarnation: "observer",
        outbox: { maxBytes: 256 * mebibyte, maxVolatileBytes: mebibyte },
        maxRoomsPerPort: 20_000_000,
        stalledAfterMs: 1e9,
        expectBackMs: 3_000,
      },
      { wake: () => {}, closeAfterWrite: () => {}, note: () => {} },
      {
        bus: {
          settings: {
            name: "observer",
            instance: "run",
            isServing: true,
            heartbeatMs,
            joinMs,
            unreachableAfterMs: 3_000,
            maxRooms: 20_000_000,
            firstSnapshotId: 1,
            link: { ...link, resendMs: 1_000, maxResendMs: 5_000, ackDelayMs: 4 },
          },
          effects: {
            publish: (channel, payload) => this.sent.push({ channel, payload }) > 0,
            isFull: false,
            published: 0,
            arrived: 0,
            wake: () => {
              this.isAwake = true;
            },
            note: () => {},
            mustStop: () => {},
          },
        },
      },
    );
  }

  /** What is said in one turn, as [message or undefined for a datagram, bytes]. */
  flush() {
    for (; this.isAwake; ) {
      this.isAwake = false;
      this.core.bus.flush(this.nowMs);
    }
    return this.sent.splice(0);
  }

  /** Its own workers say what they have. */
  openWorkers() {
    const { product, size } = this;
    const numbers = [...listRoomNumbers(0, size)];
    for (let slot = 0; slot < size.workers; slot++) {
      const place = `${encodeKey(0)}${encodeSlot(slot)}`;
      const workerId = nameUid(encodeKey(0), slot);
      this.core.opened(slot, this.nowMs);
      const say = (bytes) => this.core.received(slot, bytes, this.nowMs);
      say(product.encodeWorkerToRouter({ type: "hello", version: product.protocolVersion, place, workerId }));
      say(product.encodeWorkerToRouter({ type: "namespace-up", uid: workerId, parserId: 1, namespace: "/" }));
      this.sayRooms(slot, numbers.filter((_, index) => index % size.workers === slot).map(roomName), say);
      say(product.encodeWorkerToRouter({ type: "interest-complete" }));
    }
  }

  sayRooms(sequence, names, say) {
    let writer = new this.product.InterestFrameWriter(sequence + 1, "/");
    for (const name of names) {
      writer.add({ room: this.product.encodeRoom(name), isJoined: true });
      if (!writer.isFull) continue;
      say(writer.finish());
      writer = new this.product.InterestFrameWriter(sequence + 1, "/");
    }
    say(writer.finish());
  }

  hear(payload) {
    this.core.bus.received(payload, this.nowMs);
  }
}

/** What the other hosts say. */
class Others {
  constructor(product, size) {
    this.product = product;
    this.size = size;
  }

  from(host) {
    return { hostKey: encodeKey(host), instance: `run-${host}`, incarnation: `router-${host}` };
  }

  hello(host) {
    return this.product.encodeBusMessage({
      type: "hello",
      ...this.from(host),
      version: this.product.protocolVersion,
      name: `host ${host}, process ${1_000 + host}`,
      isServing: true,
      asksHello: false,
      head: 1,
    });
  }

  heartbeat(host) {
    return this.product.encodeBusMessage({ type: "heartbeat", ...this.from(host), head: 1 });
  }

  *snapshot(host, snapshotId) {
    const { product, size } = this;
    const members = Array.from({ length: size.workers }, (_, slot) => [
      nameUid(encodeKey(host), slot),
      { namespace: "/", namespaceKey: "/", parserId: 1 },
    ]);
    function* listKeys() {
      for (const number of listRoomNumbers(host, size)) yield product.encodeRoom(roomName(number)).toString("latin1");
    }
    const truth = {
      isFlooded: false,
      listMembers: () => members,
      listStalledPlaces: () => [],
      listRooms: () => [["/", listKeys()]],
    };
    let part = 0;
    for (const page of product.writeSnapshot(truth)) {
      const message = { type: "snapshot-part", ...this.from(host), to: "observer", snapshotId, sequence: 1 };
      yield product.encodeBusMessage({ ...message, ...page, part: part++ });
    }
  }
}

function measureHeap() {
  globalThis.gc();
  return process.memoryUsage().heapUsed + process.memoryUsage().external;
}

/** CPU of this process in milliseconds. */
function measureCpuMs(run) {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

function measure(product, size) {
  const heapBefore = measureHeap();
  const observer = new Observer(product, size);
  const others = new Others(product, size);
  observer.openWorkers();
  observer.core.bus.carrierUp(observer.nowMs);
  observer.flush();

  const joined = { bytes: 0, messages: 0, cpuMs: 0 };
  for (let host = 1; host < size.hosts; host++) {
    observer.hear(others.hello(host));
    let want;
    for (const { payload } of observer.flush()) {
      const message = product.isBusMessage(payload) ? product.decodeBusMessage(payload) : undefined;
      if (message?.type === "want-snapshot") want = message;
    }
    // Made one after the other, as they come: only taking them counts.
    for (const payload of others.snapshot(host, want.snapshotId)) {
      joined.bytes += payload.length;
      joined.messages++;
      joined.cpuMs += measureCpuMs(() => observer.hear(payload));
    }
    observer.flush();
  }
  const hosts = observer.core.bus.hosts;
  const complete = hosts.filter((host) => host.view.isComplete).length;
  if (complete !== size.hosts - 1) throw new Error(`only ${complete} of ${size.hosts - 1} hosts are known`);
  const heapBytes = measureHeap() - heapBefore;

  const beats = Array.from({ length: size.hosts - 1 }, (_, index) => others.heartbeat(index + 1));
  const beatBytes = beats.reduce((sum, beat) => sum + beat.length, 0);
  const beatCpuMs = measureCpuMs(() => {
    for (let round = 0; round < heartbeatRounds; round++) {
      observer.nowMs += heartbeatMs;
      for (const beat of beats) observer.hear(beat);
      observer.core.tick(observer.nowMs);
      observer.flush();
    }
  });

  observer.sayRooms(1_000, ["one-more-room"], (bytes) => observer.core.received(0, bytes, observer.nowMs));
  const announcement = observer.flush().reduce((sum, { payload }) => sum + payload.length, 0);
  const taken = product.encodeBusMessage({ type: "taken", ...others.from(1), to: "observer", sequence: 2 }).length;
  return {
    hosts: size.hosts,
    workers: size.hosts * size.workers,
    roomsOfHost: observer.core.interestSize,
    roomsOfOthers: hosts.reduce((sum, host) => sum + host.roomCount, 0),
    routerMiB: heapBytes / mebibyte,
    joinMiB: joined.bytes / mebibyte,
    joinMessages: joined.messages,
    joinCpuSeconds: joined.cpuMs / 1_000,
    idleMessagesPerSecond: size.hosts,
    idleKiBPerSecond: (beatBytes + beatBytes / Math.max(1, size.hosts - 1)) / 1_024,
    idleRedisKiBPerSecond: (size.hosts * (beatBytes + beatBytes / Math.max(1, size.hosts - 1))) / 1_024,
    idleCpuPercent: beatCpuMs / heartbeatRounds / (heartbeatMs / 100),
    roomJoinBytes: announcement * size.hosts + taken * (size.hosts - 1),
  };
}

const columns = [
  ["hosts", (row) => String(row.hosts)],
  ["workers", (row) => String(row.workers)],
  ["rooms here", (row) => String(row.roomsOfHost)],
  ["of others", (row) => String(row.roomsOfOthers)],
  ["router MiB", (row) => row.routerMiB.toFixed(0)],
  ["to join: MiB", (row) => row.joinMiB.toFixed(1)],
  ["CPU s", (row) => row.joinCpuSeconds.toFixed(2)],
  ["idle: KiB/s in", (row) => row.idleKiBPerSecond.toFixed(1)],
  ["CPU %", (row) => row.idleCpuPercent.toFixed(2)],
  ["Redis KiB/s out", (row) => row.idleRedisKiBPerSecond.toFixed(0)],
  ["a room's join: bytes", (row) => String(row.roomJoinBytes)],
];

function renderRow(cells) {
  return cells.map((cell, index) => cell.padStart(columns[index][0].length)).join("  ");
}

function renderChart(title, rows, read) {
  const most = Math.max(...rows.map(read));
  const lines = rows.map((row) => {
    const bar = "█".repeat(Math.max(1, Math.round((read(row) / most) * barLength)));
    return `${String(row.hosts).padStart(6)} hosts  ${bar} ${read(row).toFixed(1)}`;
  });
  return `${title}\n${lines.join("\n")}\n`;
}

async function main() {
  const options = readOptions();
  if (options.isHelp) {
    process.stdout.write(usage);
    return 0;
  }
  if (options.only !== undefined) {
    const { only: hosts, spread } = options;
    const row = measure(await loadProduct(), { ...options, hosts, spread: Math.min(spread, hosts) });
    process.stdout.write(JSON.stringify(row));
    return 0;
  }
  const counts = [...new Set([...sizes.filter((size) => size < options.hosts), options.hosts])];
  const rows = [];
  if (!options.isJson) {
    const { workers, rooms, spread } = options;
    process.stdout.write(
      `Fleets of up to ${options.hosts} hosts with ${workers} workers each; ${rooms} rooms in the fleet, each with members on ` +
        `${spread} hosts.\nWhat one host's router hears, remembers and computes:\n\n`,
    );
    process.stdout.write(`${renderRow(columns.map(([name]) => name))}\n`);
  }
  for (const hosts of counts) {
    const row = measureApart(hosts);
    rows.push(row);
    const line = options.isJson ? JSON.stringify(row) : renderRow(columns.map(([, render]) => render(row)));
    process.stdout.write(`${line}\n`);
  }
  if (options.isJson) return 0;
  process.stdout.write(`\n${renderChart("Memory of the router, MiB", rows, (row) => row.routerMiB)}`);
  process.stdout.write(`\n${renderChart("Idle traffic to each host, KiB/s", rows, (row) => row.idleKiBPerSecond)}`);
  return 0;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`${error instanceof UsageError ? error.message : error.stack}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
