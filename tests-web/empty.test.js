// A server without devices: a newcomer does what the page says, and the page shows the device.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { assertAccessible, launch, onPage } from "./browser.js";
import { run } from "./process.js";
import { Stack } from "./stack.js";

let stack;
let browser;

before(async () => {
  stack = await Stack.start({ devices: 0 });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await stack?.stop();
});

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing on the page without devices in the ${colorScheme} theme`, () =>
    onPage(browser, stack.url, assertAccessible, { colorScheme }));
}

test("on a phone the page without devices is not wider than the screen", () =>
  onPage(browser, stack.url, async (page) => {
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth));
  }, { viewport: { width: 360, height: 740 } }));

test("what the page tells a newcomer to type brings the first device onto it", () =>
  onPage(browser, stack.url, async (page) => {
    await page.getByRole("heading", { name: "No devices yet" }).waitFor();
    const folder = join(stack.folder, "newcomer");
    mkdirSync(folder);
    for (const snippet of ["issue", "publish"]) {
      await run("sh", ["-ec", await page.locator(`#${snippet}`).textContent()], { cwd: folder });
    }
    await page.getByRole("link", { name: "my-device" }).waitFor();
    await page.locator('[data-sensor="Temperature"]', { hasText: "23.50" }).waitFor();
  }));
