// The command form and the list of what was sent.
import { setText } from "./show.js";
import { setTime } from "./time.js";

const TIMEOUT_MS = 15000;

/** Text as text, anything else as JSON; the same as the template's `detail`. */
function detailText(detail) {
  if (detail === null || detail === undefined) return "";
  if (typeof detail === "string") return detail;
  if (typeof detail === "object" && Object.keys(detail).length === 0) return "";
  return JSON.stringify(detail);
}

/** Shows a command object in the list: a new row on top, or its row's new state. */
export function showCommand(command) {
  const list = document.getElementById("commands");
  let row = list.querySelector(`[data-command="${CSS.escape(command.id)}"]`);
  if (!row) {
    row = document.getElementById("command-row").content.firstElementChild.cloneNode(true);
    row.dataset.command = command.id;
    row.dataset.key = command.id;
    list.querySelector("tbody").prepend(row);
    list.querySelector("table").hidden = false;
    list.querySelector("[data-none]").hidden = true;
  }
  // The answer to the form and the event stream race.
  if (row.dataset.updated > command.updated_at) return;
  row.dataset.updated = command.updated_at;
  const field = (name) => row.querySelector(`[data-field="${name}"]`);
  setText(field("command"), command.command);
  setText(field("payload"), detailText(command.payload));
  setText(field("state"), command.state);
  field("state").dataset.step = command.state;
  setText(field("detail"), detailText(command.detail));
  setTime(field("created_at"), command.created_at);
}

/** Makes the form show only what its command needs, and send without leaving the page. */
export function setUpCommandForm() {
  const form = document.getElementById("command-form");
  const command = form.elements.command;

  function showFields() {
    for (const fieldset of form.querySelectorAll("[data-for]")) {
      const applies = fieldset.dataset.for === command.value;
      fieldset.hidden = !applies;
      fieldset.disabled = !applies;
    }
  }

  function showErrors(errors, failure = "") {
    for (const line of form.querySelectorAll("[data-error]")) {
      const text = errors[line.dataset.error] ?? "";
      setText(line, text);
      line.hidden = !text;
      const input = form.elements[line.dataset.error];
      if (text) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    }
    const line = document.getElementById("form-error");
    setText(line, failure);
    line.hidden = !failure;
    form.querySelector("[aria-invalid]")?.focus();
  }

  async function send() {
    const response = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers: { accept: "application/json" },
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    const answer = await response.json();
    if (response.ok) {
      showErrors({});
      showCommand(answer);
      form.elements.confirm.checked = false;
    } else {
      showErrors(answer.errors ?? {}, answer.errors ? "" : answer.detail ?? "The command could not be sent.");
    }
  }

  command.addEventListener("change", () => {
    showFields();
    showErrors({});
  });
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      await send();
    } catch {
      showErrors({}, "The server can't be reached: the command was not sent. Try again when the page is live.");
    } finally {
      button.disabled = false;
      if (!form.querySelector("[aria-invalid]")) button.focus();
    }
  });
  form.classList.add("one-command");
  showFields();
}
