import * as z from "zod";
import { problem } from "../_shared/http/problem.ts";
import { explainRefusal, openAtMeta, verifyMedia } from "./media_source.ts";
import type { MediaSourceDeps } from "./media_source.ts";
import type { MediaStore } from "./media_store.ts";

export interface MediaDeps extends MediaSourceDeps {
  store: MediaStore;
}

const found = z.object({
  sender_id: z.string(),
  phone_number_id: z.string(),
  type: z.string(),
  id: z.string(),
  mime_type: z.string().nullable(),
  sha256: z.string().nullable(),
  filename: z.string().nullable(),
  kept: z.object({ path: z.string(), mime_type: z.string() }).nullable(),
}).nullable();
type Found = NonNullable<z.output<typeof found>>;

/**
 * Passes the file of a customer's message on: from Storage where it is kept, else from Meta for as long
 * as Meta has it, of the type that the webhook told, within its limit of size, and cut off where it is
 * not what its SHA-256 says.
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
  const kept = media.kept && await deps.store.read(media.kept.path);
  if (media.kept && kept) return answer(media, media.kept.mime_type, kept);
  const opened = await openAtMeta(deps, media);
  if (opened.ok) {
    // What was sent already cannot be taken back: the connection breaks instead of ending.
    const body = opened.file.body.pipeThrough(verifyMedia(media).stream);
    return answer(media, opened.file.mimeType, body);
  }
  const detail = explainRefusal(opened.refusal);
  return opened.refusal === "gone"
    ? problem(410, "media_gone", detail)
    : problem(502, "media_unavailable", detail);
}

function answer(media: Found, mimeType: string, body: ReadableStream<Uint8Array>): Response {
  const name = encodeURIComponent(media.filename ?? media.id);
  return new Response(body, {
    headers: {
      "content-type": mimeType,
      "content-disposition": `attachment; filename*=UTF-8''${name}`,
      "x-content-type-options": "nosniff",
      "cache-control": "private, no-store",
    },
  });
}

function noSuchMedia(): Response {
  return problem(404, "not_found", "The tenant has no such message, or it has no file.");
}
