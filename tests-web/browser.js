// Debian's Chromium, quiet, and pages that remember what went wrong on them.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/** How long something may take to appear on a page. */
const WITHIN_MS = 20_000;

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

/** Starts a browser with a profile of its own; CHROMIUM names another program than Debian's. */
export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: FLAGS });
}

/** Opens `url` in a context of its own and gives it to `use`. Afterwards nothing may have gone wrong on the page but
 *  what `allowed` (a RegExp) matches, and no request may have left for another server. */
export async function onPage(browser, url, use, { allowed = null, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  context.setDefaultTimeout(WITHIN_MS);
  const page = await context.newPage();
  const complaints = [];
  const elsewhere = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`${message.text()} (${message.location().url})`);
  });
  page.on("pageerror", (error) => complaints.push(error.stack));
  const own = new URL(url).origin;
  context.on("request", (request) => {
    if (new URL(request.url()).origin !== own) elsewhere.push(request.url());
  });
  try {
    await page.goto(url);
    await use(page);
    assert.deepEqual(complaints.filter((text) => !allowed?.test(text)), [], "the console is quiet");
    assert.deepEqual(elsewhere, [], "no request leaves for another server");
  } finally {
    await context.close();
  }
}

/** A mark that does not survive a reload. */
export async function markPage(page) {
  await page.evaluate(() => { window.neverReloaded = true; });
}

/** Fails if the page was loaded anew since `markPage`. */
export async function assertNotReloaded(page) {
  assert.equal(await page.evaluate(() => window.neverReloaded), true, "the page was not reloaded");
}

/** Fails where axe finds a violation of WCAG 2.2 A or AA or of its best practices. */
export async function assertAccessible(page) {
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => window.axe.run(document, {
    runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
  }));
  const found = violations.map((v) => `${v.id}: ${v.help}\n  ${v.nodes.map((n) => n.html).join("\n  ")}`);
  assert.deepEqual(found, []);
}
