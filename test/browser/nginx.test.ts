/** The demo on two hosts behind nginx with TLS, in a real browser: the page over HTTP/2, WebSocket beside it, people on both hosts. */

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { joinRedis } from "../support/fabric-fleet.js";
import { startHost } from "../support/host.js";
import { isNginxMissing, makeCertificate } from "../support/nginx.js";
import { startSite } from "../support/nginx-site.js";
import { findProgram, skipOrFail } from "../support/prerequisite.js";
import { LocalRedis, missingRedis, redisPath } from "../support/redis/local-redis.js";
import { chromiumPath, launchBrowser, Person } from "./chat-page.js";

const hostKeys = ["h001", "h002"] as const;

test("through nginx with TLS people on two hosts chat, the page over HTTP/2", { timeout: 180_000 }, async (t) => {
  if (!existsSync(chromiumPath)) return skipOrFail(t, `no ${chromiumPath}; apt-get install chromium installs it`);
  if (findProgram("openssl") === undefined) return skipOrFail(t, "openssl is not installed; it makes the certificate");
  if (redisPath === undefined) return skipOrFail(t, missingRedis);
  if (isNginxMissing(t)) return;
  const directory = mkdtempSync(join(tmpdir(), "sbx-tls-"));
  await using redis = new LocalRedis();
  await redis.start();
  const sockets = hostKeys.map((key) => join(directory, `${key}.sock`));
  const [starting, otherStarting] = hostKeys.map(
    async (key, index) =>
      await startHost({ workers: 1, env: { ...joinRedis(redis.url, key), SIGNALBOX_LISTEN: sockets[index] ?? "" } }),
  );
  await using _host = await starting;
  await using _otherHost = await otherStarting;
  const { certificatePath, keyPath } = await makeCertificate(directory);
  const addresses = Object.fromEntries(hostKeys.map((key, index) => [key, sockets[index] ?? ""]));
  await using nginx = await startSite(addresses, { areAddressesPaths: true, tls: [certificatePath, keyPath] });
  const browser = await launchBrowser();
  try {
    const url = `https://127.0.0.1:${nginx.port}/?room=platform`;
    const ann = await Person.open(browser, url, { ignoreHTTPSErrors: true });
    const ben = await Person.open(browser, url, { ignoreHTTPSErrors: true });
    const places = [await ann.place(), await ben.place()];
    assert.deepEqual(
      places.map(({ host, transport }) => [host, transport]),
      hostKeys.map((key) => [key, "websocket"]),
    );
    const protocol = await ann.page.evaluate(() => {
      const [navigation] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
      return navigation?.nextHopProtocol;
    });
    assert.equal(protocol, "h2");
    await ann.send("Is the line clear?");
    await ben.waitForMessage("Is the line clear?");
    await ben.send("All clear.");
    await ann.waitForMessage("All clear.");
    for (const person of [ann, ben]) assert.deepEqual(person.complaints(), []);
    assert.match(nginx.readLog(), /"GET \/" 200/);
    assert.deepEqual(nginx.complaints, []);
  } finally {
    await browser.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
