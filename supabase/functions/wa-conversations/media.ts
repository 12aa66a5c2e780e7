import { createHash } from "node:crypto";
import * as z from "zod";
import type { CallRpc } from "../_shared/database.ts";
import { problem } from "../_shared/http/problem.ts";

export interface MediaDeps {
  call: CallRpc;
  fetch: typeof fetch;
  /** A signal that aborts by itself after this time. */
  deadline: (ms: number) => AbortSignal;
  graph: { url: string; version: string };
}

const LOOKUP_MS = 10_000;
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

const found = z.object({
  sender_id: z.string(),
  phone_number_id: z.string(),
  type: z.string(),
  id: z.string(),
  mime_type: z.string().nullable(),
  sha256: z.string().nullable(),
  filename: z.string().nullable(),
}).nullable();
type Found = NonNullable<z.output<typeof found>>;

const described = z.looseObject({
  url: z.string(),
  mime_type: z.string(),
  file_size: z.coerce.number().optional(),
});

/**
 * Passes the file of a customer's message on from Meta, for as long as Meta keeps it: of the type that
 * the webhook told, within its limit of size, and cut off where it is not what its SHA-256 says.
 */
export async function passMediaOn(
  deps: MediaDeps,
  tenantId: string,
  eventId: string,
): Promise<Response> {
  const media = found.parse(
    await deps.call("find_media", { tenant_id: tenantId, event_id: Number(eventId) }),
  );
  if (media === null) return noSuchMedia();
  const [credential] = await deps.call("read_credentials", { sender_ids: [media.sender_id] });
  const token = credential?.access_token;
  if (!token) return unavailable("The sender has no access token.");
  // An address lives five minutes; one that is gone already is asked for once more.
  for (const isLast of [false, true]) {
    const place = await describe(deps, media, token);
    if (place instanceof Response) return place;
    const file = await download(deps, place.url, token);
    if (file === null || (file.status === 404 && !isLast)) continue;
    return file.ok ? answer(media, place, file) : unavailable("Meta does not give the file.");
  }
  return unavailable("Meta does not give the file.");
}

async function describe(deps: MediaDeps, media: Found, token: string) {
  const { url, version } = deps.graph;
  const query = new URLSearchParams({ phone_number_id: media.phone_number_id });
  const address = `${url}/${version}/${encodeURIComponent(media.id)}?${query}`;
  const asked = await get(deps, address, token, LOOKUP_MS);
  if (asked === null || asked.status >= 500) return unavailable("Meta does not answer.");
  const parsed = described.safeParse(await asked.json().catch(() => null));
  if (asked.ok && parsed.success) return checked(deps, media, parsed.data);
  if (asked.status === 401 || asked.status === 403) {
    return unavailable("Meta refuses the sender's access token.");
  }
  return problem(410, "media_gone", "Meta keeps a customer's file for seven days.");
}

function checked(deps: MediaDeps, media: Found, place: z.output<typeof described>) {
  const host = URL.canParse(place.url) ? new URL(place.url) : null;
  const isMetas = host !== null &&
    (host.origin === new URL(deps.graph.url).origin ||
      (host.protocol === "https:" && META_HOSTS.test(host.hostname)));
  if (!isMetas) return unavailable("Meta names an address that is not its own.");
  if (media.mime_type !== null && kindOf(media.mime_type) !== kindOf(place.mime_type)) {
    return unavailable("The file is of another type than the message told.");
  }
  if ((place.file_size ?? 0) > limitOf(media)) return unavailable("The file is too large.");
  return place;
}

function download(deps: MediaDeps, url: string, token: string) {
  return get(deps, url, token, DOWNLOAD_MS);
}

async function get({ fetch, deadline }: MediaDeps, url: string, token: string, ms: number) {
  const headers = { authorization: `Bearer ${token}` };
  return await fetch(url, { headers, redirect: "manual", signal: deadline(ms) }).catch(() => null);
}

function answer(media: Found, place: { mime_type: string }, file: Response): Response {
  const size = file.headers.get("content-length");
  if (Number(size ?? 0) > limitOf(media) || file.body === null) {
    void file.body?.cancel();
    return unavailable("The file is too large.");
  }
  const name = encodeURIComponent(media.filename ?? media.id);
  return new Response(file.body.pipeThrough(verify(media)), {
    headers: {
      "content-type": place.mime_type,
      "content-disposition": `attachment; filename*=UTF-8''${name}`,
      "x-content-type-options": "nosniff",
      "cache-control": "private, no-store",
    },
  });
}

// What was sent already cannot be taken back: the connection breaks instead of ending.
function verify(media: Found): TransformStream<Uint8Array, Uint8Array> {
  const hash = createHash("sha256");
  let left = limitOf(media);
  return new TransformStream({
    transform(chunk, controller) {
      left -= chunk.byteLength;
      if (left < 0) throw new Error("Cannot pass media on: it is larger than its type allows");
      hash.update(chunk);
      controller.enqueue(chunk);
    },
    flush() {
      const digest = hash.digest();
      // Meta writes the digest in Base64 in webhooks and in hex elsewhere.
      const forms = [digest.toString("base64"), digest.toString("hex")];
      if (media.sha256 !== null && !forms.includes(media.sha256)) {
        throw new Error("Cannot pass media on: it is not what its digest says");
      }
    },
  });
}

function limitOf({ type }: Found): number {
  return MAX_BYTES.get(type) ?? MB;
}

function kindOf(mimeType: string): string {
  return mimeType.split(";")[0]!.trim().toLowerCase();
}

function noSuchMedia(): Response {
  return problem(404, "not_found", "The tenant has no such message, or it has no file.");
}

function unavailable(detail: string): Response {
  return problem(502, "media_unavailable", detail);
}
