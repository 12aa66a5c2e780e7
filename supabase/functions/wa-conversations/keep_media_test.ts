import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import type { CallRpc } from "../_shared/database.ts";
import type { ClaimedMedia, MediaOutcome } from "../_shared/queue/media.ts";
import { createLog } from "../_shared/telemetry/log.ts";
import { keepMedia } from "./keep_media.ts";

const MB = 1024 * 1024;
const FILE = new TextEncoder().encode("a picture");
const hexOf = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex");
const place = {
  url: "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1",
  mime_type: "image/jpeg",
  file_size: FILE.length,
};
const waiting: ClaimedMedia = {
  id: 1,
  attempt: 1,
  action: "fetch",
  path: "t/c/1",
  told: {
    sender_id: "s",
    phone_number_id: "5",
    type: "image",
    id: "77",
    mime_type: "image/jpeg",
    sha256: hexOf(FILE),
  },
};
const aVideo = (bytes: Uint8Array): ClaimedMedia => ({
  ...waiting,
  told: { ...waiting.told, type: "video", mime_type: "video/mp4", sha256: hexOf(bytes) },
});

interface World {
  media?: ClaimedMedia[];
  token?: string | null;
  described?: () => Response;
  files?: (() => Response)[];
  storeSays?: "written" | "too_large" | Error;
  settles?: boolean;
  /** Of which file the database does not take the outcome. */
  unsettled?: number;
}

function setup(world: World = {}) {
  const { media = [waiting], token = "secret", storeSays = "written", settles = true } = world;
  const downloads = world.files ?? [() => new Response(FILE)];
  const left = [...media];
  const kept = new Map<string, Uint8Array>();
  const streamed: string[] = [];
  const outcomes: MediaOutcome[] = [];
  const state = { now: 0, handedOn: 0, logged: "" };
  const fetch = ((url: string) => {
    const isLookup = url.startsWith("https://graph.facebook.com/");
    const answer = isLookup
      ? world.described ?? (() => Response.json(place))
      : downloads.length > 1
      ? downloads.shift()
      : downloads[0];
    return answer === undefined ? Promise.reject(new Error("cut")) : Promise.resolve(answer());
  }) as unknown as typeof globalThis.fetch;
  const deps = {
    call: (() => Promise.resolve([{ sender_id: "s", access_token: token }])) as unknown as CallRpc,
    fetch,
    deadline: () => new AbortController().signal,
    graph: { url: "https://graph.facebook.com", version: "v25.0" },
    store: {
      read: () => Promise.resolve(null),
      async write(path: string, _mimeType: string, body: Uint8Array | ReadableStream<Uint8Array>) {
        if (storeSays instanceof Error) throw storeSays;
        if (body instanceof ReadableStream) streamed.push(path);
        const content = new Uint8Array(
          await new Response(body as BodyInit).arrayBuffer().catch(() => {
            throw new TypeError("the upload was cut off");
          }),
        );
        if (storeSays === "written") kept.set(path, content);
        return storeSays;
      },
      remove: (path: string) =>
        storeSays instanceof Error
          ? Promise.reject(storeSays)
          : Promise.resolve(void kept.delete(path)),
    },
    queue: {
      claim: (batch: number) => Promise.resolve(left.splice(0, batch)),
      settle: (media: ClaimedMedia, outcome: MediaOutcome) => {
        if (media.id === world.unsettled) return Promise.reject(new Error("the database is away"));
        outcomes.push(outcome);
        return Promise.resolve(settles);
      },
      handOn: () => Promise.resolve(void (state.handedOn += 1)),
    },
    now: () => state.now,
    random: () => 1,
    log: createLog({ write: (line) => state.logged += line, now: () => 0, fields: {} }),
  };
  const stop = new AbortController();
  const limits = { concurrency: 2, maxFiles: 10, maxDurationMs: 1_000 };
  const keep = (overrides = {}) => keepMedia(deps, { ...limits, ...overrides }, stop.signal);
  return { keep, kept, streamed, outcomes, state, left, stop };
}

async function outcomeOf(world: World): Promise<[MediaOutcome | undefined, number]> {
  const { keep, outcomes, kept } = setup(world);
  await keep();
  assert.equal(outcomes.length, 1);
  return [outcomes[0], kept.size];
}
const attempted = (attempt: number) => ({ media: [{ ...waiting, attempt }] });
const later = (reason: string, delay_seconds = 60) => ({
  outcome: "retry" as const,
  delay_seconds,
  reason,
});

Deno.test("a file is stored as Meta gives it, and settled with what it is", async () => {
  const { keep, kept, streamed, outcomes } = setup();
  const report = await keep();
  assert.deepEqual([report.claimed, report.stored], [1, 1]);
  assert.deepEqual(kept.get("t/c/1"), FILE);
  assert.deepEqual(streamed, []);
  assert.deepEqual(outcomes, [{
    outcome: "stored",
    size_bytes: FILE.length,
    sha256: hexOf(FILE),
    mime_type: "image/jpeg",
  }]);
});

Deno.test("a long file goes through as it comes, and is cut off where it is another", async () => {
  const video = new Uint8Array(17 * MB);
  const described = () =>
    Response.json({ ...place, mime_type: "video/mp4", file_size: video.length });
  const whole = setup({ media: [aVideo(video)], described, files: [() => new Response(video)] });
  await whole.keep();
  assert.deepEqual(whole.streamed, ["t/c/1"]);
  assert.equal(whole.kept.get("t/c/1")!.length, video.length);
  const other = new Uint8Array(17 * MB).fill(1);
  assert.deepEqual(
    await outcomeOf({ media: [aVideo(video)], described, files: [() => new Response(other)] }),
    [later("wrong_digest"), 0],
  );
});

Deno.test("a wrong digest is tried again, and believed the third time", async () => {
  const files = [() => new Response("another!!")];
  assert.deepEqual(await outcomeOf({ files }), [later("wrong_digest"), 0]);
  const third = await outcomeOf({ files, ...attempted(3) });
  assert.deepEqual(third, [{ outcome: "failed", reason: "wrong_digest" }, 0]);
});

Deno.test("a file that is too large is not stored, whatever was said of it", async () => {
  const tooLarge = [{ outcome: "failed" as const, reason: "too_large" }, 0];
  const told = () => Response.json({ ...place, file_size: 17 * MB });
  assert.deepEqual(await outcomeOf({ described: told }), tooLarge);
  const endless = () =>
    new Response(
      new ReadableStream<Uint8Array>({ pull: (it) => it.enqueue(new Uint8Array(MB)) }),
    );
  assert.deepEqual(await outcomeOf({ files: [endless] }), tooLarge);
  const byLength = () => new Response(FILE, { headers: { "content-length": String(17 * MB) } });
  assert.deepEqual(await outcomeOf({ files: [byLength] }), tooLarge);
});

Deno.test("an address that ran out is asked for anew, at once and then later", async () => {
  const missing = () => new Response("", { status: 404 });
  const [stored] = await outcomeOf({ files: [missing, () => new Response(FILE)] });
  assert.equal(stored?.outcome, "stored");
  assert.deepEqual(await outcomeOf({ files: [missing] }), [later("not_given"), 0]);
});

Deno.test("a file that Meta keeps no longer is gone at the third attempt", async () => {
  const described = () => Response.json({ error: { code: 100 } }, { status: 400 });
  assert.deepEqual(await outcomeOf({ described }), [later("gone"), 0]);
  assert.deepEqual(await outcomeOf({ described, ...attempted(2) }), [later("gone", 120), 0]);
  const third = await outcomeOf({ described, ...attempted(3) });
  assert.deepEqual(third, [{ outcome: "gone", reason: "gone" }, 0]);
});

const cases: [title: string, world: World, outcome: MediaOutcome][] = [
  ["without a token it waits", { token: null }, later("no_token")],
  [
    "a refused token may be replaced",
    { described: () => new Response("", { status: 401 }) },
    later("token_refused"),
  ],
  ["Meta away", { described: () => new Response("", { status: 503 }) }, later("unanswered")],
  [
    "another type",
    { described: () => Response.json({ ...place, mime_type: "text/html" }) },
    { outcome: "failed", reason: "wrong_type" },
  ],
  [
    "an address that is not Meta's",
    { described: () => Response.json({ ...place, url: "https://evil.example/" }) },
    { outcome: "failed", reason: "foreign_address" },
  ],
  ["Storage away", { storeSays: new Error("Storage says 503") }, later("transfer")],
  [
    "too large for Storage",
    { storeSays: "too_large" },
    { outcome: "failed", reason: "too_large_for_storage" },
  ],
  [
    "Storage away when deleting",
    { media: [{ ...waiting, action: "delete" }], storeSays: new Error("Storage says 503") },
    later("transfer"),
  ],
  ["deleting", { media: [{ ...waiting, action: "delete" }] }, { outcome: "deleted" }],
  [
    "waits grow up to twelve hours",
    { ...attempted(19), described: () => new Response("", { status: 503 }) },
    later("unanswered", 43_200),
  ],
];
for (const [title, world, outcome] of cases) {
  Deno.test(`keeping media: ${title}`, async () => {
    assert.deepEqual(await outcomeOf(world), [outcome, 0]);
  });
}

Deno.test("a worker that comes late counts nothing as its own", async () => {
  const { keep } = setup({ settles: false });
  const report = await keep();
  assert.deepEqual([report.stored, report.superseded], [0, 1]);
});

Deno.test("a drain that has spent what it may hands the rest on", async () => {
  const many = setup({ media: [1, 2, 3].map((id) => ({ ...waiting, id })) });
  await many.keep({ maxFiles: 2 });
  assert.deepEqual([many.outcomes.length, many.left.length, many.state.handedOn], [2, 1, 1]);
  const stopped = setup();
  stopped.stop.abort();
  await stopped.keep();
  assert.deepEqual([stopped.left.length, stopped.state.handedOn], [1, 0]);
});

Deno.test("where the outcome of one file cannot be written, those beside it are, and the drain fails", async () => {
  const { keep, outcomes } = setup({ media: [waiting, { ...waiting, id: 2 }], unsettled: 1 });
  await assert.rejects(keep(), /the database is away/);
  assert.deepEqual(outcomes.map(({ outcome }) => outcome), ["stored"]);
});
