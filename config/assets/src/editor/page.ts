// What the server says of the image when the page opens, and the page's named parts.
import type { SentBox } from "./draft";

export interface Label {
  id: string;
  name: string;
  color: string;
  deleted: boolean;
}
export interface Drawn {
  image: string;
  project: string;
  filename: string;
  width: number;
  height: number;
  mayLabel: boolean;
  /** Of the newest version; 0 where there is none. */
  number: number;
  classes: Label[];
  boxes: SentBox[];
}
/** A version of the image's annotation, as the API writes it. */
export interface Version {
  id: string;
  number: number;
  author: { name: string };
  boxes: (SentBox & { name: string })[];
  created_at: string;
}

export const UNKNOWN = "#888888";

export function part<Kind extends Element = HTMLElement>(selector: string, within: ParentNode = document): Kind {
  const found = within.querySelector<Kind>(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return found;
}

/** An element with text and attributes; nothing is ever read as HTML. */
export function made<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  attributes: Record<string, string> = {},
  ...inside: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...inside);
  return element;
}

export function swatch(color: string): SVGSVGElement {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "size-2.5 flex-none");
  svg.setAttribute("aria-hidden", "true");
  const rect = document.createElementNS("http://www.w3.org/2000/svg", "rect");
  for (const [key, value] of [["width", "100%"], ["height", "100%"], ["rx", "2"], ["fill", color]] as const) rect.setAttribute(key, value);
  svg.append(rect);
  return svg;
}

export function counted(count: number, one: string, many = `${one}s`): string {
  return `${count} ${count === 1 ? one : many}`;
}

/** A figure without digits that nobody reads. */
export function short(value: number): string {
  return String(Math.round(value * 10) / 10);
}

const NOTICES = { error: "alert-error", warning: "alert-warning", info: "alert-info", success: "alert-success" };

/** One line below the tools; empty takes it away. */
export function notice(kind: keyof typeof NOTICES, text = "", hint = ""): void {
  const place = part("#notice");
  place.className = text ? `alert alert-soft ${NOTICES[kind]} rounded-none py-2 text-sm` : "hidden";
  place.replaceChildren(...(text ? [made("p", {}, made("span", { class: "font-medium" }, text), hint ? ` ${hint}` : "")] : []));
}
