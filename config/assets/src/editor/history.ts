// Versions of the annotation: listed, and looked at without changing anything.
import { ask, Refused } from "./asking";
import { counted, made, notice, part, type Version } from "./page";

export class History {
  /** The version that is looked at; null: the draft. */
  looked: Version | null = null;
  private readonly host = part("#history");
  private readonly banner = part("#looking-back");

  constructor(
    private readonly changed: () => void,
    restore: (version: Version) => void,
  ) {
    this.host.addEventListener("click", (event) => {
      const button = (event.target as HTMLElement).closest<HTMLElement>("[data-version]");
      if (button) void this.look(button.dataset.version ?? "");
    });
    part("[data-back]", this.banner).addEventListener("click", () => this.leave());
    this.banner.querySelector("[data-restore]")?.addEventListener("click", () => {
      const version = this.looked;
      this.leave();
      if (version) restore(version);
    });
  }

  /** Back to what is drawn now. */
  leave(): void {
    if (!this.looked) return;
    this.looked = null;
    this.tell();
  }

  /** A version that was just saved, by whomever, on top of the list. */
  add(version: Version): void {
    if (this.host.querySelector(`[data-version="${version.id}"]`)) return;
    const said = version.boxes.length ? counted(version.boxes.length, "box", "boxes") : "good part";
    const button = made(
      "button",
      { type: "button", class: "hover:bg-base-200 aria-pressed:bg-base-200 flex w-full items-baseline gap-2 rounded px-2 py-1 text-left", "data-version": version.id, "aria-pressed": "false" },
      made("span", { class: "quiet w-6 tabular-nums" }, String(version.number)),
      made("span", { class: "min-w-0 flex-1 truncate" }, version.author.name),
      made("span", { class: "quiet text-xs" }, said),
      made("time", { class: "quiet text-xs", datetime: version.created_at }, "just now"),
    );
    this.host.prepend(made("li", {}, button));
    part("#no-history").classList.add("hidden");
  }

  private async look(id: string): Promise<void> {
    if (this.looked?.id === id) return this.leave();
    try {
      this.looked = (await ask<Version>(`annotations/${id}`)).body;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      return notice("error", error.message, error.hint);
    }
    this.tell();
  }

  private tell(): void {
    const version = this.looked;
    for (const button of this.host.querySelectorAll<HTMLElement>("[data-version]"))
      button.setAttribute("aria-pressed", String(button.dataset.version === version?.id));
    this.banner.classList.toggle("hidden", !version);
    this.banner.classList.toggle("flex", !!version);
    if (version) {
      const when = new Date(version.created_at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
      part("[data-says]", this.banner).textContent = `Version ${version.number} by ${version.author.name}, ${when}. It cannot be changed.`;
    }
    this.changed();
  }
}
