/** What several regions on one machine need besides hosts: a way from each to each, which takes its time, and the settings for it. */

import { randomBytes } from "node:crypto";
import { connect, createServer } from "node:net";
import path from "node:path";

/**
 * Opens a way into each region: it goes to the region's hosts in turn, as a load balancer would have it, and each byte takes
 * `latencyMs` to the other end and as long back.
 * @param hostSockets of each region, by name: paths of the sockets where its hosts take links
 */
export async function openWays(hostSockets, latencyMs, directory) {
  const servers = [];
  for (const [region, sockets] of Object.entries(hostSockets)) {
    let next = 0;
    const server = createServer((near) => {
      const far = connect(sockets[next++ % sockets.length]);
      passOn(near, far, latencyMs);
      passOn(far, near, latencyMs);
    });
    await new Promise((resolve, reject) => {
      server.once("error", reject);
      server.listen(nameWay(directory, region), resolve);
    });
    servers.push(server);
  }
  return servers;
}

/** In order: timers of the same length end in the order in which they began. */
function passOn(from, to, latencyMs) {
  from.on("data", (chunk) => setTimeout(() => to.write(chunk), latencyMs));
  from.on("close", () => setTimeout(() => to.destroy(), latencyMs));
  // The end of it follows.
  from.on("error", () => {});
}

/** The socket where a way begins. */
export function nameWay(directory, region) {
  return path.join(directory, `to-${region}.sock`);
}

/** @param regions names of all of them */
export function createRegionSettings(regions, directory) {
  const secret = randomBytes(32).toString("base64url");
  return (region, number) => ({
    SIGNALBOX_REGION: region,
    SIGNALBOX_LINK_SECRETS: secret,
    SIGNALBOX_LINK_LISTEN: nameLinkSocket(directory, number),
    SIGNALBOX_LINKS: regions
      .filter((other) => other !== region)
      .map((other) => `${other}=ws+unix:${nameWay(directory, other)}:/signalbox/link`)
      .join(","),
  });
}

export function nameLinkSocket(directory, number) {
  return path.join(directory, `link-${number}.sock`);
}
