// The fleet page: events patch what is shown; what can't be patched (another state's counts, a new device or sensor,
// another order) comes from the server's own page.
import "./page.js";
import { follow } from "./live.js";
import { RateMeter } from "./rate.js";
import { refresher } from "./refresh.js";
import { setText, showDevice, showReading } from "./show.js";
import { Sparklines } from "./sparkline.js";
import { now } from "./time.js";

const RECONCILE_MS = 15000;
const HISTORY_SECONDS = 900;
const HISTORY_READINGS = 240;
const HISTORY_REQUESTS = 4;

const sparklines = new Sparklines();
const rate = new RateMeter();
const pending = new Map();
let frame = null;

const refresh = refresher(["summary", "toolbar", "fleet"], { intervalMs: 2000, after: drawAll });

function sensorsOf(element) {
  return [...element.querySelectorAll("[data-sensor]")].map((item) => [item.dataset.sensor, item]);
}

function drawAll() {
  for (const card of document.querySelectorAll(".card[data-device]")) {
    for (const [name, item] of sensorsOf(card)) {
      sparklines.draw(`${card.dataset.device}\n${name}`, item.querySelector(".spark"));
    }
    seen.observe(card);
  }
}

function show(device, element) {
  if (element.querySelector("[data-state]").dataset.state !== device.state) refresh(true);
  showDevice(element, device);
  const items = new Map(sensorsOf(element));
  for (const sensor of device.sensors) {
    const item = items.get(sensor.name);
    if (!item) refresh();
    if (!item || !sensor.latest) continue;
    showReading(item, sensor.latest);
    const svg = item.querySelector(".spark");
    const key = `${device.id}\n${sensor.name}`;
    if (svg && sparklines.add(key, [sensor.latest])) sparklines.draw(key, svg);
  }
}

function showPending() {
  frame = null;
  for (const element of document.querySelectorAll("[data-device]")) {
    const device = pending.get(element.dataset.device);
    if (device) show(device, element);
  }
  pending.clear();
}

// The state each device had when last heard of, also of those on other pages.
const states = new Map();

function onDevice(device) {
  rate.count(device);
  const changed = device.state_changed_at && now() - Date.parse(device.state_changed_at) < 5000;
  const before = states.get(device.id);
  states.set(device.id, device.state);
  if (before === undefined ? changed : before !== device.state) refresh();
  pending.set(device.id, device);
  // Not requestAnimationFrame alone: a burst of events from many devices is shown at once.
  frame ??= setTimeout(() => requestAnimationFrame(showPending), 100);
}

// History for the sparklines: only for cards that come into view, a few requests at a time.
const waiting = [];
let requests = 0;

async function loadHistory(card) {
  const id = card.dataset.device;
  const from = Math.floor(now() / 1000) - HISTORY_SECONDS;
  try {
    const response = await fetch(`/api/v1/devices/${encodeURIComponent(id)}/telemetry?from=${from}&limit=${HISTORY_READINGS}`);
    if (!response.ok) return;
    const { readings } = await response.json();
    for (const [name, item] of sensorsOf(card)) {
      const key = `${id}\n${name}`;
      if (sparklines.add(key, readings.filter((r) => r.sensor === name))) sparklines.draw(key, item.querySelector(".spark"));
    }
  } catch {
    // The sparkline begins with what comes live.
  }
}

async function work() {
  if (requests >= HISTORY_REQUESTS) return;
  requests += 1;
  while (waiting.length > 0) await loadHistory(waiting.shift());
  requests -= 1;
}

const loaded = new Set();
const seen = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) {
    if (!isIntersecting || loaded.has(target.dataset.device)) continue;
    loaded.add(target.dataset.device);
    waiting.push(target);
    work();
  }
}, { rootMargin: "400px" });

// Links that only change what is shown of the fleet do so in place.
function go(url) {
  history.replaceState(null, "", url);
  refresh(true);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("#toolbar a, #fleet thead a, #fleet .pages a");
  if (!link || event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  go(link.href);
});

const search = document.querySelector(".search");
let typing = null;
function find() {
  clearTimeout(typing);
  const query = new URLSearchParams(new FormData(search));
  for (const [name, value] of new URL(location.href).searchParams) {
    if (name === "view" || name === "order") query.set(name, value);
  }
  if (!query.get("q")) query.delete("q");
  go(`/?${query}`);
}
search.addEventListener("submit", (event) => {
  event.preventDefault();
  find();
});
search.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(find, 250);
});

setInterval(() => setText(document.getElementById("rate"), rate.text()), 1000);
setInterval(() => { if (!document.hidden) refresh(); }, RECONCILE_MS);
drawAll();
follow("/api/v1/events", { device: onDevice }, (missed) => { if (missed) refresh(true); });
