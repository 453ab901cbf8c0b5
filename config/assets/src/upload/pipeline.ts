// One upload from the choice of files to the end of their ingest: read and hashed, registered, sent to S3, checked.
import type Uppy from "@uppy/core";
import type { UppyFile } from "@uppy/core";
import { filterFilesToUpload, TaskQueue } from "@uppy/core/utils";
import { forPeople } from "../editor/asking";
import { batches } from "./batches";
import { complete, type Item, type Line, pause, register, type Trouble, troubleOf } from "./conversation";
import { hashed } from "./hashing";
import { send } from "./sending";

export type Body = Record<string, never>;
export type Meta = { relativePath?: string | null; [name: string]: unknown };
export type Chosen = UppyFile<Meta, Body>;

/** What of an item is the same for the batch, or follows from the file's place. */
export type Describe = (file: Chosen) => Pick<Item, "metadata" | "group">;

/** What became of a file. */
export interface Outcomes {
  sent(file: Chosen): void;
  ready(file: Chosen): void;
  duplicate(file: Chosen): void;
  failed(file: Chosen, trouble: Trouble): void;
}

// Connections to S3, as browsers allow them to one host.
const AT_ONCE = 6;
// Seconds between two looks at what is being checked, at first and at most.
const LOOK = 0.7;
const LOOK_MOST = 5;

export class Pipeline {
  private readonly queue = new TaskQueue({ concurrency: AT_ONCE });
  /** Of each file under way. */
  private readonly stops = new Map<string, AbortController>();

  constructor(
    private readonly uppy: Uppy<Meta, Body>,
    private readonly project: string,
    private readonly describe: Describe,
    private readonly outcomes: Outcomes,
  ) {
    uppy.on("file-removed", (file) => this.stops.get(file.id)?.abort());
    uppy.on("cancel-all", () => this.stops.forEach((stop) => stop.abort()));
  }

  /** Uppy's uploader. Ends when the fate of every file is known; files that are taken away are let go. */
  readonly upload = async (ids: string[]): Promise<void> => {
    const files = filterFilesToUpload(this.uppy.getFilesByIds(ids));
    this.uppy.emit("upload-start", files);
    for (const file of files) this.stops.set(file.id, new AbortController());
    let sending: Promise<void> = Promise.resolve();
    const checking: Promise<void>[] = [];
    for (const batch of batches(files)) {
      const items = await this.read(batch);
      // Forms are good for minutes: a batch gets its own when the one before is on its way.
      await sending;
      const sent = this.registered(items).then((lines) => this.sent(lines));
      sending = sent.then(() => undefined);
      checking.push(sent.then((images) => this.checked(images)));
    }
    await Promise.all(checking);
    for (const file of files) this.stops.delete(file.id);
  };

  /** The files with their hashes; those that cannot be read fail. */
  private async read(batch: Chosen[]): Promise<Map<Chosen, Item>> {
    const items = new Map<Chosen, Item>();
    for (const file of batch) {
      const signal = this.signal(file);
      try {
        const data = file.data as Blob;
        const sha256 = await hashed(
          data,
          (value) => this.uppy.emit("preprocess-progress", file, { mode: "determinate", message: "Reading", value }),
          signal,
        );
        this.uppy.emit("preprocess-complete", file);
        items.set(file, { filename: file.name, size: data.size, sha256, content_type: file.type, ...this.describe(file) });
      } catch (error) {
        this.lose(file, error);
      }
    }
    return items;
  }

  private async registered(items: Map<Chosen, Item>): Promise<Map<Chosen, Line>> {
    const wanted = [...items].filter(([file]) => !this.signal(file).aborted);
    const found = new Map<Chosen, Line>();
    if (!wanted.length) return found;
    try {
      const lines = await register(this.project, wanted.map(([, item]) => item), this.anyOf(wanted.map(([file]) => file)));
      wanted.forEach(([file], index) => found.set(file, lines[index] as Line));
    } catch (error) {
      for (const [file] of wanted) this.lose(file, error);
    }
    return found;
  }

  /** Sends what is to be sent; image → file, of those whose ingest is to be asked for. */
  private async sent(lines: Map<Chosen, Line>): Promise<Map<string, Chosen>> {
    const images = new Map<string, Chosen>();
    const one = async (file: Chosen, line: Line): Promise<void> => {
      if (line.error || !line.image) return this.fail(file, line.error ?? { message: "The file was refused.", hint: "Try again." });
      if (!line.upload) {
        // There already; or a twin of it stands in this very choice.
        if (line.status === "ARRIVED") images.set(line.image, file);
        else this.found(file);
        return;
      }
      const way = line.upload;
      const signal = this.signal(file);
      try {
        await this.queue.add(() => send(way, file.data as Blob, (bytes) => this.progress(file, bytes), signal));
        images.set(line.image, file);
        this.outcomes.sent(file);
        this.uppy.emit("postprocess-progress", file, { mode: "indeterminate", message: "Being checked" });
      } catch (error) {
        this.lose(file, error);
      }
    };
    await Promise.all([...lines].map(([file, line]) => one(file, line)));
    return images;
  }

  /** Asks for the ingest, and looks until each image is READY or FAILED. */
  private async checked(images: Map<string, Chosen>): Promise<void> {
    for (let wait = LOOK; images.size; wait = Math.min(LOOK_MOST, wait * 1.3)) {
      for (const [image, file] of images) if (this.signal(file).aborted) images.delete(image);
      if (!images.size) return;
      const signal = this.anyOf([...images.values()]);
      try {
        for (const { image, status, error } of await complete(this.project, [...images.keys()], signal)) {
          const file = images.get(image);
          if (!file || status === "ARRIVED" || status === "AWAITING") continue;
          images.delete(image);
          if (status === "READY") this.succeed(file);
          else if (status === "FAILED" && error) this.fail(file, error);
          else this.lose(file, new Error(status));
        }
      } catch (error) {
        for (const file of images.values()) this.lose(file, error);
        return;
      }
      if (images.size) await pause(wait, signal);
    }
  }

  private signal(file: Chosen): AbortSignal {
    return this.stops.get(file.id)?.signal ?? AbortSignal.abort();
  }

  /** Aborted when all of the files are. */
  private anyOf(files: Chosen[]): AbortSignal {
    const signals = files.map((file) => this.signal(file));
    const all = new AbortController();
    const look = (): void => void (signals.every((signal) => signal.aborted) && all.abort());
    for (const signal of signals) signal.addEventListener("abort", look, { once: true });
    look();
    return all.signal;
  }

  private progress(file: Chosen, bytes: number): void {
    const { uploadStarted } = this.uppy.getFile(file.id)?.progress ?? {};
    this.uppy.emit("upload-progress", file, { uploadStarted: uploadStarted ?? Date.now(), bytesUploaded: bytes, bytesTotal: file.size });
  }

  private succeed(file: Chosen): void {
    this.uppy.emit("upload-success", file, { status: 200 });
    this.outcomes.ready(file);
  }

  private found(file: Chosen): void {
    this.uppy.emit("upload-success", file, { status: 200 });
    this.outcomes.duplicate(file);
  }

  private lose(file: Chosen, error: unknown): void {
    if (!this.signal(file).aborted) this.fail(file, troubleOf(error));
  }

  private fail(file: Chosen, said: Trouble): void {
    const trouble = { message: said.message, hint: forPeople(said.hint) };
    this.uppy.emit("upload-error", file, { name: "Refused", message: `${trouble.message} ${trouble.hint}` });
    this.outcomes.failed(file, trouble);
  }
}
