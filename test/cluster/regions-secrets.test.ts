/** Secrets of links are changed by reloads, one region after the other, under load: no link ends, and nothing is lost. */

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { linkClosures } from "../../src/protocol/link-closures.js";
import { fetchText, fixturePath, type TestHost } from "../support/host.js";
import { LightSocket } from "../support/light-socket.js";
import { shakeHands } from "../support/link-knock.js";
import { RegionFleet } from "../support/region-fleet.js";
import { readRouter, waitForNextRouter } from "../support/routed-host.js";

const formerSecret = "the-secret-that-the-regions-began-with";
const nextSecret = "the-secret-that-takes-the-place-of-it";
const steps = [[formerSecret, nextSecret], [nextSecret, formerSecret], [nextSecret]];
/** Numbers of the new worker that are waited for, once the former has said its last. */
const wantedNumbers = 20;

test("secrets change step by step while both regions talk, and no link ends", { timeout: 240_000 }, async () => {
  const directory = mkdtempSync(join(tmpdir(), "sbx-secrets-"));
  const configPath = join(directory, "config.json");
  const configure = (linkSecrets: readonly string[]): void =>
    writeFileSync(configPath, JSON.stringify({ linkSecrets }));
  try {
    configure([formerSecret]);
    await using fleet = await RegionFleet.start({
      regions: { eu: 1, us: 1 },
      app: fixturePath("hosts/counting-app.mjs"),
      args: ["--config", configPath],
      // What the file says counts.
      env: { SIGNALBOX_LINK_SECRETS: "" },
    });
    const hosts = { eu: fleet.host("eu"), us: fleet.host("us") };
    const linkedBefore = countLinks(fleet);
    for (const secrets of steps) {
      configure(secrets);
      await reloadUnderLoad(hosts.eu, hosts.us);
      await reloadUnderLoad(hosts.us, hosts.eu);
    }

    assert.deepEqual(countLinks(fleet), linkedBefore, "links that were made, ended or refused");
    for (const { host } of fleet.hosts) {
      const { links } = await host.readStatus();
      assert.deepEqual([links?.lostFrames, links?.missedFrames], [0, 0]);
      const { body } = await fetchText(`http://127.0.0.1:${host.adminPort}/metrics`);
      assert.match(body, /^signalbox_link_up\{region="\w+"\} 1$/m);
      assert.match(body, /^signalbox_link_refusals_total 0$/m);
    }

    // Whoever dials now: by hand, and the hosts themselves, one of them with a router that was started since.
    const refused = await shakeHands(fleet.linkSocket("us", 0), "us", formerSecret);
    assert.deepEqual([refused.isLinked, refused.code], [false, linkClosures.notProven.code]);
    const { socket, isLinked } = await shakeHands(fleet.linkSocket("us", 0), "us", nextSecret);
    assert.ok(isLinked);
    socket.terminate();
    const { pid } = await readRouter(hosts.us);
    await waitForNextRouter(hosts.us, () => process.kill(pid ?? 0, "SIGKILL"));
    await fleet.untilLinked();

    for (const { host } of fleet.hosts) {
      const all = `${JSON.stringify(host.log)}${host.stderr}${JSON.stringify(await host.readStatus())}`;
      for (const secret of [formerSecret, nextSecret]) assert.ok(!all.includes(secret), "a secret was told");
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

/** Of all hosts together: what their logs say of links. */
function countLinks({ hosts }: RegionFleet): Record<string, number> {
  const patterns = {
    made: /^there is a link|has linked to this one/,
    ended: /no link to|has ended/,
    refused: /refused/,
  };
  return Object.fromEntries(
    Object.entries(patterns).map(([name, pattern]) => [
      name,
      hosts.reduce((sum, { host }) => sum + host.log.filter(({ msg }) => pattern.test(msg)).length, 0),
    ]),
  );
}

/** What a client in one region hears of the workers of the other: numbers one after another. */
class CountingAudit {
  readonly faults: string[] = [];
  /** Of each worker that has said that it was its last. */
  readonly lasts = new Map<string, number>();
  readonly #heard = new Map<string, number>();
  readonly #former: string;

  /** @param former the worker that speaks already */
  constructor(former: string) {
    this.#former = former;
  }

  take(kind: string, worker: string, number: number): void {
    const before = this.#heard.get(worker) ?? (worker === this.#former && kind === "number" ? number - 1 : 0);
    const expected = kind === "last" ? before : before + 1;
    if (number !== expected) this.faults.push(`${kind} ${number} of worker ${worker} came where ${expected} was due`);
    if (kind === "last") this.lasts.set(worker, number);
    else this.#heard.set(worker, number);
  }

  /** Of workers other than the former one. */
  get newest(): number {
    return Math.max(0, ...[...this.#heard].filter(([worker]) => worker !== this.#former).map(([, number]) => number));
  }
}

/** Reloads a host with one worker; what that one and the next say is heard in the other region without a hole. */
async function reloadUnderLoad(reloaded: TestHost, hearing: TestHost): Promise<void> {
  const { hostKey, workers } = await reloaded.readStatus();
  const former = String(workers[0]?.pid);
  const audit = new CountingAudit(former);
  const socket = await LightSocket.open(hearing);
  const isOver = new Promise<void>((resolve) => {
    socket.on("said", (kind, speaker, worker, number) => {
      if (speaker !== hostKey) return;
      audit.take(kind, String(worker), Number(number));
      if (audit.newest >= wantedNumbers && audit.lasts.has(former)) resolve();
    });
  });
  reloaded.process.kill("SIGHUP");
  await isOver;
  assert.deepEqual(audit.faults, []);
  const { reload } = await reloaded.waitForStatus((status) => status.reload?.state === "done", "the end of the reload");
  assert.deepEqual(reload?.restartNeeded, []);
  socket.close();
}
