// What is said between this page and the server about files: the API's own `uploads`, asked by the session.
import { ask, Refused } from "../editor/asking";

export interface Trouble {
  message: string;
  hint: string;
}

/** How the bytes of one file are to be sent: a form, or parts of which some have arrived already. */
export type Way =
  | { method: "POST"; url: string; fields: Record<string, string> }
  | { method: "MULTIPART"; part_size: number; parts: { number: number; size: number; url: string }[]; uploaded: number[] };

export interface Item {
  filename: string;
  size: number;
  sha256: string;
  content_type: string;
  metadata: Record<string, string>;
  group?: string;
}

/** What became of one item. With `upload` it is to be sent; `duplicate` ones are there already. */
export interface Line {
  status: string;
  image?: string;
  duplicate?: boolean;
  upload?: Way;
  error?: Trouble;
}

export interface Arrival {
  image: string;
  status: "AWAITING" | "ARRIVED" | "READY" | "FAILED" | "MISSING" | "NOT_FOUND";
  error: Trouble | null;
}

// Seconds between tries while the server is away or asks for patience.
const PATIENCE = [1, 2, 4, 8, 15, 30];

export function register(project: string, files: Item[], signal: AbortSignal): Promise<Line[]> {
  return patiently<Line[]>(`projects/${project}/uploads`, { files }, signal);
}

/** Says that files were sent, and asks how far each is. Asking again changes nothing. */
export function complete(project: string, images: string[], signal: AbortSignal): Promise<Arrival[]> {
  return patiently<Arrival[]>(`projects/${project}/uploads/complete`, { images }, signal);
}

async function patiently<Results>(path: string, body: unknown, signal: AbortSignal): Promise<Results> {
  for (let attempt = 0; ; attempt++) {
    signal.throwIfAborted();
    try {
      return (await ask<{ results: Results }>(path, { method: "POST", body })).body.results;
    } catch (error) {
      const wait = PATIENCE[attempt];
      if (!(error instanceof Refused) || !passes(error.status) || wait === undefined) throw error;
      await pause(wait, signal);
    }
  }
}

/** Whether waiting may help: nothing answered, too many requests, or the server is away. */
function passes(status: number): boolean {
  return status === 0 || status === 429 || status >= 500;
}

/** Waits so many seconds, or until it is aborted. */
export function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, seconds * 1000);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });
}

export function troubleOf(error: unknown): Trouble {
  if (error instanceof Refused) return { message: error.message, hint: error.hint };
  if (error instanceof DOMException && error.name === "NotReadableError")
    return { message: "The file cannot be read any more.", hint: "It was moved, changed or taken out since you chose it. Choose it again." };
  return { message: "The file did not reach the storage.", hint: "Look at your connection, and try again: what has arrived is not sent twice." };
}
