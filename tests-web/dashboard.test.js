// The dashboard with three devices: what it shows is what the devices' processes do.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { assertAccessible, assertNotReloaded, launch, markPage, onPage } from "./browser.js";
import { Stack } from "./stack.js";

let stack;
let browser;

before(async () => {
  stack = await Stack.start({ devices: 3 });
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await stack?.stop();
});

const at = (path) => stack.url + path;
/** Waits until a function of the page's is true. */
const becomes = (page, condition, argument) => page.waitForFunction(condition, argument);

test("the fleet shows every device online, with values that move without a reload", () =>
  onPage(browser, at("/"), async (page) => {
    await page.locator(".card").nth(2).waitFor();
    await becomes(page, () => document.querySelectorAll('.card [data-state="online"]').length === 3);
    await markPage(page);
    const values = () => page.locator('[data-device="device-001"] [data-field="value"]').allTextContents();
    const before = (await values()).join();
    await becomes(page, (old) => [...document.querySelectorAll('[data-device="device-001"] [data-field="value"]')]
      .map((value) => value.textContent).join() !== old, before);
    await becomes(page, () => document.querySelectorAll('[data-device="device-001"] .spark path').length > 0);
    await becomes(page, () => Number(document.getElementById("rate").textContent) > 0);
    await assertNotReloaded(page);
  }));

test("a reading that a device publishes appears on its page without a reload, as does its sensor", () =>
  onPage(browser, at("/devices/device-001"), async (page) => {
    await page.locator("#sensors .panel").first().waitFor();
    await becomes(page, () => document.getElementById("live").dataset.live === "live");
    await markPage(page);
    const reading = { device_id: "device-001", sensor: "Voltage", value: 3.317, unit: "V", timestamp: Math.floor(Date.now() / 1000),
      anomaly: true, confidence: 0.95 };
    await stack.publish("device-001", "telemetry", reading);
    const panel = page.locator('[data-sensor="Voltage"]');
    await panel.getByText("3.32").first().waitFor();
    await panel.locator(".anomaly-flag").waitFor();
    await panel.locator("canvas").waitFor();
    await panel.locator(".chart-text", { hasText: "1 anomaly" }).waitFor();
    await assertNotReloaded(page);
  }));

test("a device that is stopped turns offline on both pages without a reload, and online again", async () => {
  await onPage(browser, at("/devices/device-002"), (device) => onPage(browser, at("/"), async (fleet) => {
    const online = ["#device", '.card[data-device="device-002"]'].map((root) => `${root} [data-state="online"]`);
    await device.locator(online[0]).waitFor();
    await fleet.locator(online[1]).waitFor();
    await markPage(device);
    await markPage(fleet);
    const goOn = stack.kill("microkernel-uplink", "device-002");
    try {
      await device.locator('#device [data-state="offline"]').waitFor();
      await fleet.locator('.card[data-device="device-002"] [data-state="offline"]').waitFor();
      await fleet.locator("#summary .is-bad dd", { hasText: "1" }).waitFor();
    } finally {
      goOn();
    }
    await device.locator(online[0]).waitFor();
    await fleet.locator(online[1]).waitFor();
    await assertNotReloaded(device);
    await assertNotReloaded(fleet);
  }));
});

test("a command that is sent shows the device's answer without a reload", () =>
  onPage(browser, at("/devices/device-003"), async (page) => {
    await markPage(page);
    await page.getByLabel("Command", { exact: true }).selectOption("identify");
    await page.getByRole("button", { name: "Send command" }).click();
    const row = page.locator("#commands tbody tr").first();
    await row.locator('[data-step="succeeded"]').waitFor();
    assert.equal(await row.locator('[data-field="command"]').textContent(), "identify");
    await assertNotReloaded(page);
  }));

test("a command's fields are checked, and what is wrong is said beside them", () =>
  onPage(browser, at("/devices/device-003"), async (page) => {
    await page.getByLabel("Command", { exact: true }).selectOption("set_interval");
    await page.getByLabel(/^Seconds/).fill("1000");
    await page.getByRole("button", { name: "Send command" }).click();
    await page.getByText("Enter a number of seconds from 0.001 to 100.").waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.id), "seconds");
    await page.getByLabel("Command", { exact: true }).selectOption("reboot");
    await page.getByRole("button", { name: "Send command" }).click();
    await page.getByText("Confirm that the device may restart now.").waitFor();
    await assertAccessible(page);
  }, { allowed: /status of 422/ }));

test("the fleet can be searched, filtered, sorted and seen as a table, and remembers it", () =>
  onPage(browser, at("/"), async (page) => {
    await markPage(page);
    await page.getByRole("searchbox").fill("002");
    await becomes(page, () => document.querySelectorAll("#fleet [data-device]").length === 1);
    await page.getByRole("searchbox").fill("");
    await page.getByRole("link", { name: "Table" }).click();
    await page.getByRole("columnheader", { name: "Device" }).getByRole("link").click();
    await page.locator('th[aria-sort="descending"]').waitFor();
    assert.deepEqual(await page.locator("tbody th").allTextContents(), ["device-003", "device-002", "device-001"]);
    await assertNotReloaded(page);
    await page.goto(at("/"));
    assert.deepEqual(await page.locator("tbody th").allTextContents(), ["device-003", "device-002", "device-001"]);
  }));

test("the keyboard alone leads from the top of the fleet to a device's page", () =>
  onPage(browser, at("/"), async (page) => {
    await page.keyboard.press("Tab");
    assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to the content");
    const wanted = page.getByRole("link", { name: "device-002" });
    for (let presses = 0; presses < 30; presses += 1) {
      if (await wanted.evaluate((link) => link === document.activeElement)) break;
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { level: 1, name: "device-002" }).waitFor();
    assert.equal(new URL(page.url()).pathname, "/devices/device-002");
  }));

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing on the pages in the ${colorScheme} theme`, async () => {
    for (const path of ["/?view=cards", "/?view=table", "/?q=nothing-like-it", "/devices/device-001"]) {
      await onPage(browser, at(path), async (page) => {
        await becomes(page, () => document.getElementById("live").dataset.live === "live");
        if (path.startsWith("/devices")) await page.locator("#sensors canvas").first().waitFor();
        await assertAccessible(page);
      }, { colorScheme });
    }
  });
}

test("on a phone nothing is wider than the screen", async () => {
  for (const path of ["/?view=cards", "/?view=table", "/devices/device-001"]) {
    await onPage(browser, at(path), async (page) => {
      await becomes(page, () => document.getElementById("live").dataset.live === "live");
      if (path.startsWith("/devices")) await page.locator("#sensors canvas").first().waitFor();
      const excess = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(excess <= 0, `${path} is ${excess} px too wide`);
    }, { viewport: { width: 360, height: 740 } });
  }
});

test("without scripts the fleet can be searched and a command can be sent", () =>
  onPage(browser, at("/?q=001"), async (page) => {
    assert.equal(await page.locator("#fleet [data-device]").count(), 1);
    await page.getByRole("link", { name: "device-001" }).click();
    await page.getByLabel("Command", { exact: true }).selectOption("reboot");
    await page.getByRole("button", { name: "Send command" }).click();
    await page.getByText("Confirm that the device may restart now.").waitFor();
    await page.getByLabel("Command", { exact: true }).selectOption("identify");
    await page.getByRole("button", { name: "Send command" }).click();
    await page.locator("#commands tbody tr", { hasText: "identify" }).first().waitFor();
  }, { javaScriptEnabled: false, allowed: /status of 422/ }));

test("the theme that was chosen is kept", () =>
  onPage(browser, at("/"), async (page) => {
    const button = page.getByRole("button", { name: /^Theme/ });
    await button.click();
    await button.click();
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const dark = await background();
    await page.reload();
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
    assert.equal(await background(), dark);
  }));

test("what is not there is a page that says so", () =>
  onPage(browser, at("/devices/no-such-device"), async (page) => {
    await page.getByRole("heading", { name: "No such device" }).waitFor();
    await assertAccessible(page);
    assert.equal((await page.request.get(at("/devices/no-such-device"))).status(), 404);
    assert.equal((await page.request.get(at("/nothing"))).status(), 404);
  }, { allowed: /status of 404/ }));

test("while the server is away the page says that updates are paused, and goes on by itself", () =>
  onPage(browser, at("/devices/device-001"), async (page) => {
    await becomes(page, () => document.getElementById("live").dataset.live === "live");
    await markPage(page);
    const goOn = stack.kill("microkernel-server");
    try {
      await page.getByText("Updates paused").waitFor();
    } finally {
      goOn();
    }
    page.setDefaultTimeout(60_000);
    await becomes(page, () => document.getElementById("live").dataset.live === "live");
    await becomes(page, () => document.getElementById("banner").textContent === "");
    await assertNotReloaded(page);
  }, { allowed: /ERR_|Failed to load resource/ }));
