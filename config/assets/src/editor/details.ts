// Metadata and split: changed in a dialog, on what is there at that moment.
import { ask, Refused } from "./asking";
import { made, part } from "./page";

type Plain = string | number | boolean | null;
interface Described {
  metadata: Record<string, Plain>;
  split: string;
}

/** Makes the panel about the image editable, where it has a button for it. */
export function editable(panel: HTMLElement): void {
  const dialog = panel.querySelector("dialog");
  if (!dialog) return;
  const rows = part("[data-rows]", dialog);
  const form = part<HTMLFormElement>("form", dialog);
  let found: { body: Described; etag: string } | null = null;

  part("[data-edit]", panel).addEventListener("click", async () => {
    refuse(dialog, "");
    dialog.showModal();
    try {
      found = await ask<Described>(`images/${panel.dataset.image}`);
    } catch (error) {
      return tell(dialog, error);
    }
    part<HTMLSelectElement>("[name=split]", form).value = found.body.split;
    rows.replaceChildren(...Object.entries(found.body.metadata).map(([name, value]) => row(name, value)));
    if (!rows.children.length) rows.append(row("", ""));
  });
  part("[data-add]", dialog).addEventListener("click", () => {
    rows.append(row("", ""));
    rows.lastElementChild?.querySelector("input")?.focus();
  });
  part("[data-cancel]", dialog).addEventListener("click", () => dialog.close());
  rows.addEventListener("click", (event) => (event.target as HTMLElement).closest("[data-drop]")?.closest("[data-row]")?.remove());
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (!found) return;
    const changes: Partial<Described> = {};
    const metadata = read(rows, found.body.metadata);
    if (JSON.stringify(metadata) !== JSON.stringify(found.body.metadata)) changes.metadata = metadata;
    const split = part<HTMLSelectElement>("[name=split]", form).value;
    if (split !== found.body.split) changes.split = split;
    if (!Object.keys(changes).length) return dialog.close();
    try {
      await ask(`images/${panel.dataset.image}`, { method: "PATCH", body: changes, etag: found.etag });
    } catch (error) {
      return tell(dialog, error);
    }
    dialog.close();
    location.reload();
  });
}

function row(name: string, value: Plain): HTMLElement {
  const field = { class: "input input-sm w-full min-w-0" };
  return made(
    "div",
    { class: "flex items-center gap-2", "data-row": "" },
    made("input", { ...field, name: "name", value: name, placeholder: "camera", "aria-label": "Name", maxlength: "64" }),
    made("input", { ...field, name: "value", value: value === null ? "" : String(value), placeholder: "3", "aria-label": `Value of ${name || "it"}` }),
    made("button", { type: "button", class: "btn btn-ghost btn-square btn-sm", "data-drop": "", "aria-label": `Remove ${name || "it"}` }, "×"),
  );
}

/** What stands in the rows. A value that nobody typed over keeps its kind: a number stays one. */
function read(rows: HTMLElement, before: Record<string, Plain>): Record<string, Plain> {
  const metadata: Record<string, Plain> = {};
  for (const line of rows.querySelectorAll<HTMLElement>("[data-row]")) {
    const name = part<HTMLInputElement>("[name=name]", line).value.trim();
    const text = part<HTMLInputElement>("[name=value]", line).value;
    if (!name) continue;
    const was = before[name];
    if (was !== undefined && text === (was === null ? "" : String(was))) metadata[name] = was;
    else metadata[name] = typeof was === "number" && text.trim() && Number.isFinite(Number(text)) ? Number(text) : text;
  }
  return metadata;
}

function tell(dialog: HTMLElement, error: unknown): void {
  if (!(error instanceof Refused)) throw error;
  const meanwhile = error.status === 412;
  refuse(dialog, meanwhile ? "Somebody else changed this image meanwhile. Cancel, and edit what is there now." : `${error.message} ${error.hint}`);
}

function refuse(dialog: HTMLElement, words: string): void {
  const place = part("[data-refusal]", dialog);
  place.textContent = words;
  place.classList.toggle("hidden", !words);
}
