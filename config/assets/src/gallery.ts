// The gallery: choosing several images by mouse and keyboard, and going from one to the next by arrow keys.
const form = document.querySelector<HTMLFormElement>("#gallery");

class Gallery {
  private readonly boxes: HTMLInputElement[];
  private readonly cards: HTMLAnchorElement[];
  private last: HTMLInputElement | null = null;

  constructor(private readonly form: HTMLFormElement) {
    this.boxes = [...form.querySelectorAll<HTMLInputElement>("input[name=image]")];
    this.cards = [...form.querySelectorAll<HTMLAnchorElement>("[data-card]")];
    for (const box of this.boxes) box.addEventListener("click", (event) => this.clicked(box, event.shiftKey));
    form.addEventListener("keydown", (event) => this.pressed(event));
    form.addEventListener("submit", (event) => this.submitted(event));
    form.querySelector("[data-none]")?.addEventListener("click", () => this.choose(this.boxes, false));
    this.show();
  }

  private clicked(box: HTMLInputElement, isRange: boolean): void {
    if (isRange && this.last) {
      const [from, to] = [this.boxes.indexOf(this.last), this.boxes.indexOf(box)].sort((a, b) => a - b) as [number, number];
      this.choose(this.boxes.slice(from, to + 1), box.checked);
    }
    this.last = box;
    this.show();
  }

  private pressed(event: KeyboardEvent): void {
    const at = this.cards.indexOf(document.activeElement as HTMLAnchorElement);
    if ((event.ctrlKey || event.metaKey) && event.key === "a" && this.boxes.length) {
      this.choose(this.boxes, true);
    } else if (event.ctrlKey || event.metaKey || event.altKey || at < 0) {
      return;
    } else if (event.key === "x") {
      const box = this.boxes[at];
      if (box) this.choose([box], !box.checked);
    } else if (event.key === "Escape") {
      this.choose(this.boxes, false);
    } else {
      const to = this.reached(at, event.key);
      if (to === null) return;
      this.cards[to]?.focus();
    }
    event.preventDefault();
  }

  /** Where an arrow leads from a card. */
  private reached(at: number, key: string): number | null {
    const last = this.cards.length - 1;
    const across = this.across();
    const steps: Record<string, number> = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across };
    if (key === "Home") return 0;
    if (key === "End") return last;
    const step = steps[key];
    return step === undefined ? null : Math.max(0, Math.min(last, at + step));
  }

  /** Cards in a row, as they are laid out now. */
  private across(): number {
    const top = this.cards[0]?.getBoundingClientRect().top;
    const next = this.cards.findIndex((card) => card.getBoundingClientRect().top !== top);
    return next < 1 ? this.cards.length : next;
  }

  private choose(boxes: HTMLInputElement[], isChosen: boolean): void {
    for (const box of boxes) box.checked = isChosen;
    this.show();
  }

  private chosen(): number {
    return this.boxes.filter((box) => box.checked).length;
  }

  /** What can be done, only while something is chosen to do it with. */
  private show(): void {
    const bar = this.form.querySelector<HTMLElement>("#chosen");
    if (!bar) return;
    const count = this.chosen();
    bar.hidden = count === 0;
    (bar.querySelector("[data-says]") as HTMLElement).textContent = `${counted(count)} chosen`;
    (bar.querySelector("[data-none]") as HTMLElement).hidden = count === 0;
  }

  private submitted(event: SubmitEvent): void {
    const does = event.submitter instanceof HTMLButtonElement ? event.submitter.value : "";
    if (does === "delete" && !confirm(`Delete ${counted(this.chosen())}, with what was labelled on them?`)) event.preventDefault();
  }
}

function counted(count: number): string {
  return count === 1 ? "1 image" : `${count} images`;
}

if (form) new Gallery(form);
