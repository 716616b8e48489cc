/** HTTP for operators: health, metrics and status, on the admin port and on the control socket; the latter takes reloads as well. */

import { chmodSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { maxVariablesBytes, parseVariables, type Variables } from "../config/reload-variables.js";
import { describeBriefly, ListenError, readErrorCode } from "../errors.js";
import type { HostMetrics } from "../metrics/host-metrics.js";
import type { HostStatus, ReloadStatus } from "../protocol/host-status.js";

export interface AdminSurroundings {
  readonly metrics: HostMetrics;
  readonly readStatus: () => Promise<HostStatus>;
  /** Undefined when the host takes sessions, else why it does not. */
  readonly explainNotReady: () => string | undefined;
  /** Resolves with how it ended. @param variables in place of those of the host, if any are given */
  readonly reload: (variables: Variables | undefined) => Promise<ReloadStatus>;
  readonly describeReload: () => ReloadStatus | null;
}

/** Answers are small and local: whoever takes longer is stuck. */
const requestTimeoutMs = 5_000;
/** Whoever waits for a reload hears this often how it goes. */
const progressIntervalMs = 500;
/** Names under which the admin port is meant to be reached; others are pages that rebound their own name to 127.0.0.1. */
const localHostPattern = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d+)?$/i;

export class AdminServer {
  readonly #surroundings: AdminSurroundings;
  readonly #servers: Server[] = [];

  constructor(surroundings: AdminSurroundings) {
    this.#surroundings = surroundings;
  }

  /**
   * Listens on 127.0.0.1 and resolves with the port (the system's choice, for 0).
   * @throws ListenError that says what to set.
   */
  async listenOnPort(port: number): Promise<number> {
    const server = this.#create((request) => localHostPattern.test(request.headers.host ?? ""), false);
    await listen(
      server,
      { host: "127.0.0.1", port },
      `the admin address 127.0.0.1:${port}`,
      "choose another with --admin-port (SIGNALBOX_ADMIN_PORT; 0 lets the system choose)",
    );
    const address = server.address();
    return typeof address === "object" && address !== null ? address.port : port;
  }

  /** Listens on a Unix socket that only this user can open. */
  async listenOnSocket(path: string): Promise<void> {
    const server = this.#create(() => true, true);
    await listen(
      server,
      { path },
      `the control socket ${path}`,
      "set SIGNALBOX_RUNTIME_DIR to a directory of this user",
    );
    chmodSync(path, 0o600);
  }

  close(): void {
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
  }

  #create(isAllowed: (request: IncomingMessage) => boolean, isControl: boolean): Server {
    const server = createServer(
      { requestTimeout: requestTimeoutMs, headersTimeout: requestTimeoutMs },
      (request, response) => {
        if (!isAllowed(request)) {
          answer(response, 403, "text/plain", "The admin port is reached as 127.0.0.1 or localhost.\n");
          return;
        }
        const isReload = isControl && request.method === "POST" && request.url === "/reload";
        const answered = isReload ? this.#reload(request, response) : this.#answer(request, response, isControl);
        answered.catch((thrown: unknown) => {
          if (response.headersSent) response.destroy();
          else answer(response, 500, "text/plain", `${describeBriefly(thrown)}\n`);
        });
      },
    );
    this.#servers.push(server);
    return server;
  }

  /** A line of JSON now and then while it is under way, and a last one with how it ended. */
  async #reload(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBody(request, maxVariablesBytes);
    const variables = body === "" ? undefined : parseVariables(body ?? "");
    if (variables === undefined && body !== "") {
      answer(response, 400, "text/plain", "The body has to be empty, or a JSON object of variables.\n");
      return;
    }
    const { reload, describeReload } = this.#surroundings;
    const write = (status: ReloadStatus | null): void => {
      if (status !== null) response.write(`${JSON.stringify(status)}\n`);
    };
    response.writeHead(200, { "Content-Type": "application/x-ndjson", "Cache-Control": "no-store" });
    const ended = reload(variables);
    write(describeReload());
    const timer = setInterval(() => write(describeReload()), progressIntervalMs);
    // Who does not wait for the end has asked for it nevertheless.
    response.once("close", () => clearInterval(timer));
    const outcome = await ended;
    clearInterval(timer);
    response.end(`${JSON.stringify(outcome)}\n`);
  }

  async #answer(request: IncomingMessage, response: ServerResponse, isControl: boolean): Promise<void> {
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.setHeader("Allow", "GET, HEAD");
      answer(response, 405, "text/plain", "The admin port only reads: use GET.\n");
      return;
    }
    const { metrics, readStatus, explainNotReady } = this.#surroundings;
    switch (request.url?.split("?")[0]) {
      case "/livez":
        answer(response, 200, "text/plain", "ok\n");
        break;
      case "/readyz": {
        const reason = explainNotReady();
        answer(response, reason === undefined ? 200 : 503, "text/plain", `${reason ?? "ok"}\n`);
        break;
      }
      case "/metrics": {
        await readStatus();
        answer(response, 200, metrics.registry.contentType, await metrics.registry.metrics());
        break;
      }
      case "/status": {
        const status = await readStatus();
        answer(response, 200, "application/json", `${JSON.stringify(isControl ? status : hideReason(status))}\n`);
        break;
      }
      default:
        answer(response, 404, "text/plain", "Known here: /livez /readyz /metrics /status\n");
    }
  }
}

/** Why a reload failed may quote values of variables, and every user of the machine reaches the admin port. */
function hideReason(status: HostStatus): HostStatus {
  const { reload } = status;
  if (reload === null || reload.reason === null) return status;
  return { ...status, reload: { ...reload, reason: "`signalbox status` tells why" } };
}

/** Undefined when it is longer; then the connection is cut. */
async function readBody(request: IncomingMessage, maxBytes: number): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

function answer(response: ServerResponse, status: number, type: string, body: string): void {
  response.writeHead(status, {
    "Content-Type": type,
    "Cache-Control": "no-store",
    "Content-Length": Buffer.byteLength(body),
  });
  response.end(body);
}

async function listen(server: Server, address: object, what: string, advice: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => {
      const code = readErrorCode(cause) === "EADDRINUSE" ? "SIGNALBOX_ADDRESS_IN_USE" : "SIGNALBOX_LISTEN_FAILED";
      const why = code === "SIGNALBOX_ADDRESS_IN_USE" ? "it is in use (another Signalbox host?)" : cause.message;
      reject(new ListenError(code, `cannot listen on ${what}: ${why}: ${advice}.`, { cause }));
    });
    server.listen(address, resolve);
  });
  server.removeAllListeners("error");
  // No descriptor for one more connection: the next one may have it.
  server.on("error", () => {});
}
