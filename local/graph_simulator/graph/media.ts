import { createHash } from "node:crypto";
import type { Refusal } from "./error_bodies.ts";
import { INVALID_PARAMETER } from "./field_rules.ts";
import type { Ids } from "../ids.ts";

/** A file that the Graph API keeps for a while. */
export interface Media {
  id: string;
  phoneNumberId: string;
  mimeType: string;
  sha256: string;
  bytes: Uint8Array<ArrayBuffer>;
  expiresAt: number;
}

const DAY_MS = 86_400_000;
/** A business's upload lives 30 days, a customer's media 7 (since 2025-10-09), a url 5 minutes. */
export const UPLOAD_KEPT_MS = 30 * DAY_MS;
export const INBOUND_KEPT_MS = 7 * DAY_MS;
const URL_KEPT_MS = 5 * 60_000;
const MOST_BYTES_KEPT = 128 * 1024 * 1024;
const MB = 1024 * 1024;

/** What may be uploaded, by the beginning of its type, and how large it may be. */
const uploadLimits: readonly { prefix: string; maxBytes: number; sentAs: readonly string[] }[] = [
  { prefix: "image/jpeg", maxBytes: 5 * MB, sentAs: ["image", "document"] },
  { prefix: "image/png", maxBytes: 5 * MB, sentAs: ["image", "document"] },
  { prefix: "image/webp", maxBytes: 500 * 1024, sentAs: ["sticker"] },
  { prefix: "audio/", maxBytes: 16 * MB, sentAs: ["audio", "document"] },
  { prefix: "video/mp4", maxBytes: 16 * MB, sentAs: ["video", "document"] },
  { prefix: "video/3gp", maxBytes: 16 * MB, sentAs: ["video", "document"] },
  { prefix: "text/plain", maxBytes: 100 * MB, sentAs: ["document"] },
  { prefix: "application/", maxBytes: 100 * MB, sentAs: ["document"] },
];

/** Keeps media within a bounded memory: the oldest file goes first. */
export interface MediaStore {
  put(file: Pick<Media, "phoneNumberId" | "mimeType" | "bytes">, keptMs: number): Media;
  /** Undefined where the id was never given out, "expired" where it was. */
  find(id: string): Media | "expired" | undefined;
  remove(id: string): boolean;
  /** A new address for a file, good for five minutes. */
  urlOf(media: Media): string;
  download(token: string): Media | undefined;
  clear(): void;
}

export function createMediaStore(
  deps: { now: () => number; ids: Ids; baseUrl: () => string },
): MediaStore {
  const files = new Map<string, Media>();
  let bytesKept = 0;

  function remove(id: string): boolean {
    const file = files.get(id);
    if (file === undefined) return false;
    files.delete(id);
    bytesKept -= file.bytes.length;
    return true;
  }

  function makeRoom(): void {
    for (const id of files.keys()) {
      if (bytesKept <= MOST_BYTES_KEPT || files.size === 1) return;
      remove(id);
    }
  }

  return {
    put(file, keptMs) {
      const sha256 = createHash("sha256").update(file.bytes).digest("hex");
      const media = { ...file, id: deps.ids.media(), sha256, expiresAt: deps.now() + keptMs };
      files.set(media.id, media);
      bytesKept += media.bytes.length;
      makeRoom();
      return media;
    },
    find(id) {
      const file = files.get(id);
      return file !== undefined && file.expiresAt <= deps.now() ? "expired" : file;
    },
    remove,
    urlOf: ({ id }) => `${deps.baseUrl()}/_media/${id}.${deps.now() + URL_KEPT_MS}`,
    download(token) {
      const [id, goodUntil] = token.split(".");
      const file = files.get(String(id));
      return deps.now() < Number(goodUntil) ? file : undefined;
    },
    clear() {
      files.clear();
      bytesKept = 0;
    },
  };
}

/** Why a file cannot be uploaded. */
export function checkUpload(mimeType: string, size: number): Refusal | null {
  const limit = uploadLimits.find(({ prefix }) => mimeType.startsWith(prefix));
  if (limit === undefined) {
    const known = uploadLimits.map(({ prefix }) => prefix).join(", ");
    const details = `Param file must be a file with one of the following types: ${known}. ` +
      `Received file of type '${mimeType}'.`;
    return { code: INVALID_PARAMETER, details };
  }
  if (size <= limit.maxBytes) return null;
  return { code: 131053, details: `The file is larger than ${limit.maxBytes} bytes.` };
}

/** Whether a stored file may be sent as this type of message. */
export function canBeSentAs(mimeType: string, type: string): boolean {
  return uploadLimits.some(({ prefix, sentAs }) =>
    mimeType.startsWith(prefix) && sentAs.includes(type)
  );
}
