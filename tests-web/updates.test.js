// Releases, rollouts and a device's updates: bundles that rauc has signed, devices that are simulated up to their HTTPS.
import assert from "node:assert/strict";
import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { assertAccessible, assertNotReloaded, launch, markPage, onPage } from "./browser.js";
import { Signer } from "./bundles.js";
import { Devices } from "./ddi.js";
import { Stack } from "./stack.js";

const DEVICES = 20;
const STEP_MS = 150;
/** Why a device is back on its old slot, as the update agent tells it. */
const ROLLED_BACK = ["rolled back to slot A: slot B did not become healthy in 3 attempts", "health check sensor: no reading within 30 s"];

let stack;
let browser;
let signer;
let devices;

before(async () => {
  stack = await Stack.start({ devices: 0 });
  browser = await launch();
  signer = await Signer.create(join(stack.folder, "signer"));
  const keyring = join(stack.folder, "server/bundles/keyring.pem");
  mkdirSync(dirname(keyring), { recursive: true });
  copyFileSync(signer.keyring, keyring);
  // The first wave of four is well; of the others every third is not.
  devices = await Devices.create(stack, DEVICES, (number) => (number >= 4 && number % 3 === 0 ? ROLLED_BACK : null));
});

after(async () => {
  await browser?.close();
  await stack?.stop();
});

const at = (path) => stack.url + path;
const count = (page, step) => page.locator(`.grid .cell[data-step="${step}"]`).count();

test("a page without releases and one without rollouts say what comes first", async () => {
  await onPage(browser, at("/releases"), async (page) => {
    await page.getByText("No releases yet").waitFor();
    await assertAccessible(page);
  });
  await onPage(browser, at("/rollouts"), async (page) => {
    await page.getByText("No rollouts yet").waitFor();
    await page.getByRole("link", { name: "upload a release" }).click();
    await page.getByRole("heading", { level: 1, name: "Releases" }).waitFor();
  });
});

test("what is no bundle is refused with the reason, and a signed one becomes a release without a reload", () =>
  onPage(browser, at("/releases"), async (page) => {
    await markPage(page);
    const wrong = join(stack.folder, "wrong.raucb");
    writeFileSync(wrong, "no bundle at all");
    await page.getByLabel(/Signed RAUC bundle/).setInputFiles(wrong);
    await page.getByRole("button", { name: "Upload and verify" }).click();
    await page.getByRole("alert").getByText("the bundle is refused").waitFor();
    await assertAccessible(page);
    await page.getByLabel(/Signed RAUC bundle/).setInputFiles(await signer.bundle("1.0.1"));
    await page.getByRole("button", { name: "Upload and verify" }).click();
    await page.getByRole("status").getByText("Version 1.0.1 is ready").waitFor();
    await page.locator("#releases tbody tr", { hasText: "O = Test, CN = signer" }).waitFor();
    assert.equal(await page.getByRole("alert").isVisible(), false, "the complaint about the other file is gone");
    await assertNotReloaded(page);
  }, { allowed: /status of 422/ }));

test("a device gets tags by which it is found and rolled out to", () =>
  onPage(browser, at("/devices/bench-001"), async (page) => {
    await page.getByText("Change the tags").click();
    await page.getByLabel(/^Tags/).fill("pilot -wrong");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByText('"-wrong" is no tag').waitFor();
    await page.getByLabel(/^Tags/).fill("pilot, bench");
    await page.getByRole("button", { name: "Save" }).click();
    await page.getByRole("link", { name: "pilot" }).click();
    await page.locator("#fleet [data-device]").first().waitFor();
    assert.equal(await page.locator("#fleet [data-device]").count(), 1);
  }, { allowed: /status of 422/ }));

test("a rollout's grid advances as the devices do, is held and goes on, and halts with the reason", async () => {
  await onPage(browser, at("/rollouts"), async (page) => {
    await page.getByLabel("Name").fill("1.0.1 for the bench");
    await page.getByLabel(/^Waves/).fill("4, 100 % 90/15");
    await page.getByLabel("Devices at once, at most").fill("3");
    await page.getByRole("button", { name: "Start the rollout" }).click();
    await page.getByRole("heading", { level: 1, name: "1.0.1 for the bench" }).waitFor();
    await page.waitForFunction(() => document.getElementById("live").dataset.live === "live");
    await markPage(page);
    await page.locator('.grid .cell[data-step="offered"]').nth(2).waitFor();
    assert.equal(await count(page, "scheduled"), DEVICES - 3);

    await page.getByRole("button", { name: "Pause" }).click();
    await page.locator('.device-title [data-step="paused"]').waitFor();
    await page.waitForFunction(() => document.getElementById("live").dataset.live === "live");
    await markPage(page);
    // What is in flight goes on to its end; nothing takes its place.
    for (const step of ["downloading", "installing", "rebooting", "succeeded"]) {
      await devices.step();
      await page.locator(`.grid .cell[data-step="${step}"]`).nth(2).waitFor();
    }
    await devices.step();
    assert.deepEqual([await count(page, "offered"), await count(page, "scheduled")], [0, DEVICES - 3]);
    await assertNotReloaded(page);

    await page.getByRole("button", { name: "Resume" }).click();
    await page.locator('.device-title [data-step="running"]').waitFor();
    await page.waitForFunction(() => document.getElementById("live").dataset.live === "live");
    await markPage(page);
    const stop = devices.run(STEP_MS);
    try {
      page.setDefaultTimeout(90_000);
      await page.getByText("Halted by itself").waitFor();
    } finally {
      await stop();
    }
    await page.locator(".reason", { hasText: /wave 2: \d of 16 devices failed, which reaches its error threshold of 15 %/ }).waitFor();
    await page.locator("#failures tbody tr", { hasText: "slot B did not become healthy" }).first().waitFor();
    assert.ok(await count(page, "scheduled") > 0, "devices were spared");
    await page.getByRole("button", { name: "Resume, and accept the failures" }).waitFor();
    await page.getByRole("button", { name: "Try the failed devices again" }).waitFor();
    await assertNotReloaded(page);
    await assertAccessible(page);
  });
});

test("a device's timeline tells each step with its time, and why it is back on its old slot", () =>
  onPage(browser, at("/rollouts/1"), async (page) => {
    await page.locator("#failures tbody th a").first().click();
    const update = page.locator(".update").first();
    await update.locator(".reason", { hasText: "slot B did not become healthy in 3 attempts" }).waitFor();
    await update.locator(".timeline", { hasText: "health check sensor: no reading within 30 s" }).waitFor();
    const steps = await update.locator(".timeline [data-step]").evaluateAll((all) => all.map((step) => step.dataset.step));
    assert.deepEqual(steps, ["rolled_back", "rebooting", "installing", "downloading", "offered", "scheduled"]);
    assert.equal(await update.locator(".timeline time[datetime]").count(), steps.length);
    await assertAccessible(page);
  }));

for (const colorScheme of ["light", "dark"]) {
  test(`axe finds nothing on the pages of updates in the ${colorScheme} theme`, async () => {
    for (const path of ["/releases", "/rollouts", "/rollouts/1", "/devices/bench-001"]) {
      await onPage(browser, at(path), assertAccessible, { colorScheme });
    }
  });
}

test("on a phone no page of updates is wider than the screen", async () => {
  for (const path of ["/releases", "/rollouts", "/rollouts/1", "/devices/bench-001"]) {
    await onPage(browser, at(path), async (page) => {
      const excess = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert.ok(excess <= 0, `${path} is ${excess} px too wide`);
    }, { viewport: { width: 360, height: 740 } });
  }
});
