import assert from "node:assert/strict";
import { test } from "node:test";
import type { SignalboxConfig } from "../../src/config/config.js";
import type { Variables } from "../../src/config/reload-variables.js";
import { Reloader } from "../../src/primary/reloader.js";
import type { Supervisor } from "../../src/primary/supervisor.js";
import { createRecordingLog } from "../support/recording-log.js";

test("of the variables that are brought while a reload is under way the latest count, and none of those that failed later", async () => {
  const read: (Variables | undefined)[] = [];
  const refuse = (): never => {
    throw new Error("not reached");
  };
  const reloader = new Reloader({
    supervisor: { slots: [] as unknown } as Supervisor,
    log: createRecordingLog().log,
    readConfig: (variables) => {
      read.push(variables);
      throw new Error("a fault in the configuration");
    },
    waitForOthers: async () => {},
    runningConfig: () => ({ drainTimeoutMs: 0 }) as SignalboxConfig,
    findApp: refuse,
    collectSettings: refuse,
    onAdopted: refuse,
  });
  const requests = [
    reloader.request("first", { A: "1" }),
    reloader.request("second", { A: "2" }),
    reloader.request("third", { A: "3" }),
    reloader.request("fourth"),
  ];
  reloader.open();
  for (const { state } of await Promise.all(requests)) assert.equal(state, "failed");
  await reloader.request("fifth");
  assert.deepEqual(read, [{ A: "1" }, { A: "3" }, undefined]);
});
