// The boxes in words, beside the canvas: selected, typed and deleted by keyboard.
import type { Draft, Shape } from "./draft";
import { type Rect, type Size, typed } from "./geometry";
import { type Label, made, part, short, swatch, UNKNOWN } from "./page";

const SIDES: readonly [keyof Rect, string][] = [["x", "x"], ["y", "y"], ["w", "width"], ["h", "height"]];

export class BoxList {
  private readonly host = part("#boxes");
  private readonly count = part("#box-count");
  private readonly none = part("#no-boxes");
  /** What the rows were made of; while it stays, only their figures change. */
  private made = "";

  constructor(
    private readonly draft: Draft,
    private readonly classes: readonly Label[],
    private readonly size: Size,
    private readonly mayEdit: () => boolean,
  ) {
    this.host.addEventListener("click", (event) => this.click(event));
    this.host.addEventListener("change", (event) => this.change(event));
    this.host.addEventListener("keydown", (event) => this.key(event));
  }

  /** Shows these boxes. */
  show(boxes: readonly Shape[], selected: number | null): void {
    const key = JSON.stringify([boxes.map((box) => [box.id, box.label]), selected, this.mayEdit()]);
    if (key !== this.made) this.build(boxes, selected);
    else for (const box of boxes) this.figures(box);
    this.made = key;
    this.count.textContent = String(boxes.length);
    this.none.classList.toggle("hidden", boxes.length > 0);
  }

  private build(boxes: readonly Shape[], selected: number | null): void {
    const held = this.host.contains(document.activeElement) ? (document.activeElement as HTMLElement).dataset.keeps : undefined;
    this.host.replaceChildren(...boxes.map((box, place) => this.row(box, place, box.id === selected)));
    const row = this.host.querySelector<HTMLElement>("[aria-current=true]");
    row?.scrollIntoView({ block: "nearest" });
    if (held) (row ?? this.host).querySelector<HTMLElement>(`[data-keeps="${held}"]`)?.focus();
  }

  private row(box: Shape, place: number, isSelected: boolean): HTMLLIElement {
    const label = this.label(box);
    const name = made("span", { class: "min-w-0 flex-1 truncate text-left" }, label.name);
    if (label.deleted) name.append(made("span", { class: "text-warning" }, " (deleted class)"));
    const select = made(
      "button",
      { type: "button", class: "flex min-w-0 flex-1 items-center gap-2 rounded px-2 py-1", "data-select": "", "data-keeps": "select", "aria-pressed": String(isSelected) },
      swatch(label.color),
      made("span", { class: "quiet tabular-nums" }, String(place + 1)),
      name,
      made("span", { class: "quiet text-xs tabular-nums", "data-figures": "" }, figures(box)),
    );
    const row = made("li", { class: "rounded text-sm", "data-box": String(box.id) }, made("div", { class: "flex items-center" }, select));
    if (isSelected) {
      row.setAttribute("aria-current", "true");
      row.classList.add("bg-base-200");
    }
    if (this.mayEdit()) {
      const about = { type: "button", class: "btn btn-ghost btn-square btn-xs", "data-delete": "", "data-keeps": "delete" };
      row.firstElementChild?.append(made("button", { ...about, title: "Delete (Del)", "aria-label": `Delete box ${place + 1}, ${label.name}` }, "×"));
      if (isSelected) row.append(this.fields(box));
    }
    return row;
  }

  private fields(box: Shape): HTMLElement {
    const select = made("select", { class: "select select-xs col-span-4 w-full", "data-class": "", "data-keeps": "class", "aria-label": "Class" });
    for (const label of this.classes) {
      if (label.deleted && label.id !== box.label) continue;
      const option = made("option", { value: label.id }, label.deleted ? `${label.name} (deleted)` : label.name);
      option.selected = label.id === box.label;
      select.append(option);
    }
    const inputs = SIDES.map(([side, name]) => {
      const field = { type: "number", step: "any", class: "input input-xs w-full tabular-nums", "data-side": side, "data-keeps": side };
      return made("label", { class: "min-w-0" }, made("span", { class: "quiet text-xs" }, name), made("input", { ...field, value: String(box[side]) }));
    });
    return made("div", { class: "grid grid-cols-4 gap-1.5 px-2 pb-2" }, select, ...inputs);
  }

  private figures(box: Shape): void {
    const row = this.host.querySelector<HTMLElement>(`[data-box="${box.id}"]`);
    if (!row) return;
    part("[data-figures]", row).textContent = figures(box);
    for (const [side] of SIDES) {
      const input = row.querySelector<HTMLInputElement>(`[data-side=${side}]`);
      if (input && Number(input.value) !== box[side]) input.value = String(box[side]);
    }
  }

  private click(event: Event): void {
    const target = event.target as HTMLElement;
    const id = this.idOf(target);
    if (id === null) return;
    if (target.closest("[data-delete]")) this.draft.remove(id);
    else if (target.closest("[data-select]")) this.draft.select(this.draft.selected === id ? null : id);
  }

  private change(event: Event): void {
    const field = event.target as HTMLInputElement | HTMLSelectElement;
    const id = this.idOf(field);
    const box = this.draft.boxes.find((one) => one.id === id);
    if (!box) return;
    if ("class" in field.dataset) return this.draft.change(box.id, { label: field.value });
    const side = field.dataset.side as keyof Rect | undefined;
    const value = Number(field.value);
    if (!side) return;
    if (field.value.trim() === "" || !Number.isFinite(value)) field.value = String(box[side]);
    else {
      const { x, y, w, h } = typed(box, side, value, this.size);
      this.draft.change(box.id, { x, y, w, h });
      field.value = String({ x, y, w, h }[side]);
    }
  }

  private key(event: KeyboardEvent): void {
    const target = event.target as HTMLElement;
    if (event.key === "Delete" && target.tagName === "BUTTON") {
      const id = this.idOf(target);
      if (id !== null && this.mayEdit()) this.draft.remove(id);
      event.stopPropagation();
    }
  }

  private idOf(element: HTMLElement): number | null {
    const row = element.closest<HTMLElement>("[data-box]");
    return row ? Number(row.dataset.box) : null;
  }

  private label(box: Shape): Label {
    return this.classes.find((label) => label.id === box.label) ?? { id: box.label, name: "unknown class", color: UNKNOWN, deleted: true };
  }
}

function figures(box: Rect): string {
  return `${short(box.x)}, ${short(box.y)} · ${short(box.w)} × ${short(box.h)}`;
}
