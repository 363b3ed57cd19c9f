// The line below the page's head that says what keeps it from being up to date.

const banner = document.getElementById("banner");
const problems = new Map();

function show() {
  const text = [...problems.values()].join(" ");
  if (banner.textContent !== text) banner.textContent = text;
}

/** Shows `text` until the problem of that name is gone. */
export function showProblem(name, text) {
  problems.set(name, text);
  show();
}

/** The problem of that name is gone. */
export function hideProblem(name) {
  if (problems.delete(name)) show();
}
