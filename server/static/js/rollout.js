// A rollout's page: shown anew by the server whenever something in it has changed.
import "./page.js";
import { follow } from "./live.js";
import { refresher } from "./refresh.js";

const id = document.getElementById("rollout").dataset.rollout;
const refresh = refresher(["rollout", "waves", "failures", "log"], { intervalMs: 1000 });

follow(`/api/v1/events?rollout=${encodeURIComponent(id)}`, { rollout: () => refresh() });
