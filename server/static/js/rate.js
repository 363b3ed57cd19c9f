// Readings a second over the whole fleet, from the counters that come with every device event.

const WINDOW_MS = 10000;
const LEAST_MS = 2000;

/** Measures how fast the devices' counters of readings grow. */
export class RateMeter {
  #totals = new Map();
  #arrivals = [];
  #started = performance.now();

  /** Takes note of a device object. */
  count(device) {
    const total = device.sensors.reduce((sum, sensor) => sum + sensor.readings, 0);
    const before = this.#totals.get(device.id);
    this.#totals.set(device.id, total);
    if (before !== undefined && total > before) this.#arrivals.push([performance.now(), total - before]);
  }

  /** The rate over the last ten seconds, as text. */
  text() {
    const now = performance.now();
    this.#arrivals = this.#arrivals.filter(([at]) => now - at < WINDOW_MS);
    const window = Math.min(WINDOW_MS, now - this.#started);
    if (window < LEAST_MS) return "–";
    const rate = this.#arrivals.reduce((sum, [, count]) => sum + count, 0) / (window / 1000);
    return rate.toLocaleString("en", { maximumFractionDigits: rate < 100 ? 1 : 0 });
  }
}
