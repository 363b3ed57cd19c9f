// Puts a device's values into elements that the server rendered.
import { reading, thousands } from "./number.js";
import { setTime } from "./time.js";

/** Sets an element's text, where it differs. */
export function setText(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

/** Shows the device object `device` within `root`. */
export function showDevice(root, device) {
  const field = (name) => root.querySelector(`[data-field="${name}"]`);
  for (const state of root.querySelectorAll("[data-state]")) {
    if (state.dataset.state !== device.state) state.dataset.state = device.state;
  }
  for (const text of root.querySelectorAll("[data-state-text]")) setText(text, device.state);
  setTime(field("last_seen_at"), device.last_seen_at);
  setTime(field("state_changed_at"), device.state_changed_at);
  if (device.version) setText(field("version"), device.version);
  if (device.slot) setText(field("slot"), device.slot);
  if (device.anomalies_24h !== undefined) showAnomalies(field("anomalies"), device.anomalies_24h);
}

function showAnomalies(element, count) {
  if (!element || element.dataset.count === String(count)) return;
  element.dataset.count = count;
  const mark = document.createElement("span");
  mark.className = "anomaly-mark";
  mark.ariaHidden = "true";
  mark.textContent = "◆";
  element.replaceChildren(...(count > 0 ? [mark, " "] : []), thousands(count));
}

/** Shows a sensor's newest reading within its element. */
export function showReading(element, { value, timestamp, anomaly }) {
  setText(element.querySelector('[data-field="value"]'), reading(value));
  element.toggleAttribute("data-anomaly", Boolean(anomaly));
  setTime(element.querySelector('[data-field="latest_at"]'), new Date(timestamp * 1000).toISOString());
}
