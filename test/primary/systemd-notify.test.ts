import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { ServiceFacts } from "../../src/primary/service-notices.js";
import { startServiceNotifier } from "../../src/primary/systemd-notify.js";
import { findProgram, skipOrFail } from "../support/prerequisite.js";

const facts: ServiceFacts = {
  state: "running",
  reload: undefined,
  workers: 1,
  readyWorkers: 1,
  sessions: 0,
  notReadyReason: undefined,
  isHealthy: true,
};

/** Resolves with the first warning; later ones are a failure of the test. */
async function readWarning(variables: Parameters<typeof startServiceNotifier>[0]): Promise<string> {
  return await new Promise((resolve, reject) => {
    let warnings = 0;
    const warn = (text: string): void => {
      warnings++;
      // Two more looks that fail as well: said once is enough.
      setTimeout(() => {
        notifier.close();
        if (warnings === 1) resolve(text);
        else reject(new Error(`${warnings} warnings`));
      }, 250);
    };
    const notifier = startServiceNotifier(variables, () => facts, { warn } as Parameters<
      typeof startServiceNotifier
    >[2]);
  });
}

test("without systemd nothing is looked at", () => {
  const notifier = startServiceNotifier({ PATH: "/bin" }, () => assert.fail("looked"), { warn: assert.fail });
  notifier.update();
  notifier.close();
});

test("that systemd-notify is missing is said once, and hurts nobody", async () => {
  const directory = mkdtempSync(join(tmpdir(), "sbx-notify-"));
  const variables = { NOTIFY_SOCKET: join(directory, "notify"), WATCHDOG_USEC: "400000", PATH: directory };
  assert.match(await readWarning(variables), /systemd-notify is not installed/);
  rmSync(directory, { recursive: true });
});

test("that nobody listens is said once, with the reason", async (t) => {
  if (findProgram("systemd-notify") === undefined) {
    return skipOrFail(t, "systemd-notify is missing; apt-get install systemd installs it");
  }
  const variables = { NOTIFY_SOCKET: "/nowhere/notify", WATCHDOG_USEC: "400000", PATH: process.env["PATH"] };
  assert.match(await readWarning(variables), /No such file or directory/);
});

test("that it cannot be begun is said once, and it is tried again", async (t) => {
  // Node throws at once, as it does when the system has no memory for a process.
  const variables = { NOTIFY_SOCKET: "/run/\0", WATCHDOG_USEC: "400000", PATH: process.env["PATH"] };
  let looks = 0;
  const warnings: string[] = [];
  const log = { warn: (text: string) => void warnings.push(text) } as Parameters<typeof startServiceNotifier>[2];
  await new Promise<void>((resolve) => {
    const readFacts = (): ServiceFacts => {
      looks++;
      if (looks === 3) resolve();
      return facts;
    };
    const notifier = startServiceNotifier(variables, readFacts, log);
    t.after(() => notifier.close());
  });
  assert.equal(warnings.length, 1);
  assert.match(warnings[0] ?? "", /null bytes/);
});
