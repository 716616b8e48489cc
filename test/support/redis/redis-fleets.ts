/** The forms of several processes: a master with a replica and Sentinels, and a cluster of three nodes. */

import { setTimeout as pause } from "node:timers/promises";
import { endAll, type RedisForm, type RunningRedis } from "./redis-forms.js";
import { findPort, RedisServer } from "./redis-server.js";

const masterName = "mymaster";
const pollMs = 20;
const slotCount = 16_384;
const nodeCount = 3;

export const sentinelForm: RedisForm = { name: "Sentinel", start: () => startSentinels(1) };
export const threeSentinelsForm: RedisForm = { name: "three Sentinels", start: () => startSentinels(3) };

async function startSentinels(count: number): Promise<RunningRedis> {
  const servers: RedisServer[] = [];
  try {
    // By default a master waits 5 s for more replicas before it sends its data.
    const master = await RedisServer.start({ makeConfig: () => ["repl-diskless-sync-delay 0"] });
    servers.push(master);
    const replica = await RedisServer.start({ makeConfig: () => [`replicaof 127.0.0.1 ${master.port}`] });
    servers.push(replica);
    await replica.untilLogged(/Finished with success/);
    const sentinels: RedisServer[] = [];
    for (let index = 0; index < count; index++) {
      const sentinel = await RedisServer.start({
        isSentinel: true,
        makeConfig: () => configureSentinel(master, count),
      });
      servers.push(sentinel);
      sentinels.push(sentinel);
    }
    for (const sentinel of sentinels) {
      // Without the replica, and the others' votes, there could be no failover.
      await sentinel.untilLogged(/\+slave slave/);
      if (count > 1) await sentinel.untilLogged(/\+sentinel sentinel/);
    }
    const [first = master] = sentinels;
    const hosts = sentinels.map(({ port }) => `127.0.0.1:${port}`).join(",");
    return {
      url: `redis+sentinel://${hosts}/${masterName}`,
      servers,
      findCarrier: async () => {
        const address = (await first.command("SENTINEL", "get-master-addr-by-name", masterName)) as [string, string];
        return findByPort(servers, Number(address[1]));
      },
      [Symbol.asyncDispose]: () => endAll(servers),
    };
  } catch (error) {
    await endAll(servers);
    throw error;
  }
}

function configureSentinel(master: RedisServer, count: number): string[] {
  return [
    `sentinel monitor ${masterName} 127.0.0.1 ${master.port} ${Math.floor(count / 2) + 1}`,
    `sentinel down-after-milliseconds ${masterName} 1000`,
    `sentinel failover-timeout ${masterName} 4000`,
  ];
}

export const clusterForm: RedisForm = {
  name: "a cluster",
  start: async (channelPrefix) => {
    const nodes: RedisServer[] = [];
    try {
      for (let index = 0; index < nodeCount; index++) nodes.push(await startNode());
      await joinNodes(nodes);
    } catch (error) {
      await endAll(nodes);
      throw error;
    }
    return {
      url: `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(",")}`,
      servers: nodes,
      findCarrier: async () => {
        const asked = nodes.find(({ pid }) => pid !== undefined) ?? (nodes[0] as RedisServer);
        const slot = Number(await asked.command("CLUSTER", "KEYSLOT", `{${channelPrefix}}`));
        const ranges = (await asked.command("CLUSTER", "SLOTS")) as [number, number, [string, number]][];
        const range = ranges.find(([from, to]) => from <= slot && slot <= to);
        return findByPort(nodes, range?.[2][1] ?? 0);
      },
      [Symbol.asyncDispose]: () => endAll(nodes),
    };
  },
};

async function startNode(): Promise<RedisServer> {
  const busPort = await findPort();
  const makeConfig = (): string[] => [
    ...["cluster-enabled yes", "cluster-config-file nodes.conf", "cluster-node-timeout 1500"],
    `cluster-port ${busPort}`,
  ];
  return await RedisServer.start({ makeConfig });
}

async function joinNodes(nodes: readonly RedisServer[]): Promise<void> {
  for (const [index, node] of nodes.entries()) {
    const first = Math.floor((slotCount * index) / nodes.length);
    const last = Math.floor((slotCount * (index + 1)) / nodes.length) - 1;
    await node.command("CLUSTER", "ADDSLOTSRANGE", first, last);
    await node.command("CLUSTER", "SET-CONFIG-EPOCH", index + 1);
  }
  const [first, ...others] = nodes;
  for (const node of others) {
    const busPort = String(await node.command("CONFIG", "GET", "cluster-port")).split(",")[1] ?? "";
    await first?.command("CLUSTER", "MEET", "127.0.0.1", node.port, busPort);
  }
  for (const node of nodes) {
    // The log tells the state of the slots, but not when the last node is known.
    while (!/cluster_state:ok[\s\S]*cluster_known_nodes:3/.test(String(await node.command("CLUSTER", "INFO")))) {
      await pause(pollMs);
    }
  }
}

function findByPort(servers: readonly RedisServer[], port: number): RedisServer {
  const found = servers.find((server) => server.port === port);
  if (found === undefined) throw new Error(`no server of the test has port ${port}`);
  return found;
}
