/** Opens the demo's page in the installed Chromium, one browser context per person, and drives it as a person would. */

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from "playwright-core";
import { projectDir } from "../support/host.js";

export const chromiumPath = "/usr/bin/chromium";

/** The browser is to talk to the host under test and to nobody else. */
const launchArguments = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/** Nothing that a page does takes this long; what does has failed. */
export const patienceMs = 15_000;

/** What Chromium says when a connection breaks; no fault of the page. */
const networkNoise = /net::ERR_|WebSocket connection to|Failed to load resource/;

export interface BadgeChange {
  readonly state: string;
  readonly atMs: number;
}

declare global {
  // Filled by the script that `openPage` adds to the page.
  var badgeChanges: BadgeChange[];
}

export async function launchBrowser(): Promise<Browser> {
  return await chromium.launch({ executablePath: chromiumPath, args: launchArguments, timeout: 60_000 });
}

/** Somebody with a browser of their own. */
export class Person {
  readonly page: Page;
  readonly badge: Locator;
  /** What the page complained about: console errors and uncaught exceptions. */
  readonly #complaints: string[] = [];

  private constructor(page: Page) {
    this.page = page;
    this.badge = page.locator("#badge");
    page.setDefaultTimeout(patienceMs);
    page.on("pageerror", (error) => this.#complaints.push(`uncaught: ${error.message}`));
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type())) this.#complaints.push(message.text());
    });
  }

  /** Resolves when the page is connected over WebSocket and lists the person. */
  static async open(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Person> {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
    const page = await context.newPage();
    const person = new Person(page);
    await page.addInitScript(recordBadge);
    await page.goto(url);
    await person.waitForBadge("connected");
    await page.locator("#people li.you").waitFor({ state: "attached" });
    return person;
  }

  async name(): Promise<string> {
    return await this.page.locator("#name").inputValue();
  }

  async place(): Promise<{ host: string; worker: string; transport: string }> {
    const read = async (name: string): Promise<string> => (await this.badge.getAttribute(`data-${name}`)) ?? "";
    return { host: await read("host"), worker: await read("worker"), transport: await read("transport") };
  }

  async waitForBadge(state: "connected" | "reconnecting"): Promise<void> {
    const transport = state === "connected" ? '[data-transport="websocket"]' : "";
    await this.page.locator(`#badge[data-state="${state}"]${transport}`).waitFor();
  }

  /** Every state the badge has had, in order, by the clock of the page. */
  async badgeChanges(): Promise<BadgeChange[]> {
    return await this.page.evaluate(() => globalThis.badgeChanges);
  }

  async send(text: string): Promise<void> {
    await this.page.locator("#message").fill(text);
    await this.page.locator("#send").click();
  }

  message(text: string): Locator {
    return this.page.locator("#messages li.message").filter({ has: this.page.getByText(text, { exact: true }) });
  }

  /** Resolves when the message is shown as delivered; rejects when it is shown more than once. */
  async waitForMessage(text: string): Promise<void> {
    const item = this.message(text);
    await item.and(this.page.locator('[data-state="delivered"]')).first().waitFor();
    assert.equal(await item.count(), 1, `${JSON.stringify(text)} is shown once`);
  }

  /** Name and worker of everybody in the list, by name. */
  async people(): Promise<{ name: string; worker: string }[]> {
    const people = await this.page.locator("#people li.person").evaluateAll((items) =>
      items.map((item) => ({
        name: item.querySelector(".person-name")?.textContent ?? "",
        worker: (item as HTMLElement).dataset["worker"] ?? "",
      })),
    );
    return people.sort((a, b) => a.name.localeCompare(b.name));
  }

  /** Resolves when the list of people is this one, whatever its order. */
  async waitForPeople(expected: readonly { name: string; worker: string }[]): Promise<void> {
    const wanted = [...expected].sort((a, b) => a.name.localeCompare(b.name));
    const deadlineMs = performance.now() + patienceMs;
    for (;;) {
      const people = await this.people();
      if (JSON.stringify(people) === JSON.stringify(wanted)) return;
      if (performance.now() > deadlineMs) return assert.deepEqual(people, wanted);
      await this.page.waitForTimeout(50);
    }
  }

  /** Pixels that the page is wider than the window. */
  async horizontalOverflow(): Promise<number> {
    return await this.page.evaluate(() => (document.scrollingElement?.scrollWidth ?? 0) - innerWidth);
  }

  /** What the page complained about; without the noise of broken connections where those are part of the test. */
  complaints(options: { isNetworkNoiseExpected?: boolean } = {}): string[] {
    return this.#complaints.filter((text) => options.isNetworkNoiseExpected !== true || !networkNoise.test(text));
  }

  /** With `SCREENSHOTS=1`: pictures of the page, light and dark, in test-output/. */
  async takeScreenshots(name: string): Promise<void> {
    if (process.env["SCREENSHOTS"] !== "1") return;
    const directory = join(projectDir, "test-output");
    mkdirSync(directory, { recursive: true });
    for (const colorScheme of ["light", "dark"] as const) {
      await this.page.emulateMedia({ colorScheme });
      await this.page.screenshot({ animations: "disabled", path: join(directory, `${name}-${colorScheme}.png`) });
    }
    await this.page.emulateMedia({ colorScheme: "light" });
  }
}

/** Opens pages until two are on different workers; new sessions are spread, so a few are enough. */
export async function openOnTwoWorkers(browser: Browser, url: string): Promise<[Person, Person]> {
  const maxPages = 8;
  const first = await Person.open(browser, url);
  const { worker } = await first.place();
  for (let opened = 1; opened < maxPages; opened++) {
    const other = await Person.open(browser, url);
    if ((await other.place()).worker !== worker) return [first, other];
    await other.page.context().close();
  }
  throw new Error(`${maxPages} pages in a row were all on worker ${worker}`);
}

/** Runs in the page, before its own scripts. */
function recordBadge(): void {
  globalThis.badgeChanges = [];
  new MutationObserver((records) => {
    for (const { target } of records) {
      if (!(target instanceof HTMLElement) || target.id !== "badge") continue;
      const state = target.dataset["state"] ?? "";
      const isNew = globalThis.badgeChanges.at(-1)?.state !== state;
      if (isNew) globalThis.badgeChanges.push({ state, atMs: performance.now() });
    }
  }).observe(document, { subtree: true, attributes: true, attributeFilter: ["data-state"] });
}
