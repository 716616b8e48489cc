import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener, type Server } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { type FindHostOptions, findHost } from "../../src/cli/control-client.js";
import { NotRunningError, RuntimeDirError } from "../../src/errors.js";
import { exampleStatus } from "./example-status.js";

describe("finding the running host", () => {
  let baseDir: string;
  let servers: Server[];

  beforeEach(() => {
    baseDir = mkdtempSync(join(tmpdir(), "signalbox-status-"));
    servers = [];
  });

  afterEach(async () => {
    for (const server of servers) {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
    rmSync(baseDir, { recursive: true });
  });

  /** A host's control socket that gives the answer to every request. */
  async function serve(name: string, listener: RequestListener): Promise<string> {
    mkdirSync(join(baseDir, name));
    const socketPath = join(baseDir, name, "control.sock");
    const server = createServer(listener);
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(socketPath, resolve));
    return socketPath;
  }

  const serveStatus = (name: string, status: object = exampleStatus): Promise<string> =>
    serve(name, (request, response) => {
      response.statusCode = request.url === "/status" && request.method === "GET" ? 200 : 404;
      response.end(JSON.stringify(status));
    });

  const find = (name: string, timeoutMs = 5000, more: Partial<FindHostOptions> = {}) =>
    findHost({
      controlSocketPath: join(baseDir, name, "control.sock"),
      baseDir,
      timeoutMs,
      isOtherTaken: true,
      ...more,
    });

  const refusal = async (name: string, timeoutMs?: number): Promise<string> => {
    const error: unknown = await find(name, timeoutMs).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    assert.ok(error instanceof NotRunningError);
    return error.message;
  };

  test("the host of the configuration is asked, whatever others there are", async () => {
    await serveStatus("other", { ...exampleStatus, hostKey: "othr" });
    const socketPath = await serveStatus("mine");
    assert.deepEqual(await find("mine"), { socketPath, status: exampleStatus });
  });

  test("if that one does not answer, the only other one that does is asked", async () => {
    mkdirSync(join(baseDir, "left-over"));
    const socketPath = await serveStatus("other");
    assert.deepEqual(await find("mine"), { socketPath, status: exampleStatus });
  });

  test("if another will not do, it is named with the way to choose it", async () => {
    await serveStatus("other", { ...exampleStatus, hostKey: "othr" });
    await assert.rejects(find("mine", 5000, { isOtherTaken: false }), (error) => {
      assert.ok(error instanceof NotRunningError);
      assert.match(error.message, /Another host is running:\n {2}host othr, .*\nChoose one by its address/);
      return true;
    });
  });

  test("nothing is sent to a socket that is not safe, nor to another instead", async () => {
    let requests = 0;
    for (const name of ["mine", "other"]) await serve(name, () => requests++);
    const checkSocket = (): void => {
      throw new RuntimeDirError("SIGNALBOX_RUNTIME_DIR_UNSAFE", "not of this user");
    };
    await assert.rejects(find("mine", 1000, { checkSocket }), RuntimeDirError);
    assert.equal(requests, 0);
  });

  test("if several others answer, they are listed with the way to choose one", async () => {
    const first = await serveStatus("first", { ...exampleStatus, hostKey: "1111" });
    await serveStatus("second", { ...exampleStatus, hostKey: "2222", listen: { kind: "unix", path: "/run/2.sock" } });
    const message = await refusal("mine");
    assert.match(message, /2 other hosts are running/);
    assert.ok(
      message.includes(`  host 1111, pid 100, --host 127.0.0.1 --port 3000, control socket ${first}\n`),
      message,
    );
    assert.match(message, /host 2222, pid 100, --listen \/run\/2\.sock, /);
  });

  test("if none answers, the message names the socket and says that the settings must be those of start", async () => {
    const message = await refusal("mine");
    assert.ok(
      message.startsWith(`No host answers on ${join(baseDir, "mine", "control.sock")}: there is no such socket.`),
    );
    assert.match(message, /same flags, variables and config file as start/);
  });

  test("a base directory that does not exist holds no hosts", async () => {
    const controlSocketPath = "/nonexistent/a/control.sock";
    await assert.rejects(
      findHost({ controlSocketPath, baseDir: "/nonexistent", timeoutMs: 1000, isOtherTaken: true }),
      NotRunningError,
    );
  });

  test("a host that does not answer in time is given up", async () => {
    await serve("mine", () => {});
    assert.match(await refusal("mine", 50), /it did not answer within 50 ms/);
  });

  test("a host whose answer stops half way is given up in time", async () => {
    await serve("mine", (_, response) => {
      response.write("{");
    });
    assert.match(await refusal("mine", 100), /it did not answer within 100 ms/);
  });

  test("an answer that is no status says where it differs", async () => {
    await serveStatus("mine", { ...exampleStatus, pid: "100" });
    assert.match(await refusal("mine"), /its status cannot be read \(at "pid"\)/);
  });

  test("an answer that is not JSON, or not a success, is told as such", async () => {
    await serve("mine", (_, response) => response.end("<html>"));
    assert.match(await refusal("mine"), /it did not answer with JSON/);
    await serve("busy", (_, response) => response.writeHead(503).end());
    assert.match(await refusal("busy"), /it answered with HTTP status 503/);
  });
});
