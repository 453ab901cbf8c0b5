// The page of a model: a photograph of one's own is sent to it, and what it finds is drawn on it.
import { Refused, send } from "./editor/asking";
import { heated, type Judged, listed as linesOf, told } from "./model/judging";

interface Finding {
  class: string;
  name: string;
  score: number;
  bbox: [number, number, number, number];
}
interface Prediction extends Judged {
  predictions: Finding[];
  seconds: Record<string, number>;
}

/** Of all scores from here on the server is asked once; the slider chooses among them. */
const LEAST = 0.05;
const LINE = "#16a34a";
const SVG = "http://www.w3.org/2000/svg";

class Trial {
  private readonly drop: HTMLElement;
  private readonly input: HTMLInputElement;
  private readonly result: HTMLElement;
  private readonly picture: HTMLImageElement;
  private readonly drawing: SVGSVGElement;
  private readonly list: HTMLElement;
  /** Of models that find boxes. */
  private readonly slider: HTMLInputElement | null;
  /** Of models that know good parts. */
  private readonly heat: HTMLInputElement | null;
  private readonly says: HTMLElement;
  private found: Prediction | null = null;
  /** Of the photograph chosen last: an answer for an older one comes too late. */
  private turn = 0;

  constructor(private readonly panel: HTMLElement) {
    this.drop = part(panel, "[data-drop]");
    this.input = part(panel, "input[type=file]");
    this.result = part(panel, "[data-result]");
    this.picture = part(panel, "[data-result] img");
    this.drawing = part(panel, "[data-result] svg");
    this.list = part(panel, "[data-result] ul");
    this.slider = panel.querySelector("input[type=range]");
    this.heat = panel.querySelector("[data-heat]");
    this.says = part(panel, "[data-says]");
    this.input.addEventListener("change", () => this.take(this.input.files?.[0]));
    this.drop.addEventListener("dragover", (event) => event.preventDefault());
    this.drop.addEventListener("drop", (event) => {
      event.preventDefault();
      this.take(event.dataTransfer?.files[0]);
    });
    for (const control of [this.slider, this.heat]) control?.addEventListener("input", () => this.show());
    this.picture.addEventListener("error", () => {
      this.picture.hidden = true;
    });
  }

  private take(file: File | undefined): void {
    if (!file) return;
    this.input.value = ""; // the same file can be chosen again
    this.found = null;
    this.turn += 1;
    this.result.hidden = true;
    if (file.size > Number(this.panel.dataset.maxBytes)) {
      this.say("This photograph has more than 20 MB.", "Save it smaller, or upload it to the project: there photographs may be larger.", true);
      return;
    }
    URL.revokeObjectURL(this.picture.src);
    this.picture.hidden = false;
    this.picture.src = URL.createObjectURL(file);
    this.say("The model looks at it …");
    void this.ask(file, this.turn);
  }

  private async ask(file: File, turn: number): Promise<void> {
    try {
      const found = await predicted(this.panel.dataset.model ?? "", file);
      if (turn !== this.turn) return;
      this.found = found;
      this.result.hidden = false;
      this.show();
    } catch (error) {
      if (turn !== this.turn) return;
      const refused = error instanceof Refused ? error : new Refused(0, "", "The page could not show it.", "Reload it, and try again.");
      this.say(refused.message, refused.hint, true);
    }
  }

  private show(): void {
    if (!this.found) return;
    const { width, height, seconds } = this.found;
    this.drawing.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const took = Object.values(seconds).reduce((sum, part) => sum + part, 0);
    if (this.slider) return this.showFound(this.found, Number(this.slider.value), took);
    this.drawing.replaceChildren(...(this.heat?.checked ? heated(this.found) : []));
    this.list.replaceChildren(...linesOf(this.found));
    this.say(`${told(this.found)}; it took ${took.toFixed(2)} s.`);
  }

  private showFound({ width, height, predictions }: Prediction, least: number, took: number): void {
    const shown = predictions.filter((finding) => finding.score >= least);
    part<HTMLOutputElement>(this.panel, "output").value = least.toFixed(2);
    this.drawing.replaceChildren(...shown.flatMap((finding) => boxed(finding, width, height)));
    this.list.replaceChildren(...shown.map(listed));
    const hidden = predictions.length - shown.length;
    const found = shown.length ? `${counted(shown.length)} found` : "Nothing found at this score";
    this.say(`${found}${hidden ? `, ${hidden} more of a lower score` : ""}; it took ${took.toFixed(2)} s.`);
  }

  private say(text: string, hint = "", isError = false): void {
    this.says.hidden = false;
    this.says.className = `mt-3 text-sm ${isError ? "text-error" : "quiet"}`;
    this.says.textContent = hint ? `${text} ${hint}` : text;
  }
}

/** Raises Refused. */
async function predicted(model: string, file: File): Promise<Prediction> {
  const form = new FormData();
  form.set("file", file);
  const response = await send(`models/${model}/predict?threshold=${LEAST}`, { method: "POST", body: form });
  return (await response.json()) as Prediction;
}

/** Box and words, in the photograph's pixels. */
function boxed(finding: Finding, width: number, height: number): SVGElement[] {
  const [x, y, wide, high] = finding.bbox;
  const letter = 0.04 * width;
  const outline = { x, y, width: wide, height: high, fill: "none", "vector-effect": "non-scaling-stroke" };
  const below = y + high + letter * 1.1 < height ? y + high + letter : y - letter * 0.3;
  const text = shape("text", { x: Math.max(0, x), y: below, "font-size": letter, "font-weight": 600, fill: LINE, stroke: "#fff", "stroke-width": letter / 6, "paint-order": "stroke" });
  text.textContent = `${finding.name} ${finding.score.toFixed(2)}`;
  return [shape("rect", { ...outline, stroke: "#fff", "stroke-opacity": 0.6, "stroke-width": 4 }), shape("rect", { ...outline, stroke: LINE, "stroke-width": 2.2 }), text];
}

function shape(name: string, attributes: Record<string, string | number>): SVGElement {
  const made = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, String(value));
  return made;
}

function listed(finding: Finding): HTMLLIElement {
  const entry = document.createElement("li");
  entry.className = "flex gap-3";
  const name = document.createElement("span");
  name.className = "min-w-0 flex-1 truncate";
  name.textContent = finding.name;
  const score = document.createElement("span");
  score.className = "figure";
  score.textContent = finding.score.toFixed(2);
  entry.append(name, score);
  return entry;
}

function counted(count: number): string {
  return count === 1 ? "1 defect" : `${count} defects`;
}

function part<Kind extends Element>(within: ParentNode, selector: string): Kind {
  const found = within.querySelector<Kind>(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return found;
}

const panel = document.querySelector<HTMLElement>("#try");
if (panel) new Trial(panel);
