import type { BusinessNumber } from "../graph/business_numbers.ts";
import { webhookError } from "../graph/error_bodies.ts";
import { INBOUND_KEPT_MS, type Media, type MediaStore } from "../graph/media.ts";

type Content = Record<string, unknown>;
interface ContentDeps {
  media: MediaStore;
}
/** Turns what a caller gave into the content of a webhook, with all that Meta would have added. */
type Complete = (given: Content, number: BusinessNumber, deps: ContentDeps) => Content;

/** A picture of one grey pixel, for callers that have none at hand. */
const SAMPLE_PNG = Uint8Array.from(
  atob(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNsaGj4DwAFhAKAjM1nSQAAAABJRU5ErkJggg==",
  ),
  (character) => character.charCodeAt(0),
);

const sampleTypes: Readonly<Record<string, string>> = {
  image: "image/png",
  video: "video/mp4",
  audio: "audio/ogg; codecs=opus",
  document: "application/pdf",
  sticker: "image/webp",
};

/** What Meta adds to each type of message; a type that is not here goes through as given. */
const completions: Readonly<Record<string, Complete>> = {
  image: mediaContent("image"),
  video: mediaContent("video"),
  audio: (given, number, deps) => ({
    ...mediaContent("audio")(given, number, deps),
    voice: given.voice ?? false,
  }),
  document: mediaContent("document"),
  sticker: (given, number, deps) => ({
    ...mediaContent("sticker")(given, number, deps),
    animated: given.animated ?? false,
  }),
  system: (given) => ({ type: "user_changed_number", ...given }),
  unsupported: (given) => ({ type: "poll_creation", ...given }),
};

/** Errors that stand beside the content of a type. */
const besides: Readonly<Record<string, Content>> = {
  unsupported: { errors: [webhookError(131051, "Message type is currently not supported.")] },
};

/** The members of a message that its type brings: the content under its name, and `errors`. */
export function completeContent(
  type: string,
  given: unknown,
  number: BusinessNumber,
  deps: ContentDeps,
): Content {
  const complete = completions[type];
  const content = complete === undefined
    ? given ?? {}
    : complete((given ?? {}) as Content, number, deps);
  return { ...besides[type], [type]: content };
}

function mediaContent(type: string): Complete {
  return (given, number, { media }) => {
    const stored = typeof given.id === "string" ? media.find(given.id) : undefined;
    // An id that is not ours belongs to a test that brings its own description.
    if (typeof given.id === "string" && typeof stored !== "object") return given;
    const file = typeof stored === "object"
      ? stored
      : storeSample(media, number, String(given.mime_type ?? sampleTypes[type]));
    const { id: _, ...rest } = given;
    return {
      mime_type: file.mimeType,
      sha256: file.sha256,
      id: file.id,
      url: media.urlOf(file),
      ...rest,
    };
  };
}

function storeSample(media: MediaStore, number: BusinessNumber, mimeType: string): Media {
  const { phoneNumberId } = number;
  return media.put({ phoneNumberId, mimeType, bytes: SAMPLE_PNG }, INBOUND_KEPT_MS);
}
