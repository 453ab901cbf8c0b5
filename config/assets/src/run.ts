// The page of a run: the curve of its losses, drawn on while the part above it is asked for anew (htmx).
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

/** Percent of the run, and the named parts of the loss there. */
type Point = [number, Record<string, number>];

/** In this order; each color is a variable of the theme. */
const COLORS = ["--color-primary", "--color-accent", "--color-info", "--color-secondary"];
const DASHES = [[], [6, 4], [2, 3], [10, 3, 2, 3]];
const HEIGHT = 256;
/** Of what a moving average says, the share that it keeps at the next point. */
const KEEP = 0.9;

class Curve {
  private plot: uPlot | null = null;

  constructor(
    private readonly host: HTMLElement,
    private readonly legend: HTMLElement,
    private readonly points: Point[],
  ) {
    new ResizeObserver(() => this.plot?.setSize({ width: this.host.clientWidth, height: HEIGHT })).observe(host);
    // Canvas takes its colors once; a change of the theme draws it anew.
    new MutationObserver(() => this.draw()).observe(document.documentElement, { attributeFilter: ["data-theme"] });
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    this.draw();
  }

  add(point: Point): void {
    const last = this.points.at(-1);
    if (last && point[0] <= last[0]) return;
    const isNamed = this.names().length > 0;
    this.points.push(point);
    if (isNamed && this.plot) this.plot.setData(this.data());
    else this.draw();
  }

  private names(): string[] {
    return [...new Set(this.points.flatMap(([, losses]) => Object.keys(losses)))].sort();
  }

  /** Of each loss what was measured, and its course without the noise of single batches. */
  private data(): uPlot.AlignedData {
    const at = this.points.map(([percent]) => percent);
    const measured = this.names().map((name) => this.points.map(([, losses]) => losses[name] ?? null));
    return [at, ...measured.flatMap((values) => [values, smooth(values)])];
  }

  private draw(): void {
    this.plot?.destroy();
    this.plot = null;
    const empty = this.host.querySelector<HTMLElement>("[data-empty]");
    if (empty) empty.hidden = this.points.length > 0;
    const names = this.names();
    this.legend.replaceChildren(...names.map((name, place) => key(name, place)));
    if (!names.length) return;
    const ink = color("--color-base-content");
    const axis: uPlot.Axis = {
      stroke: faint(ink, 65),
      grid: { stroke: faint(ink, 12), width: 1 },
      ticks: { show: false },
      font: "12px system-ui, sans-serif",
    };
    const options: uPlot.Options = {
      width: this.host.clientWidth,
      height: HEIGHT,
      padding: [8, 24, 0, 0],
      legend: { show: false },
      cursor: { drag: { x: false, y: false }, points: { show: true } },
      scales: { x: { time: false, range: [0, 100] }, y: { range: (_plot, _low, high) => [0, high * 1.05 || 1] } },
      series: [{}, ...names.flatMap((name, place) => lines(name, place))],
      axes: [{ ...axis, size: 32, values: (_plot, splits) => splits.map((split) => `${split} %`) }, { ...axis, size: 44 }],
      hooks: { setCursor: [(plot) => this.tell(plot.cursor.idx ?? null)] },
    };
    this.plot = new uPlot(options, this.data(), this.host);
    this.tell(null);
  }

  /** Figures under the pointer, or the newest. */
  private tell(index: number | null): void {
    const [, losses] = this.points[index ?? this.points.length - 1] ?? [0, {}];
    for (const shown of this.legend.querySelectorAll<HTMLElement>("[data-value]")) {
      const value = (losses as Record<string, number>)[shown.dataset.value ?? ""];
      shown.textContent = value === undefined ? "–" : value.toFixed(2);
    }
    const [at] = this.points.at(-1) ?? [0];
    const newest = this.points.at(-1)?.[1] ?? {};
    const words = Object.entries(newest).map(([name, value]) => `${name} ${value.toFixed(2)}`);
    this.host.setAttribute("aria-label", `Curve of the losses; at ${Math.round(at)} %: ${words.join(", ")}`);
  }
}

/** A moving average that begins with what it has. */
function smooth(values: (number | null)[]): (number | null)[] {
  let sum = 0;
  let weight = 0;
  return values.map((value) => {
    if (value === null) return null;
    sum = KEEP * sum + value;
    weight = KEEP * weight + 1;
    return sum / weight;
  });
}

/** What was measured, faint, and its course. */
function lines(name: string, place: number): [uPlot.Series, uPlot.Series] {
  const ink = color(COLORS[place % COLORS.length]);
  const both: uPlot.Series = { label: name, points: { show: false }, spanGaps: true };
  return [
    { ...both, stroke: faint(ink, 28), width: 1 },
    { ...both, stroke: ink, dash: DASHES[place % DASHES.length], width: 2 },
  ];
}

/** An entry of the legend: the line as it is drawn, its name, and a figure. */
function key(name: string, place: number): HTMLLIElement {
  const entry = document.createElement("li");
  entry.className = "flex items-center gap-1.5";
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "h-2 w-6");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  const drawn = { d: "M0 4H24", "stroke-width": "2", stroke: `var(${COLORS[place % COLORS.length]})`, "stroke-dasharray": (DASHES[place % DASHES.length] ?? []).join(" ") };
  for (const [attribute, value] of Object.entries(drawn)) path.setAttribute(attribute, value);
  svg.append(path);
  const value = document.createElement("span");
  value.className = "figure";
  value.dataset.value = name;
  entry.append(svg, name, value);
  return entry;
}

function color(name = "--color-base-content"): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim() || "gray";
}

function faint(ink: string, percent: number): string {
  return `color-mix(in oklab, ${ink} ${percent}%, transparent)`;
}

function newest(): Point | null {
  const text = document.querySelector<HTMLElement>("#run-state")?.dataset.point;
  return text ? (JSON.parse(text) as Point) : null;
}

const host = document.querySelector<HTMLElement>("#curve");
const legend = document.querySelector<HTMLElement>("#curve-legend");
if (host && legend) {
  const curve = new Curve(host, legend, JSON.parse(document.querySelector("#curve-data")?.textContent ?? "[]") as Point[]);
  const follow = (): void => {
    const point = newest();
    if (point) curve.add(point);
  };
  follow();
  document.body.addEventListener("htmx:afterSwap", follow);
}
