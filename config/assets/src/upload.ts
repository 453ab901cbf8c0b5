// The upload page: files and folders dropped or chosen, sent straight to S3, and what became of each.
import Uppy from "@uppy/core";
import Dashboard from "@uppy/dashboard";
import "@uppy/core/css/style.min.css";
import "@uppy/dashboard/css/style.min.css";
import "./upload/dashboard.css";
import { folderOf } from "./upload/batches";
import { Outcome } from "./upload/outcome";
import { type Body, type Chosen, type Meta, Pipeline } from "./upload/pipeline";

const host = document.querySelector<HTMLElement>("#uploader") as HTMLElement;
const batch = document.querySelector<HTMLFormElement>("#batch") as HTMLFormElement;
const outcome = new Outcome(document.querySelector<HTMLElement>("#outcome") as HTMLElement);
const maxBytes = Number(host.dataset.maxBytes);
const silent = { debug: () => {}, warn: () => {}, error: () => {} };

const uppy = new Uppy<Meta, Body>({
  logger: silent,
  restrictions: { allowedFileTypes: (host.dataset.types ?? "").split(","), maxFileSize: maxBytes },
  locale: {
    strings: {
      youCanOnlyUploadFileTypes: "It is no image that can be taken: JPEG, PNG, WebP, TIFF or BMP.",
      exceedsSize: "It is larger than %{size}.",
      noDuplicates: "It is in the list already.",
    },
    pluralize: (count) => (count === 1 ? 0 : 1),
  },
});

/** What the form says of every file, and of its group. */
function describe(file: Chosen): { metadata: Record<string, string>; group?: string } {
  const said = new FormData(batch);
  const text = (name: string): string => String(said.get(name) ?? "").trim();
  const named = ["camera", "line", "shift", "lot"].map((name) => [name, text(name)] as const);
  const metadata = Object.fromEntries(named.filter(([, value]) => value));
  const group = text("grouping") === "folder" ? folderOf(file.meta.relativePath) : text("grouping") === "group" ? text("group") : "";
  return group ? { metadata, group } : { metadata };
}

const pipeline = new Pipeline(uppy, host.dataset.project ?? "", describe, outcome);
uppy.addUploader(pipeline.upload);

function theme(): "dark" | "light" | "auto" {
  const chosen = document.documentElement.dataset.theme;
  return chosen === "dark" || chosen === "light" ? chosen : "auto";
}

uppy.use(Dashboard<Meta, Body>, {
  inline: true,
  target: host,
  width: "100%",
  height: 420,
  theme: theme(),
  fileManagerSelectionType: "both",
  proudlyDisplayPoweredByUppy: false,
  hidePauseResumeButton: true,
  disableInformer: true,
  singleFileFullScreen: false,
  note: `JPEG, PNG, WebP, TIFF or BMP, up to ${Math.floor(maxBytes / 1024 / 1024)} MB each`,
  locale: {
    strings: {
      dashboardTitle: "Files to upload",
      dropPasteBoth: "Drop photographs or whole folders here, %{browseFiles} or %{browseFolders}",
      browseFiles: "choose files",
      browseFolders: "choose a folder",
      complete: "Sent",
      uploadFailed: "Some were not taken",
    },
  },
});
new MutationObserver(() => uppy.getPlugin<Dashboard<Meta, Body>>("Dashboard")?.setOptions({ theme: theme() })).observe(
  document.documentElement,
  { attributeFilter: ["data-theme"] },
);

let isUnderWay = false;
// Set between the wish to try again and the upload that follows from it.
let isRetry = false;
uppy.on("upload", (_, files) => {
  if (!isUnderWay && !isRetry) outcome.begin(files as Chosen[]);
  isUnderWay = true;
  isRetry = false;
});
function again(files: Chosen[]): void {
  isRetry = true;
  outcome.again(files);
}
uppy.on("retry-all", (files) => again(files as Chosen[]));
uppy.on("upload-retry", (file) => again([file as Chosen]));
uppy.on("complete", () => {
  if (isUnderWay) outcome.enter("over");
  isUnderWay = false;
});
uppy.on("cancel-all", () => {
  if (isUnderWay) outcome.enter("canceled");
  isUnderWay = false;
});
// A file that is refused before it is even in the list is named as well.
uppy.on("restriction-failed", (file, error) => {
  outcome.refused(file?.name ?? "", { message: error.message, hint: "Save it as JPEG, or leave it out: the others go." });
});
batch.addEventListener("submit", (event) => event.preventDefault());
window.addEventListener("beforeunload", (event) => {
  if (isUnderWay) event.preventDefault();
});
