/** Runs the stock packages' primary and workers in processes of their own, to compare with; ends them by pid. */

import { fork } from "node:child_process";
import { once } from "node:events";
import { cleanEnvironment, fixturePath, listDescendants, waitUntilGone } from "./host.js";

export interface StockHost extends AsyncDisposable {
  readonly port: number;
}

export async function startStockHost(workers: number): Promise<StockHost> {
  const child = fork(fixturePath("stock-sticky-app.mjs"), [String(workers)], {
    env: cleanEnvironment(),
    execArgv: [],
    stdio: "ignore",
  });
  const [message] = (await once(child, "message")) as [{ port: number }];
  return {
    port: message.port,
    async [Symbol.asyncDispose]() {
      const pids = [child.pid ?? 0, ...listDescendants(child.pid ?? 0)];
      for (const pid of pids) process.kill(pid, "SIGKILL");
      const left = await waitUntilGone(pids, 5_000);
      if (left.length > 0) throw new Error(`processes ${left.join(", ")} were left behind`);
    },
  };
}
