// A fleet of the message scenarios: node:cluster, one port per worker, no sticky layer; BENCH_ADAPTER is the module of its fabric.
import cluster from "node:cluster";
import { once } from "node:events";
import { startMessageServer } from "./message-server.mjs";

process.on("SIGINT", () => {}); // Ctrl-C reaches the whole group; the scenario ends its processes itself

const { createAdapter, setupPrimary } = await import(process.env.BENCH_ADAPTER);

if (cluster.isPrimary) {
  await runPrimary();
} else {
  process.on("message", (message) => {
    if (message?.type === "bench:stop") {
      process.exit(); // not a signal: a CPU profile is written on this way out
    }
  });
  const port = await startMessageServer(createAdapter());
  process.send({ type: "bench:listening", port });
}

async function runPrimary() {
  cluster.setupPrimary({ serialization: "advanced" });
  setupPrimary();
  let isStopping = false;
  cluster.on("exit", () => {
    if (!isStopping) {
      process.exit(1);
    }
  });
  const stop = async () => {
    isStopping = true;
    const ended = Object.values(cluster.workers).map((worker) => once(worker, "exit"));
    for (const worker of Object.values(cluster.workers)) {
      worker.send({ type: "bench:stop" });
    }
    await Promise.all(ended);
    process.exit();
  };
  process.once("SIGTERM", stop);
  process.once("disconnect", stop);

  const workerCount = Number(process.env.BENCH_WORKERS);
  const workers = [];
  cluster.on("message", (worker, message) => {
    if (message?.type === "bench:listening") {
      workers.push({ pid: worker.process.pid, port: message.port });
      if (workers.length === workerCount) {
        process.send({ type: "ready", primaryPid: process.pid, workers });
      }
    }
  });
  for (let i = 0; i < workerCount; i++) {
    cluster.fork();
  }
}
