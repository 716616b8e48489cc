// The Redis between the hosts: a server without persistence beside the other servers, and what it says of itself.
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { Redis } from "ioredis";
import { findFreePort, startPinned, stop } from "../shared/processes.mjs";

const START_TIMEOUT_MS = 10_000;
/** The commands that carry messages. */
const PUBLISHING = /^cmdstat_(?:s?publish):calls=(\d+)/gm;

/** Asked together, so that they are read before any is answered. */
const QUESTIONS = ["cpu", "stats", "commandstats"];
const QUESTION_BYTES = QUESTIONS.reduce((sum, part) => sum + `*2\r\n$4\r\ninfo\r\n$0\r\n${part}\r\n`.length, 0);
const ANSWER_HEAD_BYTES = 12; // the length before it and the line end after it, but for one or two

export async function startRedis(core) {
  const port = await findFreePort();
  const server = startPinned({
    name: "redis",
    core,
    command: "redis-server",
    args: ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", tmpdir()],
  });
  const client = new Redis({ port, host: "127.0.0.1", retryStrategy: () => 50, maxRetriesPerRequest: null });
  client.on("error", () => {}); // until it listens
  try {
    await answerOf(client, server);
  } catch (error) {
    client.disconnect();
    await stop(server);
    throw error;
  }
  let ownBytesIn = 0;
  let ownBytesOut = 0;
  return {
    pid: server.pid,
    /** A user of its own for each side: CLIENT LIST tells whose connections there are. */
    async addUser(name) {
      await client.acl("SETUSER", name, "on", "nopass", "allkeys", "allchannels", "allcommands");
      return `redis://${name}:any@127.0.0.1:${port}`;
    },
    async countConnections(name) {
      const list = await client.client("LIST");
      return list.split("\n").filter((line) => line.includes(` user=${name} `)).length;
    },
    /** Totals since it began, but for the bytes of these questions: idle hosts say less than that. */
    async readMeter() {
      ownBytesIn += QUESTION_BYTES;
      const earlierBytesOut = ownBytesOut;
      const answers = await Promise.all(QUESTIONS.map((part) => client.info(part)));
      const text = answers.join("\n");
      ownBytesOut += text.length + ANSWER_HEAD_BYTES * QUESTIONS.length;
      const read = (name) => Number(text.match(new RegExp(`^${name}:([\\d.]+)`, "m"))[1]);
      return {
        redisUs: (read("used_cpu_user") + read("used_cpu_sys")) * 1e6,
        bytesIn: read("total_net_input_bytes") - ownBytesIn,
        bytesOut: read("total_net_output_bytes") - earlierBytesOut,
        publishes: [...text.matchAll(PUBLISHING)].reduce((sum, [, calls]) => sum + Number(calls), 0),
      };
    },
    async stop() {
      client.disconnect();
      await stop(server);
    },
  };
}

async function answerOf(client, server) {
  const failed = new Promise((_, reject) => {
    server.child.once("error", (error) =>
      reject(error.code === "ENOENT" ? new Error("taskset is not installed") : error),
    );
    server.child.once("exit", () => reject(new Error("redis-server does not start; is it installed?")));
  });
  const late = sleep(START_TIMEOUT_MS, undefined, { ref: false }).then(() => {
    throw new Error("redis-server does not answer");
  });
  await Promise.race([client.ping(), failed, late]);
}
