/** Every form in which a Redis is reached, started for a test: one server plain, by Unix socket, with TLS, with an ACL user. */

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { RedisServer } from "./redis-server.js";

/** A Redis of some form, and what stands behind it. */
export interface RunningRedis extends AsyncDisposable {
  readonly url: string;
  readonly ca?: string;
  readonly servers: readonly RedisServer[];
  /** The server that carries the messages now. */
  findCarrier(): Promise<RedisServer>;
}

export interface RedisForm {
  readonly name: string;
  start(channelPrefix: string): Promise<RunningRedis>;
}

const run = promisify(execFile);

export const tcpForm: RedisForm = {
  name: "plain TCP",
  start: async () => {
    const server = await RedisServer.start();
    return wrapServer(server, `redis://127.0.0.1:${server.port}/0`);
  },
};

export const unixForm: RedisForm = {
  name: "a Unix socket",
  start: async () => {
    const server = await RedisServer.start();
    return wrapServer(server, `unix://${server.socketPath}`);
  },
};

export const tlsForm: RedisForm = {
  name: "TLS",
  start: async () => {
    // The certificate has to be there before the server starts, which makes its directory.
    const maker = await RedisServer.start();
    const certificate = await makeCertificate(maker.directory);
    await maker.kill();
    const makeConfig = (): string[] => [
      `tls-cert-file ${certificate.certificatePath}`,
      `tls-key-file ${certificate.keyPath}`,
      "tls-auth-clients no",
    ];
    const server = await RedisServer.start({ isTls: true, makeConfig });
    const ca = readFileSync(certificate.certificatePath, "utf8");
    return { ...wrapServer(server, `rediss://localhost:${server.port}`, [server, maker]), ca };
  },
};

/** What is percent-encoded is encoded, and the user may do nothing but what the bus states. */
export const aclPassword = "pa ss:w@rd/%";

export const aclForm: RedisForm = {
  name: "an ACL user",
  start: async (channelPrefix) => {
    const server = await RedisServer.start();
    await setBusUser(server, `resetchannels &${channelPrefix}* +ping +publish +subscribe`, aclPassword);
    const url = `redis://bus:${encodeURIComponent(aclPassword)}@127.0.0.1:${server.port}`;
    // An ACL set by command would be gone with a restart, as it is not in the configuration.
    const restart = server.restart.bind(server);
    server.restart = async () => {
      await restart();
      await setBusUser(server, `resetchannels &${channelPrefix}* +ping +publish +subscribe`, aclPassword);
    };
    return wrapServer(server, url);
  },
};

/** Makes the user `bus` anew with these rules alone. */
export async function setBusUser(server: RedisServer, rules: string, password: string): Promise<void> {
  await server.command("ACL", "SETUSER", "bus", "reset", "on", `>${password}`, ...rules.split(" "));
}

function wrapServer(server: RedisServer, url: string, servers: readonly RedisServer[] = [server]): RunningRedis {
  return {
    url,
    servers,
    findCarrier: () => Promise.resolve(server),
    [Symbol.asyncDispose]: () => endAll(servers),
  };
}

export async function endAll(servers: readonly RedisServer[]): Promise<void> {
  for (const server of servers) await server[Symbol.asyncDispose]();
}

/** A certificate for localhost that vouches for itself. */
async function makeCertificate(directory: string): Promise<{ certificatePath: string; keyPath: string }> {
  const certificatePath = join(directory, "certificate.pem");
  const keyPath = join(directory, "key.pem");
  await run("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
    ...["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
    ...["-out", certificatePath, "-keyout", keyPath],
  ]);
  return { certificatePath, keyPath };
}
