import type { Bytes } from "../_shared/bytes.ts";

/** The private bucket of Supabase Storage that keeps customers' files, by path. */
export interface MediaStore {
  /** The file, as it comes; null where Storage does not give it. */
  read(path: string): Promise<ReadableStream<Uint8Array> | null>;
  /** Writes the file, over whatever is there: doing it twice does it once. */
  write(
    path: string,
    mimeType: string,
    body: Bytes | ReadableStream<Uint8Array>,
  ): Promise<"written" | "too_large">;
  /** Resolves when the file is not there any more. */
  remove(path: string): Promise<void>;
}

export interface MediaStoreOptions {
  /** Of the project. */
  url: string;
  secretKey: string;
  fetch: typeof fetch;
  deadline: (ms: number) => AbortSignal;
}

const BUCKET = "wa-media";
/** For the whole file. */
const TRANSFER_MS = 60_000;

/** Plain calls of Storage's API with the project's secret key; writing and removing throw on failure. */
export function createMediaStore(options: MediaStoreOptions): MediaStore {
  const { fetch, secretKey } = options;
  const ask = (path: string, init: RequestInit & { headers?: Record<string, string> }) =>
    fetch(`${options.url}/storage/v1/object/${BUCKET}/${path}`, {
      ...init,
      // The one place where a secret key may stand behind Bearer is beside itself.
      headers: { apikey: secretKey, authorization: `Bearer ${secretKey}`, ...init.headers },
      signal: options.deadline(TRANSFER_MS),
    });
  return {
    async read(path) {
      const response = await ask(path, { method: "GET" }).catch(() => null);
      if (response?.ok) return response.body;
      await response?.body?.cancel();
      return null;
    },
    async write(path, mimeType, body) {
      const headers = { "content-type": mimeType, "x-upsert": "true" };
      const answer = await readAnswer(await ask(path, { method: "POST", headers, body }));
      if (answer.status === 413) return "too_large";
      if (answer.status >= 300) {
        throw new Error(`Cannot store the file: Storage says ${answer.status}`);
      }
      return "written";
    },
    async remove(path) {
      const { status } = await readAnswer(await ask(path, { method: "DELETE" }));
      if (status >= 300 && status !== 404) {
        throw new Error(`Cannot remove the file: Storage says ${status}`);
      }
    },
  };
}

// Storage answers 400 to much that has a status of its own, and writes that one into the body.
async function readAnswer(response: Response): Promise<{ status: number }> {
  const text = await response.text();
  if (response.ok) return { status: response.status };
  const said = /"statusCode":\s*"?(\d{3})\b/.exec(text.slice(0, 1_000));
  return { status: Number(said?.[1] ?? response.status) };
}
