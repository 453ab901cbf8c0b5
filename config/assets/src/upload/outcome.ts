// What became of the files: figures, and each that came to nothing with its reason and its remedy.
import type { Trouble } from "./conversation";
import type { Chosen, Outcomes } from "./pipeline";

// Lines of the table; the gallery lists all that failed.
const MOST_LINES = 100;

export class Outcome implements Outcomes {
  private chosen = 0;
  private readonly problems = new Map<string, { name: string; trouble: Trouble }>();
  private readonly sentOnes = new Set<string>();
  private readonly readyOnes = new Set<string>();
  private readonly there = new Set<string>();

  constructor(private readonly panel: HTMLElement) {}

  begin(files: Chosen[]): void {
    this.chosen = files.length;
    for (const kept of [this.problems, this.sentOnes, this.readyOnes, this.there]) kept.clear();
    this.show(false);
  }

  /** Some are tried again. */
  again(files: Chosen[]): void {
    for (const file of files) this.problems.delete(file.id);
    this.show(false);
  }

  sent(file: Chosen): void {
    this.sentOnes.add(file.id);
    this.show(false);
  }

  ready(file: Chosen): void {
    this.readyOnes.add(file.id);
    this.show(false);
  }

  duplicate(file: Chosen): void {
    this.there.add(file.id);
    this.show(false);
  }

  failed(file: { id: string; name?: string | null }, trouble: Trouble): void {
    this.problems.set(file.id, { name: file.name ?? "", trouble });
    this.show(false);
  }

  end(): void {
    this.show(true);
  }

  canceled(): void {
    this.show(true);
    this.part("[data-title]").textContent = "Canceled";
  }

  private show(isOver: boolean): void {
    this.panel.hidden = false;
    const taken = this.readyOnes.size + this.there.size;
    const title = !isOver ? "Sending" : this.problems.size ? "Done, but not all files were taken" : "Done";
    this.part("[data-title]").textContent = title;
    const checking = [...this.sentOnes].filter((id) => !this.readyOnes.has(id) && !this.problems.has(id)).length;
    this.figures([
      [this.readyOnes.size, "taken in", "text-success"],
      [this.there.size, "here already, not sent again", "text-info"],
      [this.problems.size, "not taken", "text-error"],
      [checking, "being checked", ""],
      [isOver ? 0 : Math.max(0, this.chosen - taken - this.problems.size - checking), "to send", ""],
    ]);
    this.table();
    this.part("[data-next]").hidden = !isOver || !taken;
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
    this.part("[data-more]").textContent = `And ${lines.length - MOST_LINES} more.`;
  }

  private part(selector: string): HTMLElement {
    return this.panel.querySelector<HTMLElement>(selector) as HTMLElement;
  }
}
