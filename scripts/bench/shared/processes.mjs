// Starts pinned processes, knows when they serve, and ends exactly those it started.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { listTree } from "./cpu.mjs";

const started = new Set();
let isEnding = false;

/** Starts a program, Node unless named, on one core. Output is kept back and shown when the process ends unasked. */
export function startPinned({ name, core, command = process.execPath, args, env = {}, ipc = false }) {
  if (isEnding) {
    throw new Error("the benchmark is ending");
  }
  const child = spawn("taskset", ["-c", String(core), command, ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe", ...(ipc ? ["ipc"] : [])],
  });
  const tail = [];
  const keep = (chunk) => {
    tail.push(chunk.toString());
    while (tail.length > 50) {
      tail.shift();
    }
  };
  child.stdout.on("data", keep);
  child.stderr.on("data", keep);
  const processHandle = { name, child, pid: child.pid, hasEnded: false, isStopping: false };
  child.once("exit", (code, signal) => {
    processHandle.hasEnded = true;
    started.delete(processHandle);
    if (!processHandle.isStopping) {
      process.stderr.write(`${name} ended by itself (${signal ?? code}). Its last output:\n${tail.join("")}\n`);
    }
  });
  started.add(processHandle);
  return processHandle;
}

/** Resolves when the port accepts a connection and answers an Engine.IO handshake with 200, several times in a row. */
export async function waitUntilServing(processHandle, port, timeoutMs = 30_000) {
  const deadlineMs = Date.now() + timeoutMs;
  let inRow = 0;
  while (inRow < 8) {
    if (processHandle.hasEnded) {
      throw new Error(`${processHandle.name} ended before it served`);
    }
    if (Date.now() > deadlineMs) {
      throw new Error(`${processHandle.name} does not serve port ${port} after ${timeoutMs} ms`);
    }
    inRow = (await answersHandshake(port)) ? inRow + 1 : 0;
    if (inRow === 0) {
      await sleep(100);
    }
  }
}

function answersHandshake(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    socket.setTimeout(2_000, () => socket.destroy());
    socket.on("connect", () =>
      socket.write("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"),
    );
    socket.on("data", (chunk) => {
      text += chunk;
    });
    socket.on("error", () => {}); // told by "close"
    socket.on("close", () => resolve(text.startsWith("HTTP/1.1 200")));
  });
}

/** SIGTERM to the root, and SIGKILL after a while to whatever of its tree is left. */
export async function stop(processHandle) {
  if (processHandle.hasEnded) {
    return;
  }
  processHandle.isStopping = true;
  const tree = listTree(processHandle.pid);
  const ended = once(processHandle.child, "exit");
  processHandle.child.kill("SIGTERM");
  await Promise.race([ended, sleep(5_000, undefined, { ref: false })]);
  for (let attempt = 0; attempt < 10 && tree.some(isAlive); attempt++) {
    await sleep(100); // workers end by themselves when their primary is gone
  }
  for (const pid of tree.filter(isAlive)) {
    process.kill(pid, "SIGKILL");
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The end: nothing is started any more. */
export async function stopAll() {
  isEnding = true;
  await Promise.all([...started].map(stop));
}

/** A loopback port nobody listens on at this moment. */
export async function findFreePort() {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}
