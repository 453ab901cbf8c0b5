// What the labeler has drawn so far: boxes, which one is selected, what can be undone, and whether it is saved.
import type { Rect } from "./geometry";

/** A box of a class. `id` is this page's own. */
export interface Shape extends Rect {
  readonly id: number;
  readonly label: string;
}
/** As the API writes it. */
export interface SentBox {
  class: string;
  bbox: number[];
}

const MOST_UNDO = 200;

export class Draft {
  boxes: readonly Shape[] = [];
  selected: number | null = null;
  private saved: readonly Shape[] = [];
  private past: (readonly Shape[])[] = [];
  private future: (readonly Shape[])[] = [];
  private last = 0;
  private readonly watchers: (() => void)[] = [];

  constructor(boxes: readonly SentBox[]) {
    this.boxes = this.saved = this.received(boxes);
  }

  /** Calls `watcher` after every change. */
  watch(watcher: () => void): void {
    this.watchers.push(watcher);
  }

  get isChanged(): boolean {
    return this.boxes !== this.saved && !sameBoxes(this.boxes, this.saved);
  }
  get canUndo(): boolean {
    return this.past.length > 0;
  }
  get canRedo(): boolean {
    return this.future.length > 0;
  }
  get chosen(): Shape | null {
    return this.boxes.find((box) => box.id === this.selected) ?? null;
  }

  select(id: number | null): void {
    this.selected = id;
    this.tell();
  }

  add(rect: Rect, label: string): Shape {
    const box = { ...rect, id: ++this.last, label };
    this.selected = box.id;
    this.become([...this.boxes, box]);
    return box;
  }

  change(id: number, changes: Partial<Rect & { label: string }>): void {
    this.become(this.boxes.map((box) => (box.id === id ? { ...box, ...changes } : box)));
  }

  remove(id: number): void {
    const place = this.boxes.findIndex((box) => box.id === id);
    if (place < 0) return;
    const left = this.boxes.filter((box) => box.id !== id);
    if (this.selected === id) this.selected = left[Math.min(place, left.length - 1)]?.id ?? null;
    this.become(left);
  }

  /** Other boxes instead of these; can be undone. */
  replace(boxes: readonly SentBox[]): void {
    this.selected = null;
    this.become(this.received(boxes));
  }

  undo(): void {
    this.step(this.past, this.future);
  }

  redo(): void {
    this.step(this.future, this.past);
  }

  /** What the server has now. */
  keep(boxes: readonly Shape[]): void {
    this.saved = boxes;
    this.tell();
  }

  /** Each box as it came, unless it was touched. */
  sent(): SentBox[] {
    return this.boxes.map((box) => ({ class: box.label, bbox: [box.x, box.y, box.w, box.h] }));
  }

  private received(boxes: readonly SentBox[]): Shape[] {
    return boxes.map(({ class: label, bbox: [x = 0, y = 0, w = 0, h = 0] }) => ({ id: ++this.last, label, x, y, w, h }));
  }

  private become(boxes: readonly Shape[]): void {
    if (sameBoxes(boxes, this.boxes)) return this.tell();
    this.past.push(this.boxes);
    if (this.past.length > MOST_UNDO) this.past.shift();
    this.future = [];
    this.boxes = boxes;
    this.tell();
  }

  private step(from: (readonly Shape[])[], to: (readonly Shape[])[]): void {
    const boxes = from.pop();
    if (!boxes) return;
    to.push(this.boxes);
    this.boxes = boxes;
    if (!this.chosen) this.selected = null;
    this.tell();
  }

  private tell(): void {
    for (const watcher of this.watchers) watcher();
  }
}

/** Whether both say the same, in whatever order, to the last digit: what the server calls UNCHANGED. */
export function sameBoxes(one: readonly Shape[], other: readonly Shape[]): boolean {
  const words = (boxes: readonly Shape[]) => boxes.map((box) => [box.label, box.x, box.y, box.w, box.h].join(" ")).sort();
  if (one.length !== other.length) return false;
  const others = words(other);
  return words(one).every((word, place) => word === others[place]);
}
