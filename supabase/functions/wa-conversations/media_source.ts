import { createHash } from "node:crypto";
import * as z from "zod";
import type { CallRpc } from "../_shared/database.ts";

export interface MediaSourceDeps {
  call: CallRpc;
  fetch: typeof fetch;
  /** A signal that aborts by itself after this time. */
  deadline: (ms: number) => AbortSignal;
  graph: { url: string; version: string };
}

/** What the webhook told of a file. */
export interface ToldMedia {
  sender_id: string;
  phone_number_id: string;
  type: string;
  /** At Meta. */
  id: string;
  mime_type: string | null;
  sha256: string | null;
}

const REFUSALS = {
  no_token: "The sender has no access token.",
  unanswered: "Meta does not answer.",
  token_refused: "Meta refuses the sender's access token.",
  gone: "Meta keeps a customer's file for seven days.",
  foreign_address: "Meta names an address that is not its own.",
  wrong_type: "The file is of another type than the message told.",
  too_large: "The file is too large.",
  not_given: "Meta does not give the file.",
} as const;

export type Refusal = keyof typeof REFUSALS;

/** A file that Meta gives: what it says of it, and its bytes as they come. */
export interface OpenedMedia {
  mimeType: string;
  /** Null where nobody said it. */
  sizeBytes: number | null;
  body: ReadableStream<Uint8Array>;
}

type Opened = { ok: true; file: OpenedMedia } | { ok: false; refusal: Refusal };

/** A file that is not what it should be, found out while it came. */
export class MediaError extends Error {
  constructor(readonly refusal: "too_large" | "wrong_digest", message: string) {
    super(`Cannot take the file: ${message}`);
    this.name = "MediaError";
  }
}

const LOOKUP_MS = 10_000;
/** For the whole file. */
const DOWNLOAD_MS = 60_000;
const MB = 1024 * 1024;

/** Meta takes over up to 100 MB of a customer's file, and less of what is no document. */
const MAX_BYTES: ReadonlyMap<string, number> = new Map([
  ["image", 16 * MB],
  ["video", 100 * MB],
  ["audio", 16 * MB],
  ["document", 100 * MB],
  ["sticker", MB],
]);
/** Where Meta keeps files; the token goes nowhere else. */
const META_HOSTS = /(^|\.)(fbsbx\.com|fbcdn\.net|facebook\.com|whatsapp\.net)$/;

const described = z.looseObject({
  url: z.string(),
  mime_type: z.string(),
  file_size: z.coerce.number().optional(),
});
type Described = z.output<typeof described>;
const failed = z.looseObject({ error: z.looseObject({ code: z.number() }) });
/** Of Meta's errors: there is no such object. */
const NO_SUCH_OBJECT = 100;

/** Says in a sentence why a file is not there. */
export function explainRefusal(refusal: Refusal): string {
  return REFUSALS[refusal];
}

/** How long a file of this type may be, in bytes. */
export function limitOf({ type }: Pick<ToldMedia, "type">): number {
  return MAX_BYTES.get(type) ?? MB;
}

/** Opens a customer's file at Meta; its bytes are still to be verified, by `verifyMedia`. */
export async function openAtMeta(deps: MediaSourceDeps, media: ToldMedia): Promise<Opened> {
  const [credential] = await deps.call("read_credentials", { sender_ids: [media.sender_id] });
  const token = credential?.access_token;
  if (!token) return refused("no_token");
  // An address lives five minutes; one that is gone already is asked for once more.
  for (const isLast of [false, true]) {
    const place = await describe(deps, media, token);
    if (typeof place === "string") return refused(place);
    const file = await get(deps, place.url, token, DOWNLOAD_MS);
    if (file !== null && file.ok) return opened(media, place, file);
    await file?.body?.cancel();
    if (file !== null && (file.status !== 404 || isLast)) break;
  }
  return refused("not_given");
}

/** A file's bytes on their way, and what was found of them. */
export interface Verification {
  stream: TransformStream<Uint8Array, Uint8Array>;
  /** Of the whole file, once it went through. */
  tell(): { sha256: string; sizeBytes: number };
  /** What made it fail; whoever was reading may have another error to tell. */
  failure(): MediaError | null;
}

/** Lets bytes through while they may be the file, and fails where they are too many or others. */
export function verifyMedia(media: ToldMedia): Verification {
  const hash = createHash("sha256");
  const limit = limitOf(media);
  let sizeBytes = 0;
  let sha256 = "";
  let failure: MediaError | null = null;
  const fail = (refusal: MediaError["refusal"], message: string) =>
    failure = new MediaError(refusal, message);
  const stream = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      sizeBytes += chunk.byteLength;
      if (sizeBytes > limit) throw fail("too_large", "it is larger than its type allows");
      hash.update(chunk);
      controller.enqueue(chunk);
    },
    flush() {
      const digest = hash.digest();
      sha256 = digest.toString("hex");
      // Meta writes the digest in Base64 in webhooks and in hex elsewhere.
      const forms = [digest.toString("base64"), sha256];
      if (media.sha256 !== null && !forms.includes(media.sha256)) {
        throw fail("wrong_digest", "it is not what its digest says");
      }
    },
  });
  return { stream, tell: () => ({ sha256, sizeBytes }), failure: () => failure };
}

async function describe(
  deps: MediaSourceDeps,
  media: ToldMedia,
  token: string,
): Promise<Described | Refusal> {
  const { url, version } = deps.graph;
  const query = new URLSearchParams({ phone_number_id: media.phone_number_id });
  const address = `${url}/${version}/${encodeURIComponent(media.id)}?${query}`;
  const asked = await get(deps, address, token, LOOKUP_MS);
  if (asked === null) return "unanswered";
  const said: unknown = await asked.json().catch(() => null);
  const parsed = described.safeParse(said);
  if (asked.ok && parsed.success) return judge(deps, media, parsed.data);
  if (asked.status === 401 || asked.status === 403) return "token_refused";
  const error = failed.safeParse(said);
  const isGone = asked.status < 500 && error.success && error.data.error.code === NO_SUCH_OBJECT;
  return isGone || asked.status === 404 ? "gone" : "unanswered";
}

function judge(deps: MediaSourceDeps, media: ToldMedia, place: Described): Described | Refusal {
  const host = URL.canParse(place.url) ? new URL(place.url) : null;
  const isMetas = host !== null &&
    (host.origin === new URL(deps.graph.url).origin ||
      (host.protocol === "https:" && META_HOSTS.test(host.hostname)));
  if (!isMetas) return "foreign_address";
  if (media.mime_type !== null && kindOf(media.mime_type) !== kindOf(place.mime_type)) {
    return "wrong_type";
  }
  return (place.file_size ?? 0) > limitOf(media) ? "too_large" : place;
}

async function opened(media: ToldMedia, place: Described, file: Response): Promise<Opened> {
  const length = file.headers.get("content-length");
  const sizeBytes = length === null ? place.file_size ?? null : Number(length);
  if (file.body !== null && (sizeBytes ?? 0) <= limitOf(media)) {
    return { ok: true, file: { mimeType: place.mime_type, sizeBytes, body: file.body } };
  }
  await file.body?.cancel();
  return refused("too_large");
}

async function get({ fetch, deadline }: MediaSourceDeps, url: string, token: string, ms: number) {
  const headers = { authorization: `Bearer ${token}` };
  return await fetch(url, { headers, redirect: "manual", signal: deadline(ms) }).catch(() => null);
}

function refused(refusal: Refusal): Opened {
  return { ok: false, refusal };
}

function kindOf(mimeType: string): string {
  return mimeType.split(";")[0]!.trim().toLowerCase();
}
