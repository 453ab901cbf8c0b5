// What the whole photograph shows, chosen by a click or a key and saved at once.
import { ask, forPeople, Refused } from "./asking";
import { isTyping } from "./keys";
import { type Drawn, made, notice, part, type Version } from "./page";
import type { Outcome } from "./saving";

const GO_ON = "myriad-go-on";

export class Choosing {
  private readonly buttons: HTMLButtonElement[];
  private readonly goOn = part<HTMLInputElement>("#go-on");
  /** Of the newest version that this page knows. */
  private number: number;
  private busy = false;
  private wanted: HTMLButtonElement | null = null;

  constructor(
    private readonly drawn: Drawn,
    host: HTMLElement,
  ) {
    this.number = drawn.number;
    this.buttons = [...host.querySelectorAll<HTMLButtonElement>("[data-class]")];
    for (const button of this.buttons) button.addEventListener("click", () => void this.choose(button));
    this.goOn.checked = localStorage.getItem(GO_ON) !== "no";
    this.goOn.addEventListener("change", () => localStorage.setItem(GO_ON, this.goOn.checked ? "yes" : "no"));
    document.addEventListener("keydown", (event) => {
      if (document.querySelector("dialog[open]") || event.altKey || event.ctrlKey || event.metaKey || isTyping(event.target)) return;
      const button = /^[0-9]$/.test(event.key) ? this.buttons[Number(event.key)] : undefined;
      if (!button || button.disabled) return;
      event.preventDefault();
      void this.choose(button);
    });
  }

  /** What is chosen while another choice is being saved is saved after it. */
  private async choose(button: HTMLButtonElement): Promise<void> {
    this.wanted = button;
    if (this.busy) return;
    this.busy = true;
    document.body.dataset.saving = "true";
    try {
      for (let saved = true; this.wanted && saved; ) {
        const chosen = this.wanted;
        this.wanted = null;
        saved = await this.save(chosen);
        if (saved && !this.wanted) this.leave();
      }
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      notice("error", error.message, error.hint);
    } finally {
      this.wanted = null;
      this.busy = false;
      delete document.body.dataset.saving;
    }
  }

  /** Saves it; whether it is saved now. */
  private async save(button: HTMLButtonElement): Promise<boolean> {
    const item = { image: this.drawn.image, class: button.dataset.class || null, if_number: this.number };
    const { body } = await ask<{ results: Outcome[] }>(`projects/${this.drawn.project}/annotations`, { method: "POST", body: { annotations: [item] } });
    const [outcome] = body.results;
    if (outcome?.error?.code === "conflict") return this.settle();
    if (!outcome || outcome.error) {
      notice("error", outcome?.error?.message ?? "It was not saved.", forPeople(outcome?.error?.hint ?? "Try again."));
      return false;
    }
    notice("success");
    this.number = outcome.number ?? this.number;
    this.show(button);
    if (outcome.status === "CREATED") this.keep("you", button.dataset.name ?? "");
    return true;
  }

  /** Shows what somebody else saved meanwhile; nothing is saved over it unseen. */
  private async settle(): Promise<boolean> {
    const { body } = await ask<{ results: Version[] }>(`images/${this.drawn.image}/annotations?limit=1`);
    const theirs = body.results[0];
    if (!theirs) throw new Refused(409, "conflict", "The image was changed meanwhile.", "Reload the page.");
    this.number = theirs.number;
    const said = theirs.boxes[0];
    const button = this.buttons.find((one) => one.dataset.class === (said?.class ?? ""));
    if (button) this.show(button);
    const name = said?.name ?? "good part";
    this.keep(theirs.author.name, name);
    notice("warning", `${theirs.author.name} saved “${name}” meanwhile.`, "Choose again if you see it otherwise; theirs stays in the history.");
    return false;
  }

  private show(chosen: HTMLButtonElement): void {
    for (const button of this.buttons) button.setAttribute("aria-pressed", String(button === chosen));
    const state = part("#label-state");
    state.textContent = chosen.dataset.name ?? "";
    state.className = "badge badge-success badge-soft";
  }

  /** On top of the history. */
  private keep(who: string, said: string): void {
    const line = made(
      "li",
      { class: "flex items-baseline gap-2 px-2 py-1" },
      made("span", { class: "quiet w-6 tabular-nums" }, String(this.number)),
      made("span", { class: "min-w-0 flex-1 truncate" }, who),
      made("span", { class: "quiet max-w-32 truncate text-xs" }, said),
      made("span", { class: "quiet text-xs" }, "just now"),
    );
    part("#history").prepend(line);
    part("#no-history").classList.add("hidden");
  }

  private leave(): void {
    const next = part<HTMLAnchorElement>("#next");
    if (this.goOn.checked && next.href) location.assign(next.href);
  }
}
