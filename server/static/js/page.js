// What every page has: the theme button, times that keep ticking, buttons that copy.
import { startTicking } from "./time.js";

const THEMES = ["system", "light", "dark"];

function setUpTheme() {
  const button = document.getElementById("theme-toggle");
  const label = button.querySelector(".theme-label");
  const show = () => {
    const theme = document.documentElement.dataset.theme ?? "system";
    label.textContent = `Theme: ${theme}`;
  };
  button.addEventListener("click", () => {
    const root = document.documentElement;
    const next = THEMES[(THEMES.indexOf(root.dataset.theme ?? "system") + 1) % THEMES.length];
    if (next === "system") delete root.dataset.theme;
    else root.dataset.theme = next;
    try {
      localStorage.setItem("theme", next);
    } catch {
      // Storage is forbidden: the choice lasts as long as the page.
    }
    show();
    document.dispatchEvent(new Event("themechange"));
  });
  show();
  button.hidden = false;
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    document.dispatchEvent(new Event("themechange"));
  });
}

function setUpCopying() {
  if (!navigator.clipboard) return;
  for (const button of document.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
  }
}

setUpTheme();
setUpCopying();
startTicking();
