// The import page: a zip that is dropped or chosen is read, sent straight to S3, and its check asked for.
import { ask, Refused } from "./editor/asking";
import { type Trouble, troubleOf, type Way } from "./upload/conversation";
import { hashed } from "./upload/hashing";
import { send } from "./upload/sending";

const panel = document.querySelector<HTMLElement>("#importer");
if (panel) importer(panel);

function importer(panel: HTMLElement): void {
  const part = <Part extends HTMLElement>(name: string): Part => panel.querySelector<Part>(`[data-${name}]`) as Part;
  const drop = part("drop");
  const input = part<HTMLInputElement>("file");
  const bar = part<HTMLProgressElement>("bar");
  let stop: AbortController | null = null;

  const begin = async (file: File): Promise<void> => {
    if (stop) return;
    complain(refusalOf(file, Number(panel.dataset.maxBytes)));
    if (!part("trouble").hidden) return;
    stop = new AbortController();
    part("name").textContent = file.name;
    part("hint").hidden = false;
    show(true);
    try {
      await bring(file, stop.signal);
    } catch (error) {
      if (!stop.signal.aborted) complain(archiveTrouble(error));
      show(false);
    } finally {
      stop = null;
      input.value = "";
    }
  };

  /** Reads, announces, sends, asks for the check, and leads on to the import's page. */
  const bring = async (file: File, signal: AbortSignal): Promise<void> => {
    const sha256 = await hashed(file, (value) => advance("Reading", value), signal);
    const said = { filename: file.name, size: file.size, sha256 };
    const made = (await ask<{ id: string; upload: Way }>(`projects/${panel.dataset.project}/imports`, { method: "POST", body: said })).body;
    signal.throwIfAborted();
    const started = performance.now();
    await send(made.upload, file, (bytes) => advance(left(bytes, file.size, performance.now() - started), bytes / file.size), signal);
    part("says").textContent = "Sent";
    await ask(`imports/${made.id}/check`, { method: "POST" });
    stop = null; // so that leaving is not questioned
    location.assign((panel.dataset.import ?? "").replace(panel.dataset.project ?? "", made.id));
  };

  const advance = (words: string, value: number): void => {
    bar.value = value;
    part("says").textContent = `${words} · ${Math.floor(value * 100)} %`;
  };

  const show = (isUnderWay: boolean): void => {
    drop.classList.toggle("hidden", isUnderWay);
    part("way").hidden = !isUnderWay;
    bar.value = 0;
  };

  const complain = (trouble: Trouble | null): void => {
    part("trouble").hidden = !trouble;
    part("message").textContent = trouble?.message ?? "";
    part("remedy").textContent = trouble?.hint ?? "";
  };

  input.addEventListener("change", () => input.files?.[0] && void begin(input.files[0]));
  part("stop").addEventListener("click", () => stop?.abort());
  for (const name of ["dragover", "dragleave", "drop"] as const) {
    // Beside the frame, too: else the browser would open the file and leave the page.
    addEventListener(name, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      drop.classList.toggle("border-primary", name === "dragover");
      const file = name === "drop" ? event.dataTransfer.files[0] : undefined;
      if (file) void begin(file);
    });
  }
  addEventListener("beforeunload", (event) => {
    if (stop) event.preventDefault();
  });
}

/** Why a file is not even read, or null. */
function refusalOf(file: File, maxBytes: number): Trouble | null {
  if (!/\.zip$/i.test(file.name)) return { message: `${file.name} is no zip.`, hint: "Pack the images and their labels into one zip, laid out as shown below." };
  if (!file.size) return { message: `${file.name} is empty.`, hint: "Export it again from the tool that made it." };
  if (file.size > maxBytes) return { message: `${file.name} is larger than an archive may be.`, hint: "Split it into several zips, each with its labels, and import one after the other." };
  return null;
}

function archiveTrouble(error: unknown): Trouble {
  if (error instanceof Refused || (error instanceof DOMException && error.name === "NotReadableError")) return troubleOf(error);
  return { message: "The archive did not reach the storage.", hint: "Look at your connection, and choose the same zip again." };
}

/** How long the rest takes at the pace so far, in words. */
function left(bytes: number, size: number, milliseconds: number): string {
  const seconds = bytes ? ((size - bytes) / bytes) * (milliseconds / 1000) : Infinity;
  if (seconds < 5 || milliseconds < 2000) return "Sending";
  if (!Number.isFinite(seconds)) return "Sending";
  return seconds < 90 ? `Sending, ${Math.round(seconds)} s left` : `Sending, ${Math.round(seconds / 60)} min left`;
}
