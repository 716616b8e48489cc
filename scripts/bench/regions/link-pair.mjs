// The link that is measured: the real router processes of two regions, with one host each, and what they say of themselves.
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import { SERVER_CORE } from "../messages/measure.mjs";
import { startRouter } from "../router/router-process.mjs";

const HOST_KEYS = { eu: "euro", us: "usaa" };
const PATIENCE_MS = 15_000;
const MEBIBYTE = 1_024 * 1_024;

/**
 * Region eu links to region us. `listen` is where us takes the link, `url` where eu dials. Answers what the load connects to
 * (`within`: the same within eu), and how to read what has crossed.
 */
export async function startLinkPair({ name, directory, listen, url, isCompressed = false }) {
  const secrets = [randomBytes(32).toString("base64url")];
  const start = async (region, more) => {
    const socketPath = join(directory, `${name}-${region}.sock`);
    const links = { ...describeLinks(region, secrets, isCompressed), ...more };
    const init = { name: `${name}-${region}`, core: SERVER_CORE, socketPath, hostKey: HOST_KEYS[region] };
    const router = await startRouter({ ...init, more: { links, maxOutboxBytes: 64 * MEBIBYTE } });
    router.socketPath = socketPath;
    router.child.on("message", (message) => {
      if (message.type === "router:report") {
        router.report = message;
      }
    });
    return router;
  };
  const us = await start("us", { listen });
  const eu = await start("eu", { links: [{ region: "us", url }] });
  return {
    name,
    processes: [eu, us],
    within: {
      from: { socketPath: eu.socketPath, place: `${HOST_KEYS.eu}AB` },
      to: { socketPath: eu.socketPath, place: `${HOST_KEYS.eu}AC` },
    },
    ends: {
      from: { socketPath: eu.socketPath, place: `${HOST_KEYS.eu}AA` },
      to: { socketPath: us.socketPath, place: `${HOST_KEYS.us}AA` },
    },
    /** What has crossed so far, and what came back; at most a second old. */
    readTraffic: () => ({ out: eu.report.links.counts, back: us.report.links.counts }),
    /** Resolves when eu knows the rooms of us: until then it would send everything. */
    async waitForRooms() {
      const knows = () => eu.report?.links?.regions.some(({ isFlooded, rooms }) => !isFlooded && rooms > 0);
      await waitFor(eu, knows, `${name} is not linked`);
    },
  };
}

function describeLinks(region, secrets, isCompressed) {
  return {
    region,
    secrets,
    isCompressed,
    links: [],
    listen: null,
    ca: null,
    certificate: null,
    key: null,
    instance: region,
    maxOutboxBytes: 64 * MEBIBYTE,
    maxOutboxAgeMs: 60_000,
    unreachableAfterMs: 3_000,
    maxRooms: 1_000_000,
  };
}

/** Looks at each report. */
async function waitFor({ child }, isSo, complaint) {
  let listen;
  let timer;
  await new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(complaint)), PATIENCE_MS);
    listen = () => isSo() && resolve();
    child.on("message", listen);
    listen();
  }).finally(() => {
    clearTimeout(timer);
    child.off("message", listen);
  });
}
