// The editor's keys. Those of the browser, and what is typed into fields, are left alone.

export interface Keys {
  [action: string]: () => void;
}

const PLAIN: Record<string, string> = {
  Delete: "delete",
  Backspace: "delete",
  Escape: "leave",
  "+": "zoom-in",
  "=": "zoom-in",
  "-": "zoom-out",
  "0": "fit",
  b: "draw",
  g: "good",
  "[": "previous",
  "]": "next",
  "?": "keys",
};
const WITH_CONTROL: Record<string, string> = { z: "undo", y: "redo", s: "save", Enter: "save-next" };
const ARROWS: Record<string, readonly [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** `nudge` moves the selected box and says whether there was one; `choose` takes the class of a number. */
export function listen(does: Keys, board: HTMLElement, nudge: (dx: number, dy: number) => boolean, choose: (place: number) => void): void {
  document.addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]") || event.altKey) return;
    const control = event.ctrlKey || event.metaKey;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (isTyping(event.target) && !(control && (key === "s" || key === "Enter"))) return;
    const arrow = ARROWS[key];
    const far = event.shiftKey ? 10 : 1;
    if (arrow && !control && document.activeElement === board && nudge(arrow[0] * far, arrow[1] * far)) return event.preventDefault();
    if (!control && /^[1-9]$/.test(key)) return choose(Number(key));
    const action = control ? (key === "z" && event.shiftKey ? "redo" : WITH_CONTROL[key]) : PLAIN[key];
    const act = action === undefined ? undefined : does[action];
    if (!act) return;
    event.preventDefault();
    act();
  });
}

export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !["radio", "checkbox", "range", "button"].includes(target.type);
  return target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}
