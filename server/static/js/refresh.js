// Fetches the page that is shown once more and merges parts of it in.
import { hideProblem, showProblem } from "./banner.js";
import { morph } from "./morph.js";
import { refreshTimes } from "./time.js";

const TIMEOUT_MS = 10000;

/** A function that refreshes the elements with these ids from `url()`, at most once every `intervalMs`; calls in
 *  between are put together. `after` runs when the page is up to date. Calling it with true does it without delay. */
export function refresher(ids, { url = () => location.href, intervalMs = 2000, after = () => {} } = {}) {
  let timer = null;
  let running = false;
  let again = false;
  let last = -Infinity;

  async function run() {
    timer = null;
    running = true;
    last = performance.now();
    try {
      const response = await fetch(url(), { signal: AbortSignal.timeout(TIMEOUT_MS), headers: { accept: "text/html" } });
      if (response.status === 503) showProblem("database", "The server's database is away. Values may be old; nothing is lost, and this page goes on by itself.");
      if (!response.ok) throw new Error(`the server answered ${response.status}`);
      hideProblem("database");
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      // A page that became another kind of page (no devices left, the device is gone) is loaded as a whole.
      if (ids.some((id) => !page.getElementById(id))) return location.reload();
      for (const id of ids) morph(document.getElementById(id), page.getElementById(id));
      refreshTimes();
      after();
    } catch {
      again = true;
    } finally {
      running = false;
      if (again) {
        again = false;
        refresh();
      }
    }
  }

  function refresh(atOnce = false) {
    if (running) {
      again = true;
      return;
    }
    if (timer !== null && !atOnce) return;
    clearTimeout(timer);
    timer = setTimeout(run, atOnce ? 0 : Math.max(0, last + intervalMs - performance.now()));
  }
  return refresh;
}
