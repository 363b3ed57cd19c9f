// The device page: charts and values live; health, delivery and rejections from the server's page now and then.
import "./page.js";
import { SensorChart } from "./chart.js";
import { setUpCommandForm, showCommand } from "./commands.js";
import { follow } from "./live.js";
import { refresher } from "./refresh.js";
import { showDevice, showReading } from "./show.js";

const TICK_MS = 250;
const DEFAULT_SECONDS = 300;

const head = document.getElementById("device");
const id = head.dataset.device;
const ranges = document.getElementById("ranges");
const charts = new Map();
let seconds = DEFAULT_SECONDS;

const refresh = refresher(["device", "sensors", "health", "delivery", "rejected", "commands"], { intervalMs: 5000, after: setUpCharts });

/** A chart for every sensor that the page shows. */
function setUpCharts() {
  const panels = new Map([...document.querySelectorAll("#sensors [data-sensor]")].map((panel) => [panel.dataset.sensor, panel]));
  for (const [sensor, chart] of charts) {
    if (panels.get(sensor) === chart.panel) continue;
    chart.destroy();
    charts.delete(sensor);
  }
  for (const [sensor, panel] of panels) {
    if (charts.has(sensor)) continue;
    const chart = new SensorChart(panel, id);
    charts.set(sensor, chart);
    chart.show(seconds);
  }
}

function showRange(chosen) {
  seconds = chosen;
  for (const button of ranges.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.seconds) === chosen));
  }
  for (const chart of charts.values()) chart.show(chosen);
}

function setUpRanges() {
  ranges.hidden = false;
  ranges.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    showRange(Number(button.dataset.seconds));
    try {
      localStorage.setItem("range", button.dataset.seconds);
    } catch {
      // Storage is forbidden: the range lasts as long as the page.
    }
  });
  let remembered = null;
  try {
    remembered = localStorage.getItem("range");
  } catch {
    // As above.
  }
  const button = ranges.querySelector(`[data-seconds="${CSS.escape(remembered ?? "")}"]`);
  if (button) showRange(Number(remembered));
}

function onReadings(readings) {
  for (const [sensor, own] of Map.groupBy(readings, (r) => r.sensor)) {
    const chart = charts.get(sensor);
    if (!chart) {
      refresh();
      continue;
    }
    chart.add(own);
    showReading(chart.panel, own.reduce((newest, r) => (r.timestamp >= newest.timestamp ? r : newest)));
  }
}

function onDevice(device) {
  const changed = head.querySelector("[data-state]").dataset.state !== device.state;
  showDevice(head, device);
  refresh(changed);
}

setUpCommandForm();
setUpRanges();
setUpCharts();
setInterval(() => { for (const chart of charts.values()) chart.draw(); }, TICK_MS);
document.addEventListener("themechange", () => { for (const chart of charts.values()) chart.recolour(); });
follow(`/api/v1/events?device=${encodeURIComponent(id)}`, {
  readings: onReadings,
  device: onDevice,
  command: showCommand,
}, (missed) => {
  if (!missed) return;
  refresh(true);
  for (const chart of charts.values()) chart.show(seconds);
});
