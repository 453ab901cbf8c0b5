// Boxes in pixels of the photograph, and what becomes of them when somebody pulls at them. Nothing here knows a screen.

/** COCO's: upper left corner, width and height. */
export interface Rect {
  x: number;
  y: number;
  w: number;
  h: number;
}
export interface Point {
  x: number;
  y: number;
}
export interface Size {
  width: number;
  height: number;
}
/** Which edges a handle moves: -1 the left or upper one, 1 the right or lower one, 0 neither. */
export interface Handle {
  dx: -1 | 0 | 1;
  dy: -1 | 0 | 1;
}

/** Pixels; the server takes no box thinner than that. */
export const MIN_SIDE = 1;
export const HANDLES: readonly Handle[] = ([-1, 0, 1] as const).flatMap((dy) =>
  ([-1, 0, 1] as const).filter((dx) => dx !== 0 || dy !== 0).map((dx) => ({ dx, dy })),
);

export function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), Math.max(low, high));
}

/** A hundredth of a pixel is finer than a hand; edges that nobody moves are never rounded. */
export function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

/** The box between two corners, at least one pixel on each side, inside the picture. */
export function spanned(from: Point, to: Point, size: Size): Rect {
  const [x, w] = span(from.x, to.x, size.width);
  const [y, h] = span(from.y, to.y, size.height);
  return { x, y, w, h };
}

function span(from: number, to: number, limit: number): [number, number] {
  const low = rounded(clamp(Math.min(from, to), 0, limit - MIN_SIDE));
  const high = rounded(clamp(Math.max(from, to), low + MIN_SIDE, limit));
  return [low, rounded(high - low)];
}

/** The box moved by so much, as far as the picture goes; its size stays exactly what it was. */
export function moved(box: Rect, dx: number, dy: number, size: Size): Rect {
  const x = dx === 0 ? box.x : clamp(rounded(box.x + dx), 0, size.width - box.w);
  const y = dy === 0 ? box.y : clamp(rounded(box.y + dy), 0, size.height - box.h);
  return { ...box, x, y };
}

/** The box with the handle's edges moved by so much; the others stay exactly where they were. */
export function resized(box: Rect, handle: Handle, dx: number, dy: number, size: Size): Rect {
  const [x, w] = pulled(box.x, box.w, handle.dx, dx, size.width);
  const [y, h] = pulled(box.y, box.h, handle.dy, dy, size.height);
  return { x, y, w, h };
}

function pulled(start: number, length: number, edge: -1 | 0 | 1, by: number, limit: number): [number, number] {
  if (edge === 0 || by === 0) return [start, length];
  const end = start + length;
  if (edge === 1) return [start, clamp(rounded(length + by), MIN_SIDE, limit - start)];
  const from = clamp(rounded(start + by), 0, end - MIN_SIDE);
  return [from, Math.max(MIN_SIDE, end - from)];
}

/** The box with one number typed anew, kept inside the picture. */
export function typed(box: Rect, name: keyof Rect, value: number, size: Size): Rect {
  const limit = name === "x" || name === "w" ? size.width : size.height;
  const [start, length] = name === "x" || name === "w" ? [box.x, box.w] : [box.y, box.h];
  const isStart = name === "x" || name === "y";
  return { ...box, [name]: isStart ? clamp(value, 0, limit - length) : clamp(value, MIN_SIDE, limit - start) };
}

/** Where a handle of the box lies. */
export function handlePoint(box: Rect, handle: Handle): Point {
  return { x: box.x + (box.w * (handle.dx + 1)) / 2, y: box.y + (box.h * (handle.dy + 1)) / 2 };
}

/** The handle within reach of a point, corners before edges. The middle of a small box is left to move it by. */
export function handleAt(box: Rect, point: Point, reach: number): Handle | null {
  const near = handlesOf(box, reach).filter((handle) => {
    const at = handlePoint(box, handle);
    return isNear(point.x - at.x, handle.dx, box.w, reach) && isNear(point.y - at.y, handle.dy, box.h, reach);
  });
  return near.find((handle) => handle.dx !== 0 && handle.dy !== 0) ?? near[0] ?? null;
}

/** Without those in the middle of sides that are too short for them. */
export function handlesOf(box: Rect, reach: number): Handle[] {
  return HANDLES.filter(({ dx, dy }) => (dx !== 0 || box.w >= 6 * reach) && (dy !== 0 || box.h >= 6 * reach));
}

function isNear(offset: number, edge: -1 | 0 | 1, side: number, reach: number): boolean {
  if (edge === 0) return Math.abs(offset) <= reach;
  const outward = offset * edge;
  return outward <= reach && outward >= -Math.min(reach, side / 3);
}

/** The smallest of the boxes that hold the point, so that one inside another can be reached. */
export function boxAt<Box extends Rect>(boxes: readonly Box[], point: Point, reach: number): Box | null {
  let best: Box | null = null;
  for (const box of boxes) {
    const inside =
      point.x >= box.x - reach && point.x <= box.x + box.w + reach && point.y >= box.y - reach && point.y <= box.y + box.h + reach;
    if (inside && (best === null || box.w * box.h <= best.w * best.h)) best = box;
  }
  return best;
}
