// One sensor's chart: history from the server, then live; the time axis ends now and moves on.
/* global uPlot */
import { reading } from "./number.js";
import { Series } from "./series.js";
import { now } from "./time.js";

const BUCKETS = 600;
const HEIGHT = 200;
const AXIS_WIDTH = 62;
const TIMEOUT_MS = 15000;
/** How often a chart is drawn at most, in milliseconds. */
const FRAME_MS = matchMedia("(prefers-reduced-motion: reduce)").matches ? 5000 : 500;
const RANGE_NAMES = { 300: "5 minutes", 3600: "hour", 86400: "24 hours" };

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const clockSeconds = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

let charts = 0;

function color(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Indices of points without a neighbour: a line can't show them. */
function lonely(column) {
  return [...column.keys()].filter((i) => column[i] != null && column[i - 1] == null && column[i + 1] == null);
}

export class SensorChart {
  #plot = null;
  #columns = null;
  #drawnAt = 0;
  #dirty = true;
  #request = null;

  /** `panel` is the sensor's section of the page. */
  constructor(panel, deviceId) {
    this.panel = panel;
    this.deviceId = deviceId;
    this.sensor = panel.dataset.sensor;
    this.box = panel.querySelector(".chart");
    this.text = panel.querySelector(".chart-text");
    this.box.setAttribute("role", "img");
    this.box.setAttribute("aria-label", `Chart of ${this.sensor}`);
    this.text.id = `chart-text-${(charts += 1)}`;
    this.box.setAttribute("aria-describedby", this.text.id);
    this.readout = document.createElement("p");
    this.readout.className = "readout";
    this.readout.ariaHidden = "true";
    this.resizes = new ResizeObserver(([entry]) => {
      const width = Math.floor(entry.contentRect.width);
      if (this.#plot && width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height: HEIGHT });
    });
    this.resizes.observe(this.box);
  }

  /** Shows the last `seconds`; also what to call when events may have been missed. */
  async show(seconds) {
    this.#request?.abort();
    this.#request = new AbortController();
    const signal = AbortSignal.any([this.#request.signal, AbortSignal.timeout(TIMEOUT_MS)]);
    if (seconds !== this.seconds) this.text.textContent = "Loading…";
    this.seconds = seconds;
    // Live readings that come before the history are kept in the new series and join it.
    this.series = new Series(seconds / BUCKETS);
    const to = now() / 1000;
    const query = new URLSearchParams({ sensor: this.sensor, from: to - seconds, to: to + 5, buckets: BUCKETS });
    try {
      const response = await fetch(`/api/v1/devices/${encodeURIComponent(this.deviceId)}/series?${query}`, { signal });
      if (!response.ok) throw new Error((await response.json()).detail ?? response.statusText);
      this.series.load((await response.json()).buckets);
      this.problem = null;
    } catch (error) {
      if (error.name === "AbortError") return;
      this.problem = "The history could not be loaded; the chart shows what has come since.";
    }
    this.#dirty = true;
    this.draw(true);
  }

  /** Takes live readings in. */
  add(readings) {
    for (const one of readings) this.series?.add(one);
    this.#dirty = true;
  }

  /** Draws, unless nothing would look different. */
  draw(atOnce = false) {
    if (!this.series || document.hidden) return;
    const step = Math.max(FRAME_MS, (this.seconds / (this.#plot?.width ?? BUCKETS)) * 1000);
    const age = performance.now() - this.#drawnAt;
    if (!atOnce && age < (this.#dirty ? FRAME_MS : step)) return;
    this.#drawnAt = performance.now();
    const end = now() / 1000;
    if (this.#dirty || atOnce) {
      this.series.forgetBefore(end - this.seconds * 1.02);
      this.#columns = this.series.columns();
      this.#describe();
      this.#dirty = false;
    }
    const { times, mean, min, max } = this.#columns;
    this.#plot ??= this.#create();
    this.#plot.batch(() => {
      this.#plot.setData([times, mean, min, max], false);
      this.#plot.setScale("x", { min: end - this.seconds, max: end });
    });
  }

  /** Takes over the theme's colours. */
  recolour() {
    this.#plot?.destroy();
    this.#plot = null;
    this.draw(true);
  }

  /** Ends the chart. */
  destroy() {
    this.#request?.abort();
    this.resizes.disconnect();
    this.#plot?.destroy();
  }

  #describe() {
    const summary = this.series.summary();
    const unit = this.panel.dataset.unit ? ` ${this.panel.dataset.unit}` : "";
    const range = `Last ${RANGE_NAMES[this.seconds]}`;
    const several = (count, name) => (count === 1 ? `1 ${name}` : `${count} ${name}s`);
    const text = summary
      ? `${range}: lowest ${reading(summary.min)}${unit}, highest ${reading(summary.max)}${unit}, `
        + `${summary.anomalies === 1 ? "1 anomaly" : `${summary.anomalies || "no"} anomalies`}`
        + `${this.#columns.gaps ? `, ${several(this.#columns.gaps, "gap")}` : ""}.`
      : `${range}: no readings.`;
    this.text.textContent = this.problem ? `${text} ${this.problem}` : text;
  }

  #create() {
    const [line, band, grid, label, anomaly] = ["line", "band", "grid", "label", "anomaly"].map((n) => color(`--chart-${n}`));
    const axis = {
      stroke: label,
      font: "12px system-ui, sans-serif",
      grid: { stroke: grid, width: 1 },
      ticks: { stroke: grid, width: 1, size: 4 },
    };
    const hidden = { stroke: "transparent", points: { show: false } };
    const plot = new uPlot({
      width: Math.floor(this.box.clientWidth) || 300,
      height: HEIGHT,
      padding: [22, 28, 0, 0],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { size: 7, stroke: line, fill: line }, sync: { key: "device" } },
      scales: { x: { time: true }, y: { range: yRange } },
      axes: [
        { ...axis, size: 30, space: 80, values: (_, ticks) => ticks.map((t) => (this.seconds > 300 ? clock : clockSeconds).format(t * 1000)) },
        { ...axis, size: AXIS_WIDTH, space: 34, values: (_, ticks) => ticks.map((t) => t.toLocaleString("en", { maximumSignificantDigits: 6 })) },
      ],
      series: [
        {},
        { stroke: line, width: 1.75, points: { show: true, size: 5, fill: line, filter: (u, i) => lonely(u.data[i]) } },
        hidden,
        hidden,
      ],
      bands: [{ series: [3, 2], fill: band }],
      hooks: {
        draw: [(u) => this.#drawMarks(u, anomaly)],
        setCursor: [(u) => this.#read(u)],
      },
    }, [[], [], [], []], this.box);
    this.box.append(this.readout);
    return plot;
  }

  /** Anomalies: diamonds, so that the shape says it as well as the colour. */
  #drawMarks(u, fill) {
    const size = 5 * devicePixelRatio;
    u.ctx.save();
    u.ctx.beginPath();
    u.ctx.rect(u.bbox.left, u.bbox.top - size, u.bbox.width, u.bbox.height + 2 * size);
    u.ctx.clip();
    u.ctx.fillStyle = fill;
    for (const [time, value] of this.#columns.marks) {
      const x = u.valToPos(time, "x", true);
      const y = u.valToPos(value, "y", true);
      u.ctx.beginPath();
      u.ctx.moveTo(x, y - size);
      u.ctx.lineTo(x + size, y);
      u.ctx.lineTo(x, y + size);
      u.ctx.lineTo(x - size, y);
      u.ctx.fill();
    }
    u.ctx.restore();
  }

  #read(u) {
    const i = u.cursor.idx;
    const value = i == null ? null : u.data[1][i];
    this.readout.textContent = value == null
      ? ""
      : `${clockSeconds.format(u.data[0][i] * 1000)}  ${reading(value)} ${this.panel.dataset.unit}`;
  }
}

/** Some air above and below; a constant gets a scale around it rather than a magnified nothing. */
function yRange(_, min, max) {
  if (min == null) return [0, 1];
  const span = Math.max(max - min, Math.abs(max) * 0.002, 1e-9);
  const middle = (min + max) / 2;
  return [middle - span * 0.6, middle + span * 0.6];
}
