// The page of one photograph: its boxes drawn, and for labelers an editor of them; or choices of what it shows.
import { ask, Refused } from "./editor/asking";
import { Choosing } from "./editor/choosing";
import { Board, type Mark } from "./editor/board";
import { editable } from "./editor/details";
import { Draft, type Shape } from "./editor/draft";
import { moved, type Rect } from "./editor/geometry";
import { Gestures } from "./editor/gestures";
import { History } from "./editor/history";
import { type Keys, listen } from "./editor/keys";
import { BoxList } from "./editor/list";
import { Overlay } from "./editor/overlay";
import { counted, type Drawn, notice, part, short, UNKNOWN, type Version } from "./editor/page";
import { Saving } from "./editor/saving";

const LAST_CLASS = "myriad-class";

class Editor {
  private readonly draft: Draft;
  private readonly board: Board;
  private readonly gestures: Gestures;
  private readonly history: History | null;
  private readonly saving: Saving;
  private readonly list: BoxList | null;
  private readonly overlay: Overlay | null;
  private onTop = false;
  private preview: { rect: Rect; box: Shape | null } | null = null;
  /** Set while we leave on purpose. */
  private leaving = false;

  constructor(
    private readonly drawn: Drawn,
    private readonly host: HTMLElement,
  ) {
    this.draft = new Draft(drawn.boxes);
    this.board = new Board(host, drawn);
    this.saving = new Saving(drawn, this.draft, (version) => this.history?.add(version));
    this.gestures = new Gestures(host, this.board, this.draft, drawn, {
      mayDraw: () => this.mayEdit(),
      onTop: () => this.onTop,
      label: () => this.label(),
      preview: (rect, box) => this.sketch(rect, box),
      hover: (point) => (part("#pointer").textContent = point ? `${Math.floor(point.x)}, ${Math.floor(point.y)}` : ""),
    });
    const isDetection = document.querySelector("#boxes") !== null;
    this.list = isDetection ? new BoxList(this.draft, drawn.classes, drawn, () => this.mayEdit()) : null;
    this.history = isDetection ? new History(() => this.render(), (version) => this.restore(version)) : null;
    const predictions = document.querySelector<HTMLDetailsElement>("#predictions");
    this.overlay = predictions ? new Overlay(predictions, drawn, () => this.render()) : null;
    this.draft.watch(() => this.render());
    this.board.watch(() => this.zoomed());
    this.wire();
    this.render();
    this.zoomed();
    this.board.show(host.dataset.address ?? "", host.dataset.stable ?? "").catch(() => notice("error", "The photograph cannot be loaded.", "Reload the page; if that does not help, the storage is away."));
  }

  private mayEdit(): boolean {
    return this.drawn.mayLabel && !this.history?.looked;
  }

  private wire(): void {
    const does = this.actions();
    for (const button of document.querySelectorAll<HTMLElement>("[data-do]")) button.addEventListener("click", does[button.dataset.do ?? ""] ?? (() => undefined));
    listen(does, this.host, (dx, dy) => this.nudge(dx, dy), (place) => this.choose(place));
    addEventListener("beforeunload", (event) => {
      if (this.draft.isChanged && !this.leaving) event.preventDefault();
    });
    const last = localStorage.getItem(`${LAST_CLASS}-${this.drawn.project}`);
    const radios = [...document.querySelectorAll<HTMLInputElement>("#classes input")];
    const radio = radios.find((one) => one.value === last) ?? radios[0];
    if (radio) radio.checked = true;
    for (const one of radios) one.addEventListener("change", () => this.stick(one.value));
  }

  private actions(): Keys {
    const edit = (act: () => unknown) => () => void (this.mayEdit() && !this.gestures.isBusy && act());
    return {
      "zoom-in": () => this.board.zoom(1.25),
      "zoom-out": () => this.board.zoom(0.8),
      fit: () => this.board.fit(),
      actual: () => this.board.zoom(1 / this.board.scale),
      undo: edit(() => this.draft.undo()),
      redo: edit(() => this.draft.redo()),
      draw: edit(() => this.toggleDraw()),
      delete: edit(() => this.draft.selected !== null && this.draft.remove(this.draft.selected)),
      leave: () => this.leave(),
      good: edit(() => this.good()),
      save: edit(() => this.save()),
      "save-next": edit(() => this.saveAndNext()),
      previous: () => part("#previous").click(),
      next: () => part("#next").click(),
      keys: () => document.querySelector<HTMLDialogElement>("#keys")?.showModal(),
    };
  }

  private label(): string | null {
    return document.querySelector<HTMLInputElement>("#classes input:checked")?.value ?? null;
  }

  /** The class of that number for new boxes, and for the selected one. */
  private choose(place: number): void {
    const radio = document.querySelectorAll<HTMLInputElement>("#classes input")[place - 1];
    if (!radio || !this.mayEdit()) return;
    radio.checked = true;
    this.stick(radio.value);
  }

  private stick(label: string): void {
    localStorage.setItem(`${LAST_CLASS}-${this.drawn.project}`, label);
    if (this.draft.selected !== null && this.mayEdit()) this.draft.change(this.draft.selected, { label });
  }

  private nudge(dx: number, dy: number): boolean {
    const box = this.draft.chosen;
    if (!box || !this.mayEdit()) return false;
    const { x, y } = moved(box, dx, dy, this.drawn);
    this.draft.change(box.id, { x, y });
    return true;
  }

  private toggleDraw(): void {
    this.onTop = !this.onTop;
    part("[data-do=draw]").setAttribute("aria-pressed", String(this.onTop));
    part("[data-do=draw]").classList.toggle("btn-active", this.onTop);
  }

  private leave(): void {
    if (this.gestures.isBusy) this.gestures.cancel();
    else if (this.history?.looked) this.history.leave();
    else this.draft.select(null);
  }

  private restore(version: Version): void {
    this.draft.replace(version.boxes.map((box) => ({ class: box.class, bbox: box.bbox })));
    notice("info", `These are the boxes of version ${version.number}.`, "Save to make them the newest version; undo brings yours back.");
  }

  private async good(): Promise<void> {
    const count = this.draft.boxes.length;
    if (count && !confirm(`Delete ${counted(count, "box", "boxes")}, and save that this part shows no defect?`)) return;
    this.draft.replace([]);
    await this.save();
  }

  private async save(): Promise<boolean> {
    if (!this.draft.isChanged && this.saving.isLabelled) return true;
    document.body.dataset.saving = "true";
    const saved = await this.saving.save();
    delete document.body.dataset.saving;
    this.render();
    return saved;
  }

  /** An image that nobody labelled is not saved as a good part by going on. */
  private async saveAndNext(): Promise<void> {
    if (this.draft.isChanged && !(await this.save())) return;
    const next = part<HTMLAnchorElement>("#next");
    if (!next.href || this.draft.isChanged) return;
    this.leaving = true;
    location.assign(next.href);
  }

  private sketch(rect: Rect | null, box: Shape | null): void {
    this.preview = rect && { rect, box };
    this.render();
  }

  private zoomed(): void {
    part("#zoom").textContent = `${short(this.board.scale * 100)} %`;
  }

  private render(): void {
    const looked = this.history?.looked;
    const boxes = looked ? looked.boxes.map(({ class: label, bbox: [x = 0, y = 0, w = 0, h = 0] }, place) => ({ id: -1 - place, label, x, y, w, h })) : this.draft.boxes;
    const selected = looked ? null : this.draft.selected;
    const sketched = boxes.map((box) => (this.preview?.box?.id === box.id ? { ...box, ...this.preview.rect } : box));
    const label = this.label();
    const fresh = this.preview && !this.preview.box && label ? [{ ...this.preview.rect, id: 0, label }] : [];
    this.board.set([...(this.overlay?.marks ?? []), ...[...sketched, ...fresh].map((box) => this.mark(box, selected))]);
    this.list?.show(sketched, selected);
    this.states();
  }

  private mark(box: Shape, selected: number | null): Mark {
    const label = this.drawn.classes.find((one) => one.id === box.label);
    const isSelected = box.id === selected;
    const { x, y, w, h } = box;
    return { ...{ x, y, w, h }, color: label?.color ?? UNKNOWN, text: label?.name ?? "", selected: isSelected, handles: isSelected && this.mayEdit() };
  }

  private states(): void {
    if (!this.drawn.mayLabel) return;
    const set = (name: string, enabled: boolean) => (part<HTMLButtonElement>(`[data-do=${name}]`).disabled = !enabled);
    set("undo", this.mayEdit() && this.draft.canUndo);
    set("redo", this.mayEdit() && this.draft.canRedo);
    set("save", this.mayEdit() && this.draft.isChanged);
    set("good", this.mayEdit());
    const state = part("#label-state");
    const count = this.draft.boxes.length;
    const words = count ? counted(count, "box", "boxes") : this.saving.isLabelled ? "Good part" : "Not labelled";
    state.textContent = this.draft.isChanged ? "Not saved yet" : words;
    state.className = `badge ${this.draft.isChanged ? "badge-warning" : this.saving.isLabelled ? "badge-success badge-soft" : "badge-ghost"}`;
  }
}

/** Reloads the page when the image it waits for is through. */
function wait(panel: HTMLElement): void {
  const look = async () => {
    try {
      const { body } = await ask<{ status: string }>(`images/${panel.dataset.image}`);
      if (body.status !== panel.dataset.status) return location.reload();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
    setTimeout(() => void look(), 2000);
  };
  if (panel.dataset.status === "ARRIVED") void look();
}

const board = document.querySelector<HTMLElement>("#board");
const drawn = JSON.parse(document.querySelector("#drawn")?.textContent ?? "{}") as Drawn;
if (board) new Editor(drawn, board);
const choices = document.querySelector<HTMLElement>("#choices");
if (choices) new Choosing(drawn, choices);
const about = document.querySelector<HTMLElement>("#about");
if (about) editable(about);
const waiting = document.querySelector<HTMLElement>("#not-ready");
if (waiting) wait(waiting);
