// The event stream: reconnects by itself, says so when it is away, and rests while nobody sees the page (a browser
// grants few connections to one server, and tabs are left open).
import { hideProblem, showProblem } from "./banner.js";

const RETRY_MS = 3000;
/** A short break is not worth a message. */
const PATIENCE_MS = 1500;

const LABELS = { live: "Live", wait: "Connecting", rest: "Paused" };

/** Follows `url`; `handlers` is by event name, each gets the parsed data. `opened` runs at each (re)connection,
 *  with true when events may have been missed. */
export function follow(url, handlers, opened = () => {}) {
  const indicator = document.getElementById("live");
  let source = null;
  let timer = null;
  let complaint = null;
  let connected = false;

  function say(state) {
    indicator.hidden = false;
    indicator.dataset.live = state;
    indicator.textContent = LABELS[state];
  }

  function complain() {
    say("wait");
    complaint ??= setTimeout(() => {
      showProblem("live", "Updates paused: the connection to the server is lost. Reconnecting…");
    }, PATIENCE_MS);
  }

  function contented() {
    clearTimeout(complaint);
    complaint = null;
    hideProblem("live");
  }

  function open() {
    clearTimeout(timer);
    source?.close();
    source = new EventSource(url);
    source.onopen = () => {
      contented();
      say("live");
      opened(connected);
      connected = true;
    };
    source.onerror = () => {
      complain();
      // A refusal (the server or its database is away) ends an EventSource for good.
      if (source.readyState === EventSource.CLOSED) timer = setTimeout(open, RETRY_MS);
    };
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => handle(JSON.parse(event.data)));
    }
  }

  function rest() {
    clearTimeout(timer);
    source?.close();
    contented();
    say("rest");
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? rest() : open()));
  // A page that the browser leaves and restores comes back without its connection.
  window.addEventListener("pagehide", rest);
  window.addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  if (document.hidden) rest();
  else {
    say("wait");
    open();
  }
}
