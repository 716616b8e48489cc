/** Links over `wss:` through nginx, which ends TLS and demands a certificate of the other region's hosts: who has what it takes is linked. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { SecureContextOptions } from "node:tls";
import WebSocket from "ws";
import { CertificateAuthority, isOpensslMissing, missingOpenssl } from "../support/certificates.js";
import { fixturePath, projectDir, startHost, type TestHost } from "../support/host.js";
import { LightSocket } from "../support/light-socket.js";
import { isNginxMissing } from "../support/nginx.js";
import { startSite } from "../support/nginx-site.js";
import { skipOrFail } from "../support/prerequisite.js";
import { linkSecret } from "../support/region-fleet.js";

const app = fixturePath("hosts/hosts-app.mjs");

async function startRegion(region: string, settings: Readonly<Record<string, string>>): Promise<TestHost> {
  const own = { SIGNALBOX_REGION: region, SIGNALBOX_HOST_KEY: `${region}-0`, SIGNALBOX_LINK_SECRETS: linkSecret };
  return await startHost({ app, workers: 1, env: { ...own, ...settings } });
}

test("a region behind nginx is linked to over wss: with the authority and a certificate, and without them it is said what is missing", {
  timeout: 120_000,
}, async (t) => {
  if (isNginxMissing(t)) return;
  if (isOpensslMissing) return skipOrFail(t, missingOpenssl);
  const directory = mkdtempSync(join(tmpdir(), "sbx-wss-"));
  try {
    const authority = await CertificateAuthority.create(directory);
    const [server, client] = await Promise.all([authority.issue("localhost"), authority.issue("hosts-of-eu")]);
    await using us = await startRegion("us", { SIGNALBOX_LINK_LISTEN: "public" });
    const site = { tls: [server.certificatePath, server.keyPath] as const, hasLink: true };
    const addresses = { "us-0": `127.0.0.1:${us.port}` };
    await using demanding = await startSite(addresses, site, (text) =>
      text.replace(
        "ssl_session_tickets off;",
        `$&\n ssl_client_certificate ${authority.certificatePath};\n ssl_verify_client on;`,
      ),
    );
    // The README's lines, for an nginx that serves browsers as well.
    const [, inServer = "", inLocation = ""] =
      /ask the other regions for a certificate.*?```nginx\n(.*?\n)\n(.*?)```/s.exec(
        readFileSync(join(projectDir, "nginx/README.md"), "utf8"),
      ) ?? [];
    assert.match(inServer, /ssl_verify_client optional;/);
    await using asking = await startSite(addresses, site, (text) =>
      text
        .replace(
          "ssl_session_tickets off;",
          `$&\n${inServer.replace("/etc/ssl/certs/regions.pem", authority.certificatePath)}`,
        )
        .replace("proxy_pass http://signalbox_links;", `${inLocation}\n$&`),
    );

    const links = { SIGNALBOX_LINKS: `us=wss://localhost:${demanding.port}/signalbox/link` };
    const ca = { SIGNALBOX_LINK_CA: authority.certificatePath };
    const certificate = { SIGNALBOX_LINK_CERTIFICATE: client.certificatePath, SIGNALBOX_LINK_KEY: client.keyPath };
    const starting = [
      startRegion("eu", { ...links, ...ca, ...certificate }),
      startRegion("ap", { ...links, ...certificate }),
      startRegion("sa", { ...links, ...ca }),
    ] as const;
    await Promise.allSettled(starting);
    await using eu = await starting[0];
    await using withoutAuthority = await starting[1];
    await using withoutCertificate = await starting[2];

    await eu.waitForStatus((status) => status.links?.regions[0]?.isLinked === true, "the link");
    const [from, to] = await Promise.all([LightSocket.open(eu), LightSocket.open(us)]);
    const said = once(to, "said");
    from.emitTo("emit", [], "over TLS");
    assert.deepEqual(await said, ["over TLS"]);
    from.close();
    to.close();

    const explained: readonly [TestHost, RegExp][] = [
      [
        withoutAuthority,
        /^no link to region us for \d+ s, since the start \(its certificate is of no authority that is trusted here \(.+\): name that authority with linkCa/,
      ],
      [
        withoutCertificate,
        /^no link to region us for \d+ s, since the start \(it answered HTTP 400 .*client certificate.*: set linkCertificate and linkKey/,
      ],
    ];
    for (const [host, words] of explained) {
      await host.waitForLog(({ msg }) => words.test(msg), `a line like ${words}`);
      assert.equal((await host.readStatus()).links?.regions[0]?.isLinked, false);
    }

    // Where browsers come as well, they get pages without one.
    const port = asking.port;
    const trusted = { ca: readFileSync(authority.certificatePath) };
    const shown = { ...trusted, cert: readFileSync(client.certificatePath), key: readFileSync(client.keyPath) };
    assert.equal(await askToUpgrade({ port, path: "/signalbox/link", ...shown }), 101);
    assert.equal(await askToUpgrade({ port, path: "/signalbox/link", ...trusted }), 403);
    assert.equal(await askToUpgrade({ port, path: "/socket.io/?EIO=4&transport=websocket", ...trusted }), 101);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});

/** Asks for a WebSocket, and answers the status. */
async function askToUpgrade({
  port,
  path,
  ...tls
}: { port: number; path: string } & SecureContextOptions): Promise<number> {
  const socket = new WebSocket(`wss://localhost:${port}${path}`, tls);
  return await new Promise<number>((resolve, reject) => {
    // Follows the answer that is no WebSocket, and changes nothing then.
    socket.once("error", reject);
    socket.once("open", () => resolve(101));
    socket.once("unexpected-response", (_request, { statusCode = 0 }) => resolve(statusCode));
  }).finally(() => socket.terminate());
}
