// What a model says of a whole photograph: probabilities as bars, or a score, and a map of what looks odd.

export interface Share {
  class: string | null;
  name: string;
  probability: number;
}
export interface Judged {
  kind: string;
  width: number;
  height: number;
  probabilities?: Share[];
  score?: number;
  threshold?: number;
  anomalous?: boolean;
  /** Rows from above, 0 to 1. */
  heat?: number[][];
}

const SVG = "http://www.w3.org/2000/svg";
const HOT = "#e11d48";
/** Heat below this is that of any good part. */
const COLD = 0.3;

/** In one sentence. */
export function told(judged: Judged): string {
  if (judged.score !== undefined && judged.threshold !== undefined) {
    const how = judged.anomalous ? "Something is odd" : "It looks like a good part";
    return `${how}: score ${judged.score.toFixed(2)}, odd from ${judged.threshold.toFixed(2)} on`;
  }
  const best = ranked(judged)[0];
  return best ? `It shows: ${best.name}` : "Nothing can be said of it";
}

/** A line for each class, the most probable first; none of a score. */
export function listed(judged: Judged): HTMLLIElement[] {
  return ranked(judged).map(({ name, probability }) => {
    const line = document.createElement("li");
    line.className = "flex items-center gap-3";
    const label = document.createElement("span");
    label.className = "min-w-0 flex-1 truncate";
    label.textContent = name;
    const bar = document.createElement("progress");
    bar.className = "progress progress-primary w-24";
    bar.max = 1;
    bar.value = probability;
    bar.setAttribute("aria-label", `Probability of ${name}`);
    const figure = document.createElement("span");
    figure.className = "figure";
    figure.textContent = probability.toFixed(2);
    line.append(label, bar, figure);
    return line;
  });
}

/** The map over the photograph, in its pixels: the hotter a place, the less of it can be seen through. */
export function heated(judged: Judged): SVGElement[] {
  const rows = judged.heat ?? [];
  const high = judged.height / (rows.length || 1);
  return rows.flatMap((row, down) =>
    row.flatMap((heat, across) => {
      if (heat <= COLD) return [];
      const wide = judged.width / row.length;
      const place = document.createElementNS(SVG, "rect");
      const sides = { x: across * wide, y: down * high, width: wide, height: high };
      for (const [name, value] of Object.entries(sides)) place.setAttribute(name, String(value));
      place.setAttribute("fill", HOT);
      place.setAttribute("fill-opacity", String((0.65 * (heat - COLD)) / (1 - COLD)));
      return [place];
    }),
  );
}

function ranked(judged: Judged): Share[] {
  return [...(judged.probabilities ?? [])].sort((one, other) => other.probability - one.probability);
}
