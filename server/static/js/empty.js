// The page without devices: loads anew when the first one reports.
import "./page.js";
import { follow } from "./live.js";

const RECONCILE_MS = 5000;

async function look() {
  const response = await fetch("/api/v1/devices");
  if (response.ok && (await response.json()).devices.length > 0) location.reload();
}

follow("/api/v1/events", { device: () => location.reload() }, look);
setInterval(() => { if (!document.hidden) look().catch(() => {}); }, RECONCILE_MS);
