/** The package as a user gets it: packed, installed from the registry into empty projects, the README's examples run. */

import assert from "node:assert/strict";
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { io as connectClient, type Socket } from "socket.io-client";
import { findFreePorts } from "../support/cli-process.js";
import { fetchText, projectDir } from "../support/host.js";
import { skipOrFail } from "../support/prerequisite.js";
import { checkRegistry, Project, RegistryUnreachableError, readReadmeFiles, run, startNode } from "./project.js";

const transports = ["polling", "websocket"] as const;
const moduleTypes = ["module", "commonjs"] as const;
const answerMs = 15_000;
const readmeFiles = readReadmeFiles();

test("the packed package does in a user's projects what the README says", { timeout: 600_000 }, async (t) => {
  using tarballPlace = new Project({});
  const step = makeStep(t);
  try {
    const tarball = await step("npm pack", () => checkTarball(tarballPlace.directory));
    await step("npm view", () => checkRegistry(tarballPlace.directory));
    {
      using project = new Project({ type: "commonjs" });
      await step("CommonJS: npm install", () => project.install(tarball, "socket.io@4"));
      await step("CommonJS: what is installed", () => checkInstalled(t, project));
      await step("CommonJS: app.cjs", () => checkHello(project, "app.cjs"));
      await step("CommonJS: an http.Server with require", () => checkRequiredServer(project));
      await step("the demo", () => checkDemo(project));
    }
    {
      using project = new Project({ type: "module" });
      await step("ESM: npm install", () => project.install(tarball, "socket.io@4", "express@5"));
      await step("ESM: app.mjs", () => checkRooms(project));
      await step("ESM: server.mjs with Signalbox", () => checkServer(project));
      await step("ESM: server.mjs with node", () => checkServerAlone(project));
    }
    {
      using project = new Project({ type: "module" });
      await step("TypeScript: npm install", async () => {
        await project.install(tarball, "socket.io@4", "-D", "typescript@6", "@types/node@20", "tsx");
      });
      await step("TypeScript: types", () => checkTypes(project));
      for (const type of moduleTypes) {
        await step(`TypeScript: app.ts runs, type ${type}`, () => checkTypeScriptApp(project, type));
      }
    }
  } catch (thrown) {
    if (!(thrown instanceof RegistryUnreachableError)) throw thrown;
    skipOrFail(
      t,
      `the npm registry cannot be reached: ${/npm error network .*|npm error code \w+/.exec(thrown.message)?.[0]}`,
    );
  }
});

/** Runs a part of the test and says how long it took, and which part failed. */
function makeStep(t: TestContext): <T>(name: string, work: () => Promise<T>) => Promise<T> {
  return async (name, work) => {
    const startedMs = performance.now();
    try {
      return await work();
    } catch (thrown) {
      t.diagnostic(`failed: ${name}`);
      throw thrown;
    } finally {
      t.diagnostic(`${((performance.now() - startedMs) / 1000).toFixed(1).padStart(5)} s  ${name}`);
    }
  };
}

/** Packs the built tree and looks at what is in it; resolves with the path of the tarball. */
async function checkTarball(directory: string): Promise<string> {
  const { findBuildReason } = (await import(join(projectDir, "scripts/build.mjs"))) as {
    findBuildReason: () => string | undefined;
  };
  assert.equal(findBuildReason(), undefined, "dist/ is current (npm run build)");
  // Without scripts: prepack would swap dist/ under tests that run from it.
  const args = ["pack", "--ignore-scripts", "--json", "--pack-destination", directory];
  const [packed] = JSON.parse(await run(projectDir, "npm", args)) as { filename: string; files: { path: string }[] }[];
  assert.ok(packed !== undefined);
  const files = packed.files.map(({ path }) => path);
  const isWanted = (file: string): boolean =>
    /^(dist\/.+\.(js|js\.map|d\.ts)|dist\/demo\/page\/[\w-]+\.(js|css|html|svg)|(nginx|systemd)\/.+)$/.test(file) ||
    ["README.md", "CHANGELOG.md", "ARCHITECTURE.md", "LICENSE", "package.json"].includes(file);
  assert.deepEqual(
    files.filter((file) => !isWanted(file)),
    [],
    "nothing else is in the package",
  );
  const needed = [
    ...["README.md", "CHANGELOG.md", "LICENSE", "package.json", "dist/index.js", "dist/index.d.ts", "dist/cli/main.js"],
    ...[
      "dist/client/index.js",
      "dist/client/index.d.ts",
      "dist/adapter.js",
      "dist/adapter.d.ts",
      "dist/worker/worker-main.js",
      "dist/demo/page/index.html",
    ],
    ...[
      "nginx/README.md",
      "nginx/one-host.conf",
      "nginx/signalbox.conf",
      "systemd/README.md",
      "systemd/signalbox.service",
      "systemd/signalbox.socket",
    ],
  ];
  assert.deepEqual(
    needed.filter((file) => !files.includes(file)),
    [],
    "this is missing in the package",
  );
  return join(directory, packed.filename);
}

interface LockFile {
  readonly packages: Readonly<Record<string, { hasInstallScript?: boolean; dev?: boolean }>>;
}

async function checkInstalled(t: TestContext, project: Project): Promise<void> {
  const { packages } = project.readJson("package-lock.json") as LockFile;
  const withScript = Object.entries(packages).filter(([, entry]) => entry.hasInstallScript === true);
  assert.deepEqual(withScript, [], "no package runs anything when it is installed");
  // Fails when a dependency is missing, invalid or there twice where that must not be.
  const tree = JSON.parse(await run(project.directory, "npm", ["ls", "--omit=dev", "--all", "--json"])) as {
    dependencies: Record<string, { dependencies: Record<string, unknown> }>;
  };
  t.diagnostic(`signalbox depends on ${Object.keys(tree.dependencies["signalbox"]?.dependencies ?? {}).join(", ")}`);
  const own = measureBytes(project.path("node_modules/signalbox"));
  const all = measureBytes(project.path("node_modules"));
  const count = Object.keys(packages).length - 1;
  t.diagnostic(`installed: ${toMegabytes(own)} itself, ${toMegabytes(all)} with socket.io and all ${count} packages`);
}

function measureBytes(directory: string): number {
  const entries = readdirSync(directory, { withFileTypes: true, recursive: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.reduce((sum, file) => sum + statSync(join(file.parentPath, file.name)).size, 0);
}

function toMegabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** Writes an example of the README into the project, changed where a test needs it changed. */
function writeExample(project: Project, name: string, change = (code: string): string => code): void {
  project.write(name, change(findExample(name)));
}

function findExample(name: string): string {
  const code = readmeFiles.get(name);
  assert.ok(code !== undefined, `README.md has a code block "// ${name}"`);
  return code;
}

/** Connects a client over one transport, hands it on, and disconnects it. */
async function withClient<T>(
  url: string,
  transport: (typeof transports)[number],
  use: (client: Socket) => Promise<T>,
): Promise<T> {
  const client = connectClient(url, { transports: [transport], forceNew: true, reconnection: false });
  try {
    return await use(client);
  } finally {
    client.disconnect();
  }
}

/** The arguments of the next event of this name; events that came before are lost, so ask first. */
async function nextEvent(client: Socket, name: string): Promise<unknown[]> {
  return await new Promise((resolve, reject) => {
    const limit = setTimeout(() => reject(new Error(`"${name}" did not come in ${answerMs} ms`)), answerMs);
    const settle = (finish: () => void): void => {
      clearTimeout(limit);
      finish();
    };
    client.once(name, (...values: unknown[]) => settle(() => resolve(values)));
    client.once("connect_error", (error) => settle(() => reject(error)));
  });
}

/** `hello` with the id of the socket, which is what three of the examples send. */
async function checkHelloFrom(url: string): Promise<void> {
  for (const transport of transports) {
    await withClient(url, transport, async (client) => {
      const [id] = await nextEvent(client, "hello");
      assert.equal(id, client.id);
      assert.match(String(id), /^[\w-]{20}$/);
      assert.equal(client.io.engine.transport.name, transport);
    });
  }
}

async function checkHello(project: Project, file: string): Promise<void> {
  writeExample(project, file);
  await using host = await project.start(file);
  await checkHelloFrom(host.url);
  assert.equal(await host.stopPrimary(), 0);
}

/** Rooms over both transports, the worker that answers, and the exported `serverOptions`. */
async function checkRooms(project: Project): Promise<void> {
  writeExample(project, "app.mjs");
  await using host = await project.start("app.mjs");
  const { body } = await fetchText(`${host.url}/socket.io/?EIO=4&transport=polling`);
  assert.equal((JSON.parse(body.slice(1)) as { pingInterval: number }).pingInterval, 20_000);
  await withClient(host.url, "polling", async (poller) => {
    await withClient(host.url, "websocket", async (other) => {
      await Promise.all([nextEvent(poller, "connect"), nextEvent(other, "connect")]);
      for (const [from, to] of [
        [poller, other],
        [other, poller],
      ] as const) {
        const room = `room of ${to.id}`;
        const heard = nextEvent(to, "said");
        to.emit("join", room);
        // "join" has no answer in this example: what is said is repeated until it is heard.
        const repeat = setInterval(() => from.emit("say", room, "hello"), 50);
        const [text, by] = await heard.finally(() => clearInterval(repeat));
        assert.equal(text, "hello");
        assert.match(String(by), /^worker [01]$/);
      }
    });
  });
  assert.equal(await host.stopPrimary(), 0);
}

/** Signalbox has its own port: the one in the code stays free. */
async function checkServer(project: Project): Promise<void> {
  const port = await findFreePorts(1);
  writeExample(project, "server.mjs", (code) => code.replace("listen(3000", `listen(${port}`));
  await using host = await project.start("server.mjs");
  assert.equal((await fetchText(`${host.url}/`)).body, "hello");
  await checkHelloFrom(host.url);
  await assert.rejects(fetchText(`http://127.0.0.1:${port}/`), { code: "ECONNREFUSED" });
  assert.equal(host.log.filter((record) => record.msg === "listening").length, 2, "listen() succeeded in each worker");
  assert.equal(await host.stopPrimary(), 0);
}

async function checkServerAlone(project: Project): Promise<void> {
  const port = await findFreePorts(1);
  writeExample(project, "server.mjs", (code) => code.replace("listen(3000", `listen(${port}`));
  await using _server = await startNode(project, "server.mjs", "listening");
  assert.equal((await fetchText(`http://127.0.0.1:${port}/`)).body, "hello");
  await checkHelloFrom(`http://127.0.0.1:${port}`);
}

/** The same in CommonJS, where `await` needs a function. */
async function checkRequiredServer(project: Project): Promise<void> {
  project.write(
    "server.cjs",
    `const { createServer } = require("node:http");
const { Server } = require("socket.io");
const { attach } = require("signalbox");

const httpServer = createServer((request, response) => response.end("hello"));
const io = new Server(httpServer);
io.on("connection", (socket) => socket.emit("hello", socket.id));
attach(io).then(() => httpServer.listen(3000));
`,
  );
  await using host = await project.start("server.cjs");
  assert.equal((await fetchText(`${host.url}/`)).body, "hello");
  await checkHelloFrom(host.url);
  assert.equal(await host.stopPrimary(), 0);
}

/** Without an application the demo runs, its page and the browser library included. */
async function checkDemo(project: Project): Promise<void> {
  await using host = await project.start();
  assert.match((await fetchText(`${host.url}/`)).body, /<title>Signalbox chat<\/title>/);
  for (const path of ["/chat.js", "/signalbox/client/index.js", "/socket.io/socket.io.esm.min.js"]) {
    assert.equal((await fetchText(`${host.url}${path}`)).status, 200, path);
  }
  assert.equal(await host.stopPrimary(), 0);
}

/**
 * Strict, as Node resolves modules, and the declaration files of all packages checked as well. The same files lie in two
 * folders, one of each module type, so that one run of the compiler checks both.
 */
async function checkTypes(project: Project): Promise<void> {
  const files = {
    "app.ts": findExample("app.ts"),
    "address.ts": addressExample,
    "server.ts": serverExample,
    "program.ts": programExample,
  };
  for (const type of moduleTypes) {
    project.write(`${type}/package.json`, JSON.stringify({ type }));
    for (const [name, code] of Object.entries(files)) project.write(`${type}/${name}`, code);
  }
  const compilerOptions = { strict: true, module: "nodenext", target: "es2022", skipLibCheck: false, types: ["node"] };
  project.write("tsconfig.json", JSON.stringify({ compilerOptions, include: moduleTypes }));
  await run(project.directory, "npx", ["--no", "tsc", "--", "--noEmit"]);
}

const addressExample = `import { type Address, readAddress } from "signalbox/client";

const address: Address | undefined = readAddress("AbCdAAxxxxxxxxxxxxxx");
export const place: string = address === undefined ? "nowhere" : \`\${address.hostKey} \${address.workerSlot.toFixed()}\`;
// @ts-expect-error: an id is text
readAddress(1);
`;

const serverExample = `import { createServer } from "node:http";
import { attach, type SignalboxContext, SignalboxError } from "signalbox";
import { Server } from "socket.io";

const io = new Server(createServer());
attach(io).then(
  (context: SignalboxContext) => context.runOnce("tick", (signal) => signal.throwIfAborted()),
  (error: unknown) => console.error(error instanceof SignalboxError ? error.code : error),
);
`;

const programExample = `import cluster from "node:cluster";
import { createServer } from "node:http";
import { type AdapterPrimaryOptions, createAdapter, setupPrimary } from "signalbox/adapter";
import { Server } from "socket.io";

const options: AdapterPrimaryOptions = { maxOutboxBytes: 1_000_000 };
if (cluster.isPrimary) {
  setupPrimary(options);
  cluster.fork();
} else {
  new Server(createServer()).adapter(createAdapter());
}
`;

async function checkTypeScriptApp(project: Project, type: (typeof moduleTypes)[number]): Promise<void> {
  await using host = await project.start(`${type}/app.ts`);
  assert.equal((await fetchText(`${host.url}/health`)).body, "ok");
  for (const transport of transports) {
    await withClient(host.url, transport, async (client) => {
      await nextEvent(client, "connect");
      const record = await host.waitForLog(({ msg, id }) => msg === "a client is here" && id === client.id);
      assert.ok(record.worker === 0 || record.worker === 1, `the line carries the worker: ${JSON.stringify(record)}`);
    });
  }
  assert.equal(await host.stopPrimary(), 0);
}
