/** The demo in a real browser: people on different workers chat, and a worker that is killed is a moment's break. */

import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { type TestContext, test } from "node:test";
import type { Browser } from "playwright-core";
import { io as connectClient } from "socket.io-client";
import { startHost } from "../support/host.js";
import { killWorker } from "../support/kill-worker.js";
import { skipOrFail } from "../support/prerequisite.js";
import { chromiumPath, launchBrowser, openOnTwoWorkers, Person, patienceMs } from "./chat-page.js";

/** What people are promised: back by itself in this time. */
const reconnectMs = 5_000;
/** The machine that runs the tests may be busy with others. */
const guardFactor = 3;

const phone = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };

/** Runs a test with a browser, which is closed whatever happens. */
function browserTest(title: string, run: (t: TestContext, browser: Browser) => Promise<void>): void {
  test(title, { timeout: 180_000 }, async (t) => {
    if (!existsSync(chromiumPath)) return skipOrFail(t, `no ${chromiumPath}; apt-get install chromium installs it`);
    const browser = await launchBrowser();
    try {
      await run(t, browser);
    } finally {
      await browser.close();
    }
  });
}

browserTest("two people on different workers chat, and go on after a worker is killed", async (t, browser) => {
  await using host = await startHost({ workers: 4 });
  const { hostKey } = await host.readStatus();
  const [ann, ben] = await openOnTwoWorkers(browser, `${host.url}/?room=platform`);
  const annPlace = await ann.place();
  const benPlace = await ben.place();
  const [annName, benName] = [await ann.name(), await ben.name()];
  assert.deepEqual([annPlace.host, annPlace.transport], [hostKey, "websocket"]);
  assert.deepEqual([benPlace.host, benPlace.transport], [hostKey, "websocket"]);
  assert.match(
    (await ann.badge.textContent()) ?? "",
    new RegExp(`host ${hostKey}\\s*worker ${annPlace.worker}\\s*websocket`),
  );
  await ann.takeScreenshots("desktop-empty");

  await ann.send("Is the line clear?");
  await ben.waitForMessage("Is the line clear?");
  await ben.send("All clear.");
  await ann.waitForMessage("All clear.");
  assert.equal(await ann.message("All clear.").locator(".sender").textContent(), benName);
  assert.equal(await ann.message("Is the line clear?").getAttribute("data-state"), "delivered");
  for (const person of [ann, ben]) {
    await person.waitForPeople([
      { name: annName, worker: annPlace.worker },
      { name: benName, worker: benPlace.worker },
    ]);
  }
  assert.equal(await ann.page.locator("#people li.you .person-name").textContent(), annName);
  for (const person of [ann, ben]) assert.deepEqual(person.complaints(), []);
  await ann.takeScreenshots("desktop-chat");

  const annChanges = await ann.badgeChanges();
  await killWorker(host, Number(benPlace.worker));
  await ben.waitForBadge("reconnecting");
  await ben.takeScreenshots("desktop-reconnecting");
  await ann.send("Are you still there?");
  await ben.send("Written while away");
  await ben.waitForBadge("connected");
  const changes = await ben.badgeChanges();
  const lost = changes.find(({ state }) => state === "reconnecting");
  const back = changes.find(({ state, atMs }) => state === "connected" && atMs > (lost?.atMs ?? 0));
  const awayMs = (back?.atMs ?? Number.NaN) - (lost?.atMs ?? Number.NaN);
  t.diagnostic(`the page was away for ${Math.round(awayMs)} ms`);
  assert.ok(awayMs < reconnectMs * guardFactor, `${awayMs} ms`);

  await ann.waitForMessage("Written while away");
  await ann.send("Welcome back");
  await ben.waitForMessage("Welcome back");
  await ben.send("Thank you");
  await ann.waitForMessage("Thank you");
  await ben.waitForMessage("Written while away");
  const benBack = await ben.place();
  assert.equal(benBack.host, hostKey);
  const healedFromMs = performance.now();
  for (const person of [ann, ben]) {
    await person.waitForPeople([
      { name: annName, worker: annPlace.worker },
      { name: benName, worker: benBack.worker },
    ]);
  }
  t.diagnostic(`presence was right ${Math.round(performance.now() - healedFromMs)} ms after the chat went on`);
  assert.deepEqual(await ann.badgeChanges(), annChanges, "the other page saw no break");
  assert.deepEqual(ann.complaints(), []);
  assert.deepEqual(ben.complaints({ isNetworkNoiseExpected: true }), []);
  await ben.takeScreenshots("desktop-back");
});

browserTest("a client that can only poll chats with a page", async (_t, browser) => {
  await using host = await startHost({ workers: 4 });
  const person = await Person.open(browser, `${host.url}/?room=polling`);
  const client = connectClient(host.url, { transports: ["polling"], forceNew: true });
  try {
    const answer = (await client.timeout(patienceMs).emitWithAck("join", { name: "Polly", room: "polling" })) as {
      ok: boolean;
      you: { worker: number };
    };
    assert.equal(answer.ok, true);
    await person.waitForPeople([
      { name: "Polly", worker: String(answer.you.worker) },
      { name: await person.name(), worker: (await person.place()).worker },
    ]);

    const heard = new Promise<string>((resolve) => {
      client.on("message", (message: { text: string }) => {
        if (message.text === "Hello, Polly") resolve(message.text);
      });
    });
    await client.timeout(patienceMs).emitWithAck("message", { id: "0123456789abcdef0123", text: "Hello by polling" });
    await person.waitForMessage("Hello by polling");
    await person.send("Hello, Polly");
    await person.waitForMessage("Hello, Polly");
    assert.equal(await heard, "Hello, Polly");
    assert.equal(client.io.engine.transport.name, "polling");
    assert.deepEqual(person.complaints(), []);
  } finally {
    client.disconnect();
  }
});

browserTest("the keyboard alone is enough: Tab finds the message box, Enter sends", async (_t, browser) => {
  await using host = await startHost({ workers: 2 });
  const { page, ...person } = await openFocused(browser, `${host.url}/?room=keys`);
  assert.equal(await person.focusedId(), "message", "on a wide screen one can write at once");

  // The first thing in the page that takes the focus.
  await page.locator("#scroller").focus();
  const passed = await person.tabTo("message");
  assert.ok(passed.length <= 3, `reached by ${passed.join(", ")}`);
  assert.deepEqual(await person.tabTo("send"), ["send"]);
  await page.keyboard.press("Shift+Tab");
  await page.keyboard.type("Sent by Enter");
  await page.keyboard.press("Enter");
  await person.self.waitForMessage("Sent by Enter");
  assert.equal(await page.locator("#message").inputValue(), "");
  assert.equal(await person.focusedId(), "message", "the next message can follow");

  await page.keyboard.type("first line");
  await page.keyboard.press("Shift+Enter");
  await page.keyboard.type("second line");
  await page.keyboard.press("Enter");
  await person.self.waitForMessage("first line\nsecond line");

  await person.tabTo("room");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("other");
  await page.keyboard.press("Enter");
  await page.locator("#room-title", { hasText: "# other" }).waitFor();
  assert.equal(await page.locator("#messages li.message").count(), 0);
  await page.locator("#people li.you").waitFor();
  assert.deepEqual(person.self.complaints(), []);
});

browserTest("on a phone: the people fold out, a tap sends, nothing scrolls sideways", async (_t, browser) => {
  await using host = await startHost({ workers: 2 });
  const person = await Person.open(browser, `${host.url}/?room=phone`, phone);
  const { page } = person;
  assert.equal(await page.locator("#side").isVisible(), false);
  assert.equal(await person.horizontalOverflow(), 0);
  await person.takeScreenshots("phone-empty");

  await page.locator("#people-toggle").tap();
  await page.locator("#people li.you").waitFor();
  assert.equal(await page.locator("#people-toggle").getAttribute("aria-expanded"), "true");
  assert.equal(await person.horizontalOverflow(), 0);
  // The words of the empty room have less room now; their beginning is what stays.
  assert.equal(await page.locator("#scroller").evaluate((scroller) => scroller.scrollTop), 0);
  await person.takeScreenshots("phone-people");
  await page.locator("#people-toggle").tap();
  await page.locator("#side").waitFor({ state: "hidden" });

  await page.locator("#message").fill("Sent by a tap");
  await page.locator("#send").tap();
  await person.waitForMessage("Sent by a tap");
  // Nothing in it can be broken between words.
  const long = "x".repeat(300);
  await page.locator("#message").fill(long);
  await page.locator("#send").tap();
  await person.waitForMessage(long);
  const answerer = await Person.open(browser, `${host.url}/?room=phone`);
  await answerer.send("An answer from the other window, a little longer than the phone is wide.");
  await person.waitForMessage("An answer from the other window, a little longer than the phone is wide.");
  assert.equal(await person.horizontalOverflow(), 0);
  assert.equal(await isInView(person, "#send"), true, "the send button is in view");
  await person.takeScreenshots("phone-chat");
  assert.deepEqual(person.complaints(), []);

  await killWorker(host, Number((await person.place()).worker));
  await person.waitForBadge("reconnecting");
  assert.equal(await person.horizontalOverflow(), 0);
  assert.equal(await isInView(person, "#send"), true, "the send button is in view during a break");
  await person.takeScreenshots("phone-reconnecting");
  await person.waitForBadge("connected");
  assert.equal(await person.horizontalOverflow(), 0);
  assert.deepEqual(person.complaints({ isNetworkNoiseExpected: true }), []);
});

async function isInView(person: Person, selector: string): Promise<boolean> {
  return await person.page.locator(selector).evaluate((element) => {
    const box = element.getBoundingClientRect();
    return box.top >= 0 && box.bottom <= innerHeight && box.left >= 0 && box.right <= innerWidth;
  });
}

/** A page with what is asked about its focus. */
async function openFocused(browser: Browser, url: string) {
  const self = await Person.open(browser, url);
  const { page } = self;
  const focusedId = async (): Promise<string> => await page.evaluate(() => document.activeElement?.id ?? "");
  /** Presses Tab until the element has the focus; returns what had it on the way. */
  const tabTo = async (id: string): Promise<string[]> => {
    const maxTabs = 20;
    const passed: string[] = [];
    while (passed.length < maxTabs) {
      await page.keyboard.press("Tab");
      passed.push(await focusedId());
      if (passed.at(-1) === id) return passed;
    }
    throw new Error(`${maxTabs} times Tab did not reach #${id}: ${passed.join(", ")}`);
  };
  return { self, page, focusedId, tabTo };
}
