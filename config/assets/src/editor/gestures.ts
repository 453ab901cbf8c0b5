// What hands do on the board: draw, move, resize, pan, pinch. Pointer events, so mouse, pen and fingers alike.
import type { Board } from "./board";
import type { Draft, Shape } from "./draft";
import { boxAt, type Handle, handleAt, moved, type Point, type Rect, resized, type Size, spanned } from "./geometry";

/** Screen pixels. */
const REACH = 7;
const FINGER_REACH = 16;
const CLICK = 4;

interface Begun {
  kind: "pan" | "draw" | "move" | "resize";
  pointer: number;
  /** In the photograph, and on the screen. */
  from: Point;
  screen: Point;
  last: Point;
  box: Shape | null;
  handle: Handle | null;
}

export interface Hands {
  /** Whether boxes can be drawn and changed now. */
  mayDraw: () => boolean;
  /** Draw also where there is a box. */
  onTop: () => boolean;
  /** The class of a new box; null where there is none to choose. */
  label: () => string | null;
  /** A gesture is under way: how the box looks meanwhile; null when it has ended. */
  preview: (rect: Rect | null, box: Shape | null) => void;
  hover: (point: Point | null) => void;
}

export class Gestures {
  private begun: Begun | null = null;
  private readonly fingers = new Map<number, Point>();
  private space = false;

  constructor(
    private readonly host: HTMLElement,
    private readonly board: Board,
    private readonly draft: Draft,
    private readonly size: Size,
    private readonly hands: Hands,
  ) {
    host.addEventListener("pointerdown", (event) => this.down(event));
    host.addEventListener("pointermove", (event) => this.move(event));
    host.addEventListener("pointerup", (event) => this.up(event));
    host.addEventListener("pointercancel", () => this.cancel());
    host.addEventListener("pointerleave", () => this.hands.hover(null));
    host.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    document.addEventListener("keydown", (event) => this.spaceKey(event, true));
    document.addEventListener("keyup", (event) => this.spaceKey(event, false));
    // A middle click would begin to scroll the page.
    host.addEventListener("mousedown", (event) => event.button === 1 && event.preventDefault());
  }

  get isBusy(): boolean {
    return this.begun !== null;
  }

  /** Ends a gesture as if it had not begun. */
  cancel(): void {
    this.begun = null;
    this.fingers.clear();
    this.hands.preview(null, null);
  }

  private down(event: PointerEvent): void {
    this.host.focus({ preventScroll: true });
    this.fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (this.fingers.size === 2) {
      // A second finger: what the first began was not meant.
      this.begun = null;
      this.hands.preview(null, null);
      return;
    }
    if (event.button > 1 || this.fingers.size > 1) return;
    this.host.setPointerCapture(event.pointerId);
    this.begun = this.beginning(event);
    if (this.begun.kind === "move" && this.begun.box) this.draft.select(this.begun.box.id);
  }

  private beginning(event: PointerEvent): Begun {
    const from = this.board.at(event);
    const screen = { x: event.clientX, y: event.clientY };
    const begun: Begun = { kind: "pan", pointer: event.pointerId, from, screen, last: screen, box: null, handle: null };
    if (event.button === 1 || this.space || !this.hands.mayDraw()) return begun;
    const reach = (event.pointerType === "touch" ? FINGER_REACH : REACH) / this.board.scale;
    const chosen = this.draft.chosen;
    const handle = chosen && handleAt(chosen, from, reach);
    if (chosen && handle) return { ...begun, kind: "resize", box: chosen, handle };
    const hit = event.shiftKey || this.hands.onTop() ? null : boxAt(this.draft.boxes, from, 2 / this.board.scale);
    return hit ? { ...begun, kind: "move", box: hit } : { ...begun, kind: "draw" };
  }

  private move(event: PointerEvent): void {
    this.hands.hover(this.board.at(event));
    if (this.fingers.has(event.pointerId)) {
      if (this.fingers.size === 2) this.pinch(event);
      this.fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    }
    const begun = this.begun;
    if (!begun || begun.pointer !== event.pointerId) return this.point(event);
    if (begun.kind === "pan") {
      this.board.pan(event.clientX - begun.last.x, event.clientY - begun.last.y);
      begun.last = { x: event.clientX, y: event.clientY };
      return;
    }
    this.hands.preview(this.result(begun, event), begun.box);
  }

  /** The box that the gesture makes so far; null where it is no more than a click. */
  private result(begun: Begun, event: PointerEvent): Rect | null {
    const far = Math.max(Math.abs(event.clientX - begun.screen.x), Math.abs(event.clientY - begun.screen.y));
    if (far < CLICK) return null;
    const to = this.board.at(event);
    if (begun.kind === "draw") return spanned(begun.from, to, this.size);
    if (!begun.box) return null;
    const [dx, dy] = [to.x - begun.from.x, to.y - begun.from.y];
    if (begun.handle) return resized(begun.box, begun.handle, dx, dy, this.size);
    return moved(begun.box, dx, dy, this.size);
  }

  private up(event: PointerEvent): void {
    this.fingers.delete(event.pointerId);
    const begun = this.begun;
    if (!begun || begun.pointer !== event.pointerId) return;
    this.begun = null;
    const rect = this.result(begun, event);
    this.hands.preview(null, null);
    if (begun.kind === "draw") {
      const label = this.hands.label();
      if (rect && label) this.draft.add(rect, label);
      else this.draft.select(null);
    } else if (rect && begun.box) this.draft.change(begun.box.id, { x: rect.x, y: rect.y, w: rect.w, h: rect.h });
  }

  private pinch(event: PointerEvent): void {
    const before = this.fingers.get(event.pointerId);
    const other = [...this.fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (!before || !other) return;
    const was = Math.hypot(before.x - other.x, before.y - other.y);
    const is = Math.hypot(event.clientX - other.x, event.clientY - other.y);
    this.board.pan((event.clientX - before.x) / 2, (event.clientY - before.y) / 2);
    if (was > 0) this.board.zoom(is / was, { clientX: (event.clientX + other.x) / 2, clientY: (event.clientY + other.y) / 2 });
  }

  private wheel(event: WheelEvent): void {
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const delta = Math.max(-200, Math.min(200, event.deltaY * lines));
    this.board.zoom(Math.exp(-delta * (event.ctrlKey ? 0.01 : 0.002)), event);
  }

  private spaceKey(event: KeyboardEvent, down: boolean): void {
    if (event.key !== " ") return;
    this.space = down && document.activeElement === this.host;
    if (this.space) event.preventDefault();
    this.cursor(this.space ? "cursor-grab" : "");
  }

  /** The cursor says what a press would do here. */
  private point(event: PointerEvent): void {
    if (this.space) return;
    const { kind, handle } = this.beginning(event);
    if (kind === "resize" && handle) {
      const diagonal = handle.dx === handle.dy ? "cursor-nwse-resize" : "cursor-nesw-resize";
      this.cursor(handle.dx && handle.dy ? diagonal : handle.dx ? "cursor-ew-resize" : "cursor-ns-resize");
    } else this.cursor({ pan: "cursor-grab", move: "cursor-move", draw: "cursor-crosshair", resize: "" }[kind]);
  }

  private cursor(name: string): void {
    for (const one of [...this.host.classList]) if (one.startsWith("cursor-")) this.host.classList.remove(one);
    if (name) this.host.classList.add(name);
  }
}
