// The photograph on a canvas, with boxes over it, at any zoom. Draws what it is given and knows no gestures.
import Konva from "konva/lib/Core";
import { Image as KonvaImage } from "konva/lib/shapes/Image";
import type { Context } from "konva/lib/Context";
import { clamp, handlePoint, handlesOf, type Point, type Rect, type Size } from "./geometry";

/** A box to draw. Dashed ones are predictions. */
export interface Mark extends Rect {
  color: string;
  text: string;
  dashed?: boolean;
  selected?: boolean;
  /** With handles to pull at. */
  handles?: boolean;
}

const HANDLE = 8; // screen pixels, also below
const MOST_ZOOM = 32;
const TEXT = 12;
/** From here on a pixel of the photograph is a square. */
const PIXELATED = 3;

export class Board {
  private readonly stage: Konva.Stage;
  private readonly picture = new Konva.Layer({ listening: false });
  private readonly marks = new Konva.Layer({ listening: false });
  private shown: readonly Mark[] = [];
  private fitted = true;
  private readonly watchers: (() => void)[] = [];

  constructor(
    private readonly host: HTMLElement,
    private readonly size: Size,
  ) {
    host.replaceChildren();
    this.stage = new Konva.Stage({ container: made(host), width: host.clientWidth, height: host.clientHeight, listening: false });
    this.marks.add(new Konva.Shape({ listening: false, perfectDrawEnabled: false, sceneFunc: (context) => this.draw(context) }));
    this.stage.add(this.picture, this.marks);
    this.fit();
    new ResizeObserver(() => this.resize()).observe(host);
  }

  /** Loads the photograph; from `stable` when its address ran out. */
  show(address: string, stable: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const image = new window.Image();
      image.onload = () => {
        this.picture.add(new KonvaImage({ image, width: this.size.width, height: this.size.height, listening: false }));
        resolve();
      };
      image.onerror = () => {
        if (image.dataset.tried) return reject(new Error("the photograph cannot be loaded"));
        image.dataset.tried = "true";
        image.src = stable;
      };
      image.src = address;
    });
  }

  set(marks: readonly Mark[]): void {
    this.shown = marks;
    this.marks.batchDraw();
  }

  /** Calls `watcher` after every zoom. */
  watch(watcher: () => void): void {
    this.watchers.push(watcher);
  }

  /** Screen pixels a pixel of the photograph. */
  get scale(): number {
    return this.stage.scaleX();
  }

  /** Where a place on the screen lies in the photograph. */
  at(event: { clientX: number; clientY: number }): Point {
    const frame = this.host.getBoundingClientRect();
    const { x, y } = this.stage.position();
    return { x: (event.clientX - frame.left - x) / this.scale, y: (event.clientY - frame.top - y) / this.scale };
  }

  fit(): void {
    const scale = this.fitting();
    this.place(scale, {
      x: (this.stage.width() - this.size.width * scale) / 2,
      y: (this.stage.height() - this.size.height * scale) / 2,
    });
    this.fitted = true;
  }

  /** So many times larger, with the place under `around` (the middle of the window unless told) staying there. */
  zoom(factor: number, around?: { clientX: number; clientY: number }): void {
    const frame = this.host.getBoundingClientRect();
    const center = around ?? { clientX: frame.left + frame.width / 2, clientY: frame.top + frame.height / 2 };
    const fixed = this.at(center);
    const scale = clamp(this.scale * factor, Math.min(this.fitting() / 2, 1), MOST_ZOOM);
    this.place(scale, { x: center.clientX - frame.left - fixed.x * scale, y: center.clientY - frame.top - fixed.y * scale });
  }

  pan(dx: number, dy: number): void {
    const { x, y } = this.stage.position();
    this.place(this.scale, { x: x + dx, y: y + dy });
  }

  private fitting(): number {
    return Math.max(Math.min(this.stage.width() / this.size.width, this.stage.height() / this.size.height), 0.001);
  }

  /** Never so far that the photograph is out of sight. */
  private place(scale: number, { x, y }: Point): void {
    const { width, height } = this.stage.size();
    const margin = 40;
    this.stage.scale({ x: scale, y: scale });
    this.stage.position({
      x: clamp(x, margin - this.size.width * scale, width - margin),
      y: clamp(y, margin - this.size.height * scale, height - margin),
    });
    this.picture.imageSmoothingEnabled(scale < PIXELATED);
    this.stage.batchDraw();
    this.fitted = false;
    for (const watcher of this.watchers) watcher();
  }

  private resize(): void {
    const { clientWidth: width, clientHeight: height } = this.host;
    if (!width || !height) return;
    this.stage.size({ width, height });
    if (this.fitted) this.fit();
  }

  private draw(context: Context): void {
    const unit = 1 / this.scale;
    for (const mark of this.shown) {
      this.outline(context, mark, unit);
      if (mark.handles) this.handles(context, mark, unit);
    }
  }

  /** A light line under the colored one, so that it is seen on every ground. */
  private outline(context: Context, mark: Mark, unit: number): void {
    const width = mark.selected ? 3 : 2;
    context.setLineDash(mark.dashed ? [6 * unit, 4 * unit] : []);
    for (const [color, extra] of [["rgba(255,255,255,0.55)", 1.5], [mark.color, 0]] as const) {
      context.setAttr("strokeStyle", color);
      context.setAttr("lineWidth", (width + extra) * unit);
      context.strokeRect(mark.x, mark.y, mark.w, mark.h);
    }
    context.setLineDash([]);
    if (mark.selected) {
      context.setAttr("globalAlpha", 0.15);
      context.setAttr("fillStyle", mark.color);
      context.fillRect(mark.x, mark.y, mark.w, mark.h);
      context.setAttr("globalAlpha", 1);
    }
    if (mark.text) this.text(context, mark, unit);
  }

  private text(context: Context, mark: Mark, unit: number): void {
    context.setAttr("font", `${TEXT * unit}px system-ui, sans-serif`);
    context.setAttr("textBaseline", "middle");
    const width = context.measureText(mark.text).width + 8 * unit;
    const height = (TEXT + 5) * unit;
    // Predictions carry theirs below, so that it does not lie on that of the box they found.
    const above = Math.max(mark.y - height, mark.y < height ? mark.y : 0);
    const y = mark.dashed ? Math.min(mark.y + mark.h, this.size.height - height) : above;
    context.setAttr("fillStyle", mark.color);
    context.fillRect(mark.x, y, width, height);
    context.setAttr("fillStyle", readable(mark.color));
    context.fillText(mark.text, mark.x + 4 * unit, y + height / 2);
  }

  private handles(context: Context, mark: Mark, unit: number): void {
    const side = HANDLE * unit;
    // Beside a small box, not over it.
    const out = Math.min(mark.w, mark.h) < 3 * side ? side / 2 : 0;
    for (const handle of handlesOf(mark, side)) {
      const corner = handlePoint(mark, handle);
      const at = { x: corner.x + handle.dx * out, y: corner.y + handle.dy * out };
      context.setAttr("fillStyle", "#ffffff");
      context.fillRect(at.x - side / 2, at.y - side / 2, side, side);
      context.setAttr("strokeStyle", mark.color);
      context.setAttr("lineWidth", 1.5 * unit);
      context.strokeRect(at.x - side / 2, at.y - side / 2, side, side);
    }
  }
}

function made(host: HTMLElement): HTMLDivElement {
  const container = document.createElement("div");
  container.className = "absolute inset-0";
  host.append(container);
  return container;
}

/** Black or white, whichever is read more easily on the color (#rrggbb). */
function readable(color: string): string {
  const [red, green, blue] = [1, 3, 5].map((start) => parseInt(color.slice(start, start + 2), 16));
  return 0.299 * (red ?? 0) + 0.587 * (green ?? 0) + 0.114 * (blue ?? 0) > 150 ? "#111111" : "#ffffff";
}
