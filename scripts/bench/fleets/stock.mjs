// Side "stock": the application on @socket.io/sticky and @socket.io/cluster-adapter, wired as the README of sticky shows.
import cluster from "node:cluster";
import { createServer } from "node:http";
import { pathToFileURL } from "node:url";
import { createAdapter, setupPrimary as setupAdapterPrimary } from "@socket.io/cluster-adapter";
import { setupPrimary as setupStickyPrimary, setupWorker } from "@socket.io/sticky";
import { Server } from "socket.io";

if (cluster.isPrimary) {
  const httpServer = createServer();
  setupStickyPrimary(httpServer, { loadBalancingMethod: "least-connection" });
  setupAdapterPrimary();
  cluster.setupPrimary({ serialization: "advanced" });
  // The port opens once every worker is online: sticky routes to workers that are not ready, and this scenario measures throughput.
  let online = 0;
  const workerCount = Number(process.env.BENCH_WORKERS);
  cluster.on("message", (_worker, message) => {
    if (message === "ready" && ++online === workerCount) {
      httpServer.listen(Number(process.env.BENCH_PORT), "127.0.0.1");
    }
  });
  cluster.on("exit", () => process.exit(1));
  for (let i = 0; i < workerCount; i++) {
    cluster.fork();
  }
} else {
  const { default: startApplication } = await import(pathToFileURL(process.env.BENCH_APP).href);
  const io = new Server(createServer());
  io.adapter(createAdapter());
  setupWorker(io);
  startApplication(io);
  process.send("ready");
}
