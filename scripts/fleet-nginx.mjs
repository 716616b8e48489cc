/** An nginx in front of a local fleet: the configuration is generated, everything else of it is in the fleet's directory. */

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";
import { createInterface } from "node:readline";

const maxAttempts = 5;

/** The program and its version; undefined when nginx is not installed. Needs the build. */
export async function findNginx() {
  return (await import("../dist/cli/nginx-program.js")).findNginx();
}

/**
 * Starts nginx in front of the hosts (`hostKey`, `address`) and resolves when it listens. It cannot have the system pick a port
 * itself: it is given one that was free, and another when that is taken meanwhile. `follow` gets the lines of its logs.
 */
export async function startNginx({ program, version }, hosts, fleetDirectory, processes, follow) {
  const { noSiteOptions, readSite } = await import("../dist/nginx/read-site.js");
  const { renderSite } = await import("../dist/nginx/render-site.js");
  const { renderMain } = await import("../dist/nginx/render-main.js");
  const { listStartArguments } = await import("../dist/cli/nginx-program.js");
  const directory = path.join(fleetDirectory, "nginx");
  mkdirSync(directory);
  const configuration = path.join(directory, "nginx.conf");
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    const port = await pickPort();
    const read = readSite(
      {
        ...noSiteOptions,
        hosts: hosts.map(({ hostKey, address }) => `${hostKey}=${address}`),
        listen: `127.0.0.1:${port}`,
      },
      version,
    );
    if (read.kind === "faults") throw new Error(read.faults.join("\n"));
    writeFileSync(configuration, renderMain(renderSite({ ...read.site, accessLogPath: "access.log" })));
    // A group of its own: Ctrl-C is for the fleet, which ends nginx after the hosts.
    const child = spawn(program, listStartArguments(version, directory, configuration), {
      stdio: ["ignore", "ignore", "pipe"],
      detached: true,
    });
    const ended = once(child, "exit").then(([code, signal]) => signal ?? `exit code ${code}`);
    processes.push({ child, isLast: true });
    if (await isListening(child, follow)) {
      followAccessLog(path.join(directory, "access.log"), processes, follow);
      return { url: `http://127.0.0.1:${port}`, ended };
    }
    child.kill("SIGKILL");
    await ended;
  }
  throw new Error(`nginx did not start on any of ${maxAttempts} ports`);
}

async function pickPort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** Passes on what it says on stderr from a warning on. */
async function isListening(child, follow) {
  return await new Promise((resolve) => {
    createInterface({ input: child.stderr }).on("line", (line) => {
      if (line.includes("Address already in use")) resolve(false);
      else if (!/\[(notice|info)\]/.test(line)) follow(line);
      // It says so when it has its sockets.
      if (/using the "\w+" event method/.test(line)) resolve(true);
    });
    child.once("exit", () => resolve(false));
  });
}

/** nginx opens its access log as a file, which no pipe of Node's is. */
function followAccessLog(file, processes, follow) {
  const child = spawn("tail", ["-n", "+1", "-F", file], { stdio: ["ignore", "pipe", "ignore"], detached: true });
  child.once("error", (error) => follow(`the access log cannot be followed: ${error.message}`));
  createInterface({ input: child.stdout }).on("line", follow);
  processes.push({ child, isLast: true });
}
