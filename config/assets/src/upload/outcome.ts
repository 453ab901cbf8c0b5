// What became of the files: figures, and each that came to nothing with its reason and its remedy.
import type { Trouble } from "./conversation";
import type { Chosen, Outcomes } from "./pipeline";

// Lines of the table; the gallery lists all that failed.
const MOST_LINES = 100;

type Phase = "choosing" | "sending" | "over" | "canceled";

export class Outcome implements Outcomes {
  private chosen = 0;
  private phase: Phase = "choosing";
  private readonly problems = new Map<string, { name: string; trouble: Trouble }>();
  private readonly sentOnes = new Set<string>();
  private readonly readyOnes = new Set<string>();
  private readonly there = new Set<string>();

  constructor(private readonly panel: HTMLElement) {}

  begin(files: Chosen[]): void {
    // What was refused while it was chosen is part of the story; an earlier upload is not.
    if (this.phase !== "choosing") this.problems.clear();
    for (const kept of [this.sentOnes, this.readyOnes, this.there]) kept.clear();
    this.chosen = files.length + this.problems.size;
    this.enter("sending");
  }

  /** Some are tried again. */
  again(files: Chosen[]): void {
    for (const file of files) this.problems.delete(file.id);
    for (const file of files) this.sentOnes.delete(file.id);
    this.enter("sending");
  }

  sent(file: Chosen): void {
    this.sentOnes.add(file.id);
    this.show();
  }

  ready(file: Chosen): void {
    this.readyOnes.add(file.id);
    this.show();
  }

  duplicate(file: Chosen): void {
    this.there.add(file.id);
    this.show();
  }

  failed(file: Chosen, trouble: Trouble): void {
    this.problems.set(file.id, { name: file.name, trouble });
    this.show();
  }

  /** A file did not even get into the choice. */
  refused(name: string, trouble: Trouble): void {
    if (this.phase !== "choosing" && this.phase !== "sending") {
      this.problems.clear();
      this.phase = "choosing";
    }
    this.problems.set(`refused ${name}`, { name, trouble });
    if (this.phase === "sending") this.chosen += 1;
    this.show();
  }

  enter(phase: Phase): void {
    this.phase = phase;
    this.show();
  }

  private title(): string {
    if (this.phase === "sending") return "Sending";
    if (this.phase === "canceled") return "Canceled";
    if (this.phase === "choosing") return "Not taken";
    return this.problems.size ? "Done, but not all files were taken" : "Done";
  }

  private show(): void {
    this.panel.hidden = false;
    this.part("[data-title]").textContent = this.title();
    const isOver = this.phase !== "sending";
    const taken = this.readyOnes.size + this.there.size;
    const checking = [...this.sentOnes].filter((id) => !this.readyOnes.has(id) && !this.problems.has(id)).length;
    this.figures([
      [this.readyOnes.size, "taken in", "text-success"],
      [this.there.size, "here already, not sent again", "text-info"],
      [this.problems.size, "not taken", "text-error"],
      [checking, "being checked", ""],
      [isOver ? 0 : Math.max(0, this.chosen - taken - this.problems.size - checking), "to send", ""],
    ]);
    this.table();
    this.part("[data-next]").hidden = this.phase === "sending" || !taken;
  }

  private figures(figures: [number, string, string][]): void {
    const shown = figures.filter(([count]) => count > 0).map(([count, words, css]) => {
      const line = document.createElement("span");
      const figure = document.createElement("span");
      figure.className = `figure text-lg ${css}`;
      figure.textContent = String(count);
      line.append(figure, ` ${words}`);
      return line;
    });
    this.part("[data-figures]").replaceChildren(...shown);
  }

  private table(): void {
    const lines = [...this.problems.values()];
    this.part("[data-problems]").hidden = !lines.length;
    this.part("[data-problems] tbody").replaceChildren(...lines.slice(0, MOST_LINES).map(({ name, trouble }) => {
      const row = document.createElement("tr");
      for (const text of [name, trouble.message, trouble.hint]) {
        const cell = document.createElement("td");
        cell.className = "break-words align-top";
        cell.textContent = text;
        row.append(cell);
      }
      return row;
    }));
    this.part("[data-more]").hidden = lines.length <= MOST_LINES;
    this.part("[data-more]").textContent = lines.length > MOST_LINES ? `And ${lines.length - MOST_LINES} more.` : "";
  }

  private part(selector: string): HTMLElement {
    return this.panel.querySelector<HTMLElement>(selector) as HTMLElement;
  }
}
