/** Makes the fabric that the settings name, and loads no other. */

import { encodePlace } from "../address/address.js";
import type { Logger } from "../logging.js";
import { noFabricCounts, type StockRedisSettings, type WorkerInit } from "../protocol/worker-messages.js";
import type { AdapterFactory, Fabric } from "./fabric-contract.js";

export async function createFabric(init: WorkerInit, log: Logger): Promise<Fabric> {
  switch (init.fabric) {
    case "stock":
      return await (init.stockRedis === undefined
        ? createClusterFabric()
        : createRedisFabric(init.stockRedis, init, log));
    case "routed":
      return await createRoutedFabric(init, log);
  }
}

/** On one host: `@socket.io/cluster-adapter`, unchanged. */
async function createClusterFabric(): Promise<Fabric> {
  const { createAdapter } = await import("@socket.io/cluster-adapter");
  // That package adds a process listener for each namespace: Node's leak warning would be noise.
  process.setMaxListeners(0);
  return {
    createAdapter: createAdapter() as AdapterFactory,
    connected: Promise.resolve(),
    readCounts: () => noFabricCounts,
  };
}

async function createRedisFabric(settings: StockRedisSettings, init: WorkerInit, log: Logger): Promise<Fabric> {
  const { createStockRedisFabric } = await import("./stock/stock-redis.js");
  return createStockRedisFabric(settings, { maxWaitingBytes: init.maxOutboxBytes, log });
}

async function createRoutedFabric(init: WorkerInit, log: Logger): Promise<Fabric> {
  const { RoutedFabric } = await import("./fabric/routed-fabric.js");
  const { RoutedAdapter } = await import("./fabric/routed-adapter.js");
  const { resynchroniseClients } = await import("./fabric/resynchronise.js");
  const fabric = new RoutedFabric({
    maxOutboxBytes: init.maxOutboxBytes,
    maxRooms: init.maxRoomsPerWorker,
    resynchronise: resynchroniseClients,
    log: {
      debug: (message) => log.debug(message),
      info: (message) => log.info(message),
      warn: (message) => log.warn(message),
    },
  });
  const place = encodePlace({ hostKey: init.hostKey, workerSlot: init.slot });
  fabric.settle({ socketPath: init.routerSocketPath, place });
  return {
    createAdapter: (namespace) => new RoutedAdapter(namespace, fabric),
    connected: fabric.welcomed,
    readCounts: () => fabric.readCounts(),
  };
}
