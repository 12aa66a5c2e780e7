import { strict as assert } from "node:assert";
import { createHash } from "node:crypto";
import type { CallRpc } from "../_shared/database.ts";
import { passMediaOn } from "./media.ts";

const FILE = new TextEncoder().encode("a picture");
const digest = createHash("sha256").update(FILE).digest("base64");
const stored = {
  sender_id: "s",
  phone_number_id: "5",
  type: "image",
  id: "77",
  mime_type: "image/jpeg; x=1",
  sha256: digest,
  filename: null,
  kept: null as { path: string; mime_type: string } | null,
};
const place = {
  url: "https://lookaside.fbsbx.com/whatsapp_business/attachments/?mid=1",
  mime_type: "image/jpeg",
  file_size: FILE.length,
};

interface World {
  media?: Record<string, unknown> | null;
  token?: string | null;
  described?: () => Response;
  files?: (() => Response)[];
  /** In Storage, by path. */
  kept?: Record<string, string>;
}

function setup({ media = stored, token = "secret", described, files, kept = {} }: World = {}) {
  const asked: { url: string; token: string | null }[] = [];
  const downloads = files ?? [() => new Response(FILE)];
  const call = ((name: string) =>
    Promise.resolve(
      name === "find_media" ? media : [{ sender_id: "s", access_token: token }],
    )) as unknown as CallRpc;
  const fetch = ((url: string, init: RequestInit) => {
    asked.push({ url, token: new Headers(init.headers).get("authorization") });
    const isLookup = url.startsWith("https://graph.facebook.com/");
    const answer = isLookup ? described ?? (() => Response.json(place)) : downloads.shift();
    return answer === undefined ? Promise.reject(new Error("gone")) : Promise.resolve(answer());
  }) as unknown as typeof globalThis.fetch;
  const deps = {
    call,
    fetch,
    deadline: () => new AbortController().signal,
    graph: { url: "https://graph.facebook.com", version: "v25.0" },
    store: {
      read: (path: string) => Promise.resolve(kept[path] ? new Response(kept[path]).body : null),
      write: () => Promise.reject(new Error("not here")),
      remove: () => Promise.reject(new Error("not here")),
    },
  };
  return { asked, pass: () => passMediaOn(deps, "t", "417") };
}

async function refusal(world: World) {
  const response = await setup(world).pass();
  return [response.status, (await response.json()).code];
}

Deno.test("a file is passed on as Meta has it, with the token of its sender", async () => {
  const { asked, pass } = setup();
  const response = await pass();
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), "image/jpeg");
  assert.equal(response.headers.get("content-disposition"), "attachment; filename*=UTF-8''77");
  assert.equal(await response.text(), "a picture");
  assert.deepEqual(asked, [
    {
      url: "https://graph.facebook.com/v25.0/77?phone_number_id=5",
      token: "Bearer secret",
    },
    { url: place.url, token: "Bearer secret" },
  ]);
});

Deno.test("a kept file comes from Storage, and from Meta where Storage does not have it", async () => {
  const media = { ...stored, kept: { path: "t/c/1", mime_type: "image/png" } };
  const { asked, pass } = setup({ media, kept: { "t/c/1": "as kept" } });
  const response = await pass();
  assert.equal(response.headers.get("content-type"), "image/png");
  assert.equal(await response.text(), "as kept");
  assert.deepEqual(asked, []);
  assert.equal(await (await setup({ media }).pass()).text(), "a picture");
});

Deno.test("an address that is gone is asked for once more", async () => {
  const missing = () => new Response("", { status: 404 });
  const { pass, asked } = setup({ files: [missing, () => new Response(FILE)] });
  assert.equal(await (await pass()).text(), "a picture");
  assert.equal(asked.length, 4);
  assert.deepEqual(await refusal({ files: [missing, missing] }), [502, "media_unavailable"]);
});

Deno.test("the token goes to Meta alone", async () => {
  for (
    const url of [
      "https://evil.example/x",
      "http://lookaside.fbsbx.com/x",
      "https://fbsbx.com.evil.example/x",
      "not an address",
    ]
  ) {
    const { pass, asked } = setup({ described: () => Response.json({ ...place, url }) });
    assert.equal((await pass()).status, 502);
    assert.equal(asked.length, 1, url);
  }
});

Deno.test("what is not the file that the message told breaks off", async () => {
  const other = await setup({ files: [() => new Response("another")] }).pass();
  await assert.rejects(other.text(), /digest/);
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(1024 * 1024)),
  });
  const large = await setup({ files: [() => new Response(endless)] }).pass();
  await assert.rejects(large.arrayBuffer(), /larger/);
});

const refusals: [title: string, world: World, status: number, code: string][] = [
  ["a message without a file", { media: null }, 404, "not_found"],
  ["a sender without a token", { token: null }, 502, "media_unavailable"],
  [
    "a file that Meta keeps no longer",
    { described: () => Response.json({ error: { code: 100 } }, { status: 400 }) },
    410,
    "media_gone",
  ],
  [
    "a refused token",
    { described: () => Response.json({ error: { code: 190 } }, { status: 401 }) },
    502,
    "media_unavailable",
  ],
  [
    "Meta asked too often",
    { described: () => Response.json({ error: { code: 80007 } }, { status: 400 }) },
    502,
    "media_unavailable",
  ],
  ["Meta away", { described: () => new Response("", { status: 503 }) }, 502, "media_unavailable"],
  [
    "another type",
    { described: () => Response.json({ ...place, mime_type: "text/html" }) },
    502,
    "media_unavailable",
  ],
  [
    "a file beyond its limit",
    { described: () => Response.json({ ...place, file_size: 17 * 1024 * 1024 }) },
    502,
    "media_unavailable",
  ],
];
for (const [title, world, status, code] of refusals) {
  Deno.test(`media: ${title} is answered ${status}`, async () => {
    assert.deepEqual(await refusal(world), [status, code]);
  });
}
