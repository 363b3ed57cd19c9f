// The scripts' pure parts, in the browser that runs them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { launch } from "./browser.js";

const SCRIPTS = fileURLToPath(new URL("../server/static/js/", import.meta.url));

let browser;
let page;

before(async () => {
  browser = await launch();
  page = await browser.newPage();
  await page.route("http://scripts.invalid/**", (route) => {
    const { pathname } = new URL(route.request().url());
    return pathname === "/" ? route.fulfill({ contentType: "text/html", body: "<!doctype html>" }) : route.fulfill({ path: SCRIPTS + pathname });
  });
  await page.goto("http://scripts.invalid/");
});

after(() => browser?.close());

/** What `use` makes of a script's exports and `given` is `expected`. */
async function withModule(name, use, { expected, ...given }) {
  const module = await page.evaluateHandle((path) => import(path), `/${name}`);
  assert.deepEqual(await module.evaluate(use, given), expected);
}

test("a pause much longer than the usual distance breaks the line", () =>
  withModule("series.js", ({ Series }, { times }) => {
    const series = new Series(0.5);
    for (const timestamp of times) series.add({ timestamp, value: timestamp, anomaly: false });
    return series.columns().mean;
  }, { times: [1, 2, 3, 4, 5, 20, 21, 22, 23], expected: [1, 2, 3, 4, 5, null, 20, 21, 22, 23] }));

test("a sensor that is set to another interval goes on as a line", () =>
  withModule("series.js", ({ Series }, { times }) => {
    const series = new Series(0.5);
    for (const timestamp of times) series.add({ timestamp, value: 1, anomaly: false });
    return series.columns().gaps;
  }, { times: [1, 2, 3, 4, 5, 6, 7, 17, 27, 37, 47, 57, 67], expected: 0 }));

test("late and repeated readings join their bucket", () =>
  withModule("series.js", ({ Series }) => {
    const series = new Series(10);
    series.load([[100, 5, 4, 6, 2, null], [110, 7, 7, 7, 1, 7]]);
    series.add({ timestamp: 118, value: 9, anomaly: false });
    series.add({ timestamp: 101, value: 2, anomaly: true });
    const { times, mean, min, max, marks } = series.columns();
    return { times, mean, min, max, marks };
  }, { expected: { times: [100, 110], mean: [4, 8], min: [2, 7], max: [6, 9], marks: [[100, 2], [110, 7]] } }));

test("numbers are written as the server writes them", () =>
  withModule("number.js", ({ reading }, { values }) => values.map(reading), {
    values: [23.456, 23.5, 0, 1013.27, 0.005123, -12, 1234567.8],
    expected: ["23.46", "23.50", "0", "1,013.3", "0.00512", "-12", "1,234,568"],
  }));
