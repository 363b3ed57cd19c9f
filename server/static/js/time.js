// Points in time as people read them: relative to now, exact (in the browser's zone) on hover and focus.

// The browser's clock may be wrong; "3 s ago" is reckoned by the server's.
const sent = Number(document.querySelector('meta[name="server-time"]')?.content);
const skew = Number.isFinite(sent) && Math.abs(sent - Date.now()) > 2000 ? sent - Date.now() : 0;

/** Now by the server's clock, in milliseconds since 1970. */
export const now = () => Date.now() + skew;

const exactFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

/** How long ago `then` (milliseconds) was, in words. */
export function ago(then) {
  const seconds = Math.max(0, Math.floor((now() - then) / 1000));
  if (seconds < 2) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

/** Brings one <time data-ago> up to date; touches the document only where something changed. */
export function refreshTime(element) {
  const time = element.dateTime;
  if (!time) return;
  const then = Date.parse(time);
  if (element.dataset.exactOf !== time) {
    element.dataset.exactOf = time;
    element.dataset.exact = exactFormat.format(then);
  }
  const text = ago(then);
  if (element.textContent !== text) element.textContent = text;
}

/** Sets the time an element shows. */
export function setTime(element, rfc3339) {
  if (!element || !rfc3339 || element.dateTime === rfc3339) return;
  element.dateTime = rfc3339;
  refreshTime(element);
}

/** Brings every time within `root` up to date. */
export function refreshTimes(root = document) {
  for (const element of root.querySelectorAll("time[data-ago]")) refreshTime(element);
}

/** Keeps all times of the page ticking while it is seen. */
export function startTicking() {
  refreshTimes();
  setInterval(() => { if (!document.hidden) refreshTimes(); }, 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) refreshTimes(); });
}
