// A sensor's readings over a range of time, in buckets; where readings are rarer than buckets, each has its own.
// Nothing here knows of the page.

/** A distance this many times the usual one around it is a gap. */
const GAP_FACTOR = 3;
/** How many distances on each side are "around". */
const NEIGHBOURS = 5;

function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1];
}

/** Whether the readings pause after point `i` of the ascending `times`: the distance to the next point is much longer
 *  than the distances around it. So a sensor that is set to another interval doesn't fall apart into dots. */
export function isGap(times, i, bucketSeconds) {
  const distances = [];
  for (let k = Math.max(0, i - NEIGHBOURS); k < Math.min(times.length - 1, i + NEIGHBOURS + 1); k += 1) {
    if (k !== i) distances.push(times[k + 1] - times[k]);
  }
  if (distances.length === 0) return false;
  return times[i + 1] - times[i] > GAP_FACTOR * Math.max(median(distances), bucketSeconds);
}

/** Buckets in ascending time: {slot, time, sum, count, min, max, anomaly}; `time` is that of the first reading, `anomaly`
 *  the value of one that is an anomaly, or null. */
export class Series {
  #buckets = [];

  constructor(bucketSeconds) {
    this.bucketSeconds = bucketSeconds;
  }

  get isEmpty() {
    return this.#buckets.length === 0;
  }

  /** Takes history over from the server: [time, mean, min, max, count, anomaly] for each bucket. */
  load(rows) {
    for (const [time, mean, min, max, count, anomaly] of rows) {
      this.#put({ slot: this.#slot(time), time, sum: mean * count, count, min, max, anomaly });
    }
  }

  /** Adds one reading. */
  add({ timestamp, value, anomaly }) {
    this.#put({ slot: this.#slot(timestamp), time: timestamp, sum: value, count: 1, min: value, max: value, anomaly: anomaly ? value : null });
  }

  /** Forgets what is before `time`. */
  forgetBefore(time) {
    const keep = this.#buckets.findIndex((bucket) => bucket.time >= time);
    if (keep > 0) this.#buckets.splice(0, keep);
  }

  /** Parallel columns for a chart, with a null where the line breaks: {times, mean, min, max, marks, gaps}; `marks` are
   *  the anomalies as [time, value]. */
  columns() {
    const buckets = this.#buckets;
    const all = buckets.map((bucket) => bucket.time);
    const [times, mean, min, max, marks] = [[], [], [], [], []];
    let gaps = 0;
    buckets.forEach((bucket, i) => {
      times.push(bucket.time);
      mean.push(bucket.sum / bucket.count);
      min.push(bucket.min);
      max.push(bucket.max);
      if (bucket.anomaly !== null) marks.push([bucket.time, bucket.anomaly]);
      if (i + 1 < buckets.length && isGap(all, i, this.bucketSeconds)) {
        gaps += 1;
        times.push((bucket.time + all[i + 1]) / 2);
        for (const column of [mean, min, max]) column.push(null);
      }
    });
    return { times, mean, min, max, marks, gaps };
  }

  /** The least, greatest and newest value and the number of anomalous buckets, or null without readings. */
  summary() {
    if (this.isEmpty) return null;
    const newest = this.#buckets.at(-1);
    return {
      min: Math.min(...this.#buckets.map((b) => b.min)),
      max: Math.max(...this.#buckets.map((b) => b.max)),
      latest: newest.sum / newest.count,
      anomalies: this.#buckets.filter((b) => b.anomaly !== null).length,
    };
  }

  #slot(time) {
    return Math.floor(time / this.bucketSeconds);
  }

  #put(bucket) {
    const buckets = this.#buckets;
    let at = buckets.length;
    while (at > 0 && buckets[at - 1].slot > bucket.slot) at -= 1;
    const same = at > 0 && buckets[at - 1].slot === bucket.slot ? buckets[at - 1] : null;
    if (!same) {
      buckets.splice(at, 0, bucket);
      return;
    }
    same.time = Math.min(same.time, bucket.time);
    same.sum += bucket.sum;
    same.count += bucket.count;
    same.min = Math.min(same.min, bucket.min);
    same.max = Math.max(same.max, bucket.max);
    same.anomaly ??= bucket.anomaly;
  }
}
