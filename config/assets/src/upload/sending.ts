// The bytes of one file, straight to S3.
import { fetcher } from "@uppy/core/utils";
import type { Way } from "./conversation";

/** Sends what has not arrived yet. `progress` hears bytes. Raises AbortError, or NetworkError after four tries. */
export async function send(way: Way, file: Blob, progress: (sent: number) => void, signal: AbortSignal): Promise<void> {
  if (way.method === "POST") return sendForm(way, file, progress, signal);
  let sent = 0;
  for (const part of way.parts) {
    if (!way.uploaded.includes(part.number)) {
      const start = (part.number - 1) * way.part_size;
      const before = sent;
      const slice = file.slice(start, start + part.size);
      await put(part.url, "PUT", slice, (loaded) => progress(before + Math.min(loaded, part.size)), signal);
    }
    sent += part.size;
    progress(sent);
  }
}

async function sendForm(way: Way & { method: "POST" }, file: Blob, progress: (sent: number) => void, signal: AbortSignal): Promise<void> {
  const form = new FormData();
  for (const [name, value] of Object.entries(way.fields)) form.append(name, value);
  form.append("file", file);
  // The form around the file is some hundred bytes.
  await put(way.url, "POST", form, (loaded) => progress(Math.min(loaded, file.size)), signal);
}

async function put(url: string, method: string, body: Blob | FormData, progress: (loaded: number) => void, signal: AbortSignal): Promise<void> {
  await fetcher(url, {
    method,
    body,
    signal,
    retries: 3,
    timeout: 0, // a slow line is no error; a broken one is told by the connection
    // S3 refuses for good what does not fit its signature.
    shouldRetry: (request) => request.status === 0 || request.status === 429 || request.status >= 500,
    onUploadProgress: (event) => progress(event.loaded),
  });
}
