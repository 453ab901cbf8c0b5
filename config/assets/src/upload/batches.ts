// Cutting a choice of files into calls.

// Files a call, as the server takes them; and bytes, so that the first file is sent before the last is read.
export const MOST_FILES = 100;
export const MOST_BYTES = 64 * 1024 * 1024;

/** The files in their order, in batches within both bounds; a file larger than a batch is one of its own. */
export function batches<File extends { size: number | null }>(files: File[], mostFiles = MOST_FILES, mostBytes = MOST_BYTES): File[][] {
  const cut: File[][] = [];
  let bytes = 0;
  for (const file of files) {
    const size = file.size ?? 0;
    const last = cut.at(-1);
    if (last && last.length < mostFiles && bytes + size <= mostBytes) {
      last.push(file);
      bytes += size;
    } else {
      cut.push([file]);
      bytes = size;
    }
  }
  return cut;
}

/** The name of the folder that a file came in, nearest first; empty where it came alone. */
export function folderOf(relativePath: unknown): string {
  if (typeof relativePath !== "string") return "";
  return relativePath.split("/").filter(Boolean).slice(0, -1).join("/").slice(-200);
}
