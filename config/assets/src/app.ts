// Loaded by every page: htmx, the theme switch, confirmations, thumbnails whose address ran out.
import htmx from "htmx.org";

const THEME = "myriad-theme";

/** Shows the chosen theme; without a choice the system's stands. */
function showTheme(theme: string | null): void {
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

function isDark(): boolean {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest("[data-theme-switch]")) {
    const theme = isDark() ? "light" : "dark";
    localStorage.setItem(THEME, theme);
    showTheme(theme);
  }
  const copy = target?.closest<HTMLElement>("[data-copy]");
  if (copy) {
    const source = document.querySelector<HTMLElement>(copy.dataset.copy ?? "");
    void navigator.clipboard?.writeText(source?.textContent?.trim() ?? "");
    copy.dataset.copied = "true";
  }
  const opens = target?.closest<HTMLElement>("[data-dialog]");
  if (opens) document.querySelector<HTMLDialogElement>(opens.dataset.dialog ?? "")?.showModal();
});
document.addEventListener("submit", (event) => {
  const question = (event.target as HTMLElement).dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});
document.addEventListener("change", (event) => {
  const field = event.target as HTMLInputElement;
  if ("submitOnChange" in field.dataset) field.form?.requestSubmit();
});
// A page that stays open outlives the addresses of its pictures; the stable address makes new ones.
const renew = (picture: EventTarget | null) => {
  if (picture instanceof HTMLImageElement && picture.dataset.stable) {
    const stable = picture.dataset.stable;
    delete picture.dataset.stable;
    picture.src = stable;
  }
};
document.addEventListener("error", (event) => renew(event.target), true);
// Some may have failed before this script ran.
document.querySelectorAll<HTMLImageElement>("img[data-stable]").forEach((picture) => {
  if (picture.complete && picture.currentSrc && picture.naturalWidth === 0) renew(picture);
});
// A form that was refused stands in its dialog again.
document.querySelector<HTMLDialogElement>("dialog[data-reopen]")?.showModal();
htmx.config.includeIndicatorStyles = false;
htmx.config.allowEval = false;
htmx.config.selfRequestsOnly = true;
htmx.config.historyCacheSize = 0;
