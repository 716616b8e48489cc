// The load process: keeps a fixed number of clients under way (closed loop) and counts. Commands come over IPC from the scenario.
import { startPollingFirstClient, startWebSocketOnlyClient } from "./clients.mjs";

let load; // the load under way: { kind, target, order, inFlight, underWay, isRunning }
const counters = { accepted: 0, failed: 0, tcpConnections: 0 };
const failuresByReason = new Map();

function startClient() {
  const own = load;
  own.underWay++;
  const events = {
    order: own.order,
    onAccepted(tcpConnections) {
      counters.accepted++;
      counters.tcpConnections += tcpConnections;
    },
    onEnd(error) {
      own.underWay--;
      if (error !== undefined) {
        counters.failed++;
        const reason = error.code ?? error.message;
        failuresByReason.set(reason, (failuresByReason.get(reason) ?? 0) + 1);
      }
      if (own.isRunning) {
        setImmediate(fill);
      } else if (own.underWay === 0) {
        process.send({ type: "stopped" });
      }
    },
  };
  (own.kind === "websocket" ? startWebSocketOnlyClient : startPollingFirstClient)(own.target, events);
}

function fill() {
  while (load.isRunning && load.underWay < load.inFlight) {
    startClient();
  }
}

process.on("message", (message) => {
  switch (message.type) {
    case "start":
      load = { ...message.load, underWay: 0, isRunning: true };
      fill();
      break;
    case "read":
      process.send({
        type: "counters",
        ...counters,
        atMs: performance.now(),
        cpuUs: Object.values(process.cpuUsage()).reduce((sum, us) => sum + us, 0),
        failures: Object.fromEntries(failuresByReason),
      });
      break;
    case "stop":
      load.isRunning = false;
      if (load.underWay === 0) {
        process.send({ type: "stopped" });
      }
      break;
  }
});
process.on("disconnect", () => process.exit());
