// SHA-256 of a file of any size, slice by slice: the browser's own takes whole files, and only over https.
import { sha256 } from "@noble/hashes/sha2.js";
import { bytesToHex } from "@noble/hashes/utils.js";

const SLICE = 4 * 1024 * 1024;

/** The file's hash in hexadecimal digits. Raises AbortError; or NotReadableError where the file is gone. */
export async function hashed(file: Blob, progress: (part: number) => void, signal: AbortSignal): Promise<string> {
  const hash = sha256.create();
  for (let start = 0; start < file.size; start += SLICE) {
    signal.throwIfAborted();
    hash.update(new Uint8Array(await file.slice(start, start + SLICE).arrayBuffer()));
    progress(Math.min(1, (start + SLICE) / file.size));
  }
  return bytesToHex(hash.digest());
}
