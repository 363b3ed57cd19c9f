// Sparklines: the newest readings of a sensor as a small line, without axes; the value beside it says the rest.

const WIDTH = 120;
const HEIGHT = 28;
const POINTS = 60;

/** Keeps the newest points of every sensor of every device that is seen. */
export class Sparklines {
  #points = new Map();

  /** Adds readings ({timestamp, value}) of a sensor; older and repeated ones are put in their place or ignored. */
  add(key, readings) {
    let points = this.#points.get(key) ?? [];
    const fresh = readings.filter((r) => !points.some((p) => p.timestamp === r.timestamp));
    if (fresh.length === 0) return false;
    points = points.concat(fresh.map(({ timestamp, value }) => ({ timestamp, value })));
    points.sort((a, b) => a.timestamp - b.timestamp);
    this.#points.set(key, points.slice(-POINTS));
    return true;
  }

  /** Draws a sensor's points into `svg`. */
  draw(key, svg) {
    const points = this.#points.get(key);
    if (!points || points.length < 2) return;
    const values = points.map((p) => p.value);
    const low = Math.min(...values);
    const span = Math.max(...values) - low;
    const start = points[0].timestamp;
    const duration = points.at(-1).timestamp - start || 1;
    const path = points.map((p, i) => {
      const x = ((p.timestamp - start) / duration) * WIDTH;
      const y = span === 0 ? HEIGHT / 2 : HEIGHT - 3 - ((p.value - low) / span) * (HEIGHT - 6);
      return `${i === 0 ? "M" : "L"}${x.toFixed(1)} ${y.toFixed(1)}`;
    }).join("");
    let line = svg.firstElementChild;
    if (!line) {
      line = document.createElementNS("http://www.w3.org/2000/svg", "path");
      svg.append(line);
    }
    line.setAttribute("d", path);
  }
}
