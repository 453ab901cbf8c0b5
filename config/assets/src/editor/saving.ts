// Saving: a new version on the server, and what happens when somebody else was quicker.
import { ask, Refused } from "./asking";
import type { Draft, SentBox } from "./draft";
import { counted, type Drawn, notice, part, type Version } from "./page";

export interface Outcome {
  status: "CREATED" | "UNCHANGED" | "REJECTED";
  annotation?: string;
  number?: number;
  error?: { code: string; message: string; hint: string };
  warnings: { code: string; message: string }[];
}

export class Saving {
  /** Of the version that the draft began from. */
  private number: number;
  private busy = false;

  constructor(
    private readonly drawn: Drawn,
    private readonly draft: Draft,
    private readonly kept: (version: Version) => void,
  ) {
    this.number = drawn.number;
  }

  /** Whether anything was said of the image yet. */
  get isLabelled(): boolean {
    return this.number > 0;
  }

  /** Saves what is drawn; whether it is saved now. */
  async save(): Promise<boolean> {
    if (this.busy) return false;
    this.busy = true;
    try {
      return await this.send();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      notice("error", `Not saved. ${error.message}`, error.hint);
      return false;
    } finally {
      this.busy = false;
    }
  }

  private async send(): Promise<boolean> {
    const { boxes } = this.draft;
    const gone = this.ofDeletedClasses();
    if (gone) {
      notice("warning", `Not saved. ${gone} of a class that was deleted from the label book.`, "Choose another class for it in the list, or delete it.");
      return false;
    }
    const item = { image: this.drawn.image, boxes: this.draft.sent(), if_number: this.number };
    const { body } = await ask<{ results: Outcome[] }>(`projects/${this.drawn.project}/annotations`, { method: "POST", body: { annotations: [item] } });
    const outcome = body.results[0];
    if (!outcome) throw new Refused(0, "", "The server's answer says nothing of this image.", "Try again.");
    if (outcome.error?.code === "conflict") return this.settle();
    if (outcome.error) throw new Refused(400, outcome.error.code, outcome.error.message, outcome.error.hint);
    this.number = outcome.number ?? this.number;
    this.draft.keep(boxes);
    const warned = outcome.warnings.map((warning) => warning.message).join(" ");
    notice(warned ? "warning" : "success", outcome.status === "CREATED" ? "Saved." : "Nothing was changed.", warned);
    if (outcome.status === "CREATED" && outcome.annotation) await this.list(outcome.annotation);
    return true;
  }

  private ofDeletedClasses(): string {
    const deleted = new Set(this.drawn.classes.filter((label) => label.deleted).map((label) => label.id));
    const count = this.draft.boxes.filter((box) => deleted.has(box.label)).length;
    return count ? `${counted(count, "box", "boxes")} ${count === 1 ? "is" : "are"}` : "";
  }

  /** Puts what was saved into the history. Where it cannot be read the boxes are saved all the same. */
  private async list(id: string): Promise<void> {
    try {
      this.kept((await ask<Version>(`annotations/${id}`)).body);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      notice("warning", "Saved, but the history is not up to date.", "Reload the page to see it.");
    }
  }

  /** Shows who saved what meanwhile, and does what is chosen; whether it is saved now. */
  private async settle(): Promise<boolean> {
    const { body } = await ask<{ results: Version[] }>(`images/${this.drawn.image}/annotations?limit=1`);
    const theirs = body.results[0];
    if (!theirs) throw new Refused(409, "conflict", "The image was changed meanwhile.", "Reload the page.");
    const choice = await chosen(theirs, this.draft.boxes.length);
    if (choice === "") return false;
    this.number = theirs.number;
    this.kept(theirs);
    if (choice === "mine") return this.send();
    const boxes: SentBox[] = theirs.boxes.map((box) => ({ class: box.class, bbox: box.bbox }));
    this.draft.replace(boxes);
    this.draft.keep(this.draft.boxes);
    notice("info", `These are the boxes of ${theirs.author.name}.`, "Undo brings yours back.");
    return false;
  }
}

/** Asks in the dialog: `theirs`, `mine`, or empty for neither. */
function chosen(theirs: Version, ours: number): Promise<string> {
  const dialog = part<HTMLDialogElement>("#conflict");
  const when = new Date(theirs.created_at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const said = (count: number) => (count ? counted(count, "box", "boxes") : "no defect");
  part("[data-says]", dialog).textContent =
    `${theirs.author.name} saved version ${theirs.number} at ${when}: ${said(theirs.boxes.length)}. Yours: ${said(ours)}.`;
  dialog.returnValue = "";
  return new Promise((resolve) => {
    const choose = (event: Event) => {
      const button = (event.target as HTMLElement).closest<HTMLElement>("[data-choose]");
      if (button) dialog.close(button.dataset.choose);
    };
    dialog.addEventListener("click", choose);
    dialog.addEventListener(
      "close",
      () => {
        dialog.removeEventListener("click", choose);
        resolve(dialog.returnValue);
      },
      { once: true },
    );
    dialog.showModal();
  });
}
