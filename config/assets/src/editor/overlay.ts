// What a model predicted for this image when it was evaluated: dashed over the photograph, and listed in words.
import { ask, Refused } from "./asking";
import type { Mark } from "./board";
import { counted, type Drawn, made, part, swatch, UNKNOWN } from "./page";

interface Model {
  id: string;
  number: number;
  recipe: string;
  evaluation: { method: string } | null;
}
interface Prediction {
  class: string;
  name: string;
  score: number;
  bbox: [number, number, number, number];
}
interface Judged {
  judged: boolean;
  method: string;
  /** A sensible least score. */
  score: number;
  predictions: Prediction[];
}

const STEP = 0.01;

export class Overlay {
  private judged: Judged | null = null;
  private least = 0;
  private readonly body: HTMLElement;
  private readonly memory: string;

  constructor(
    private readonly panel: HTMLDetailsElement,
    private readonly drawn: Drawn,
    private readonly changed: () => void,
  ) {
    this.body = part("[data-body]", panel);
    this.memory = `myriad-predictions-${drawn.project}`;
    let loaded = false;
    panel.addEventListener("toggle", () => {
      this.remember({ open: panel.open });
      if (panel.open && !loaded) {
        loaded = true;
        void this.open();
      }
      changed();
    });
    if (this.remembered().open) panel.open = true;
  }

  /** What is drawn of them now. */
  get marks(): Mark[] {
    if (!this.panel.open) return [];
    return this.shown().map(({ name, score, bbox: [x, y, w, h], class: label }) => ({
      ...{ x, y, w, h, color: this.color(label), text: `${name} ${score.toFixed(2)}`, dashed: true },
    }));
  }

  private shown(): Prediction[] {
    return (this.judged?.predictions ?? []).filter((found) => found.score >= this.least);
  }

  private async open(): Promise<void> {
    try {
      const [models, promoted] = await Promise.all([this.models(), this.promoted()]);
      if (!models.length) return this.say("No model yet. Start a run, and what its model finds is shown here.");
      this.controls(models, promoted);
      const wanted = this.remembered().model ?? promoted;
      await this.choose((models.find((model) => model.id === wanted) ?? models[0])?.id ?? "");
    } catch (error) {
      this.refuse(error);
    }
  }

  private async models(): Promise<Model[]> {
    return (await ask<{ results: Model[] }>(`projects/${this.drawn.project}/models?limit=50`)).body.results;
  }

  private async promoted(): Promise<string | null> {
    const { body } = await ask<{ results: { model: string }[] }>(`projects/${this.drawn.project}/promotions?limit=1`);
    return body.results[0]?.model ?? null;
  }

  private controls(models: Model[], promoted: string | null): void {
    const select = made("select", { class: "select select-sm w-full", "aria-label": "Model", "data-model": "" });
    for (const model of models) {
      const words = [`Model ${model.number}`, model.recipe, ...(model.id === promoted ? ["promoted"] : [])].join(" · ");
      select.append(made("option", { value: model.id }, words));
    }
    select.addEventListener("change", () => void this.choose(select.value).catch((error: unknown) => this.refuse(error)));
    const slider = made("input", { type: "range", class: "range range-xs w-full", min: "0", max: "1", step: String(STEP), "data-least": "", "aria-label": "Least score shown" });
    slider.addEventListener("input", () => this.limit(Number(slider.value)));
    this.body.replaceChildren(
      select,
      made("label", { class: "block" }, made("span", { class: "quiet text-xs", "data-said": "" }, "Loading …"), slider),
      made("p", { class: "font-medium", "data-sum": "" }),
      made("ol", { class: "max-h-56 space-y-0.5 overflow-y-auto", "data-list": "", "aria-label": "Predictions" }),
    );
  }

  private async choose(model: string): Promise<void> {
    part<HTMLSelectElement>("[data-model]", this.body).value = model;
    this.remember({ model });
    this.judged = (await ask<Judged>(`models/${model}/images/${this.drawn.image}`)).body;
    part<HTMLInputElement>("[data-least]", this.body).value = String(this.judged.score);
    this.limit(this.judged.score);
  }

  private limit(least: number): void {
    this.least = least;
    const judged = this.judged;
    if (!judged) return;
    part("[data-said]", this.body).textContent =
      `Shown from a score of ${least.toFixed(2)} on` + (Math.abs(least - judged.score) < STEP / 2 ? ", where this model errs least" : "");
    const shown = this.shown();
    const how = judged.method === "OUT_OF_FOLD" ? "by a sibling that did not learn from this image" : "in the test split";
    part("[data-sum]", this.body).textContent = judged.judged
      ? `${counted(shown.length, "prediction")}, ${how}.`
      : "This model was not evaluated on this image.";
    const lines = shown.map((found) =>
      made("li", { class: "flex items-center gap-2" }, swatch(this.color(found.class)), made("span", { class: "min-w-0 flex-1 truncate" }, found.name), made("span", { class: "figure" }, found.score.toFixed(2))),
    );
    part("[data-list]", this.body).replaceChildren(...lines);
    this.changed();
  }

  private color(label: string): string {
    return this.drawn.classes.find((one) => one.id === label)?.color ?? UNKNOWN;
  }

  private refuse(error: unknown): void {
    if (!(error instanceof Refused)) throw error;
    this.say(`${error.message} ${error.hint}`);
  }

  private say(words: string): void {
    this.judged = null;
    this.body.replaceChildren(made("p", { class: "quiet" }, words));
    this.changed();
  }

  private remembered(): { open?: boolean; model?: string } {
    try {
      return JSON.parse(localStorage.getItem(this.memory) ?? "{}") as { open?: boolean; model?: string };
    } catch {
      return {};
    }
  }

  private remember(what: { open?: boolean; model?: string }): void {
    localStorage.setItem(this.memory, JSON.stringify({ ...this.remembered(), ...what }));
  }
}
