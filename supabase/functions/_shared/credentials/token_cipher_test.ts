import { strict as assert } from "node:assert";
import fc from "fast-check";

import { createTokenCipher } from "./token_cipher.ts";

const randomBytes = (length: number) => crypto.getRandomValues(new Uint8Array(length));

function aKey(id: string, fill: number) {
  return { id, key: new Uint8Array(32).fill(fill) };
}

const oldKey = aKey("2026-10", 1);
const newKey = aKey("2026-11", 2);
const cipher = createTokenCipher([newKey, oldKey], randomBytes);
const token = fc.string({ unit: "binary", minLength: 1, maxLength: 300 });

Deno.test("what was sealed for a place opens there", async () => {
  await fc.assert(fc.asyncProperty(token, fc.string(), async (text, place) => {
    assert.equal(await cipher.open(await cipher.seal(text, place), place), text);
  }));
});

Deno.test("an envelope that was moved to another place does not open", async () => {
  await fc.assert(fc.asyncProperty(token, fc.string(), fc.string(), async (text, from, to) => {
    fc.pre(from !== to);
    assert.equal(await cipher.open(await cipher.seal(text, from), to), null);
  }));
});

Deno.test("an envelope in which one character was changed does not open", async () => {
  await fc.assert(fc.asyncProperty(token, fc.nat(), fc.nat(63), async (text, at, other) => {
    const envelope = await cipher.seal(text, "place");
    const index = at % envelope.length;
    const characters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const changed = envelope.slice(0, index) + characters[other] + envelope.slice(index + 1);
    const isSameBytes = bytesOf(changed) === bytesOf(envelope);
    fc.pre(!isSameBytes);
    assert.equal(await cipher.open(changed, "place"), null);
  }));
});

// The last character of base64 may carry bits that stand for nothing.
function bytesOf(envelope: string): string | null {
  const [id, encoded = ""] = envelope.split(".");
  try {
    return `${id}.${atob(encoded)}`;
  } catch {
    return null;
  }
}

Deno.test("the same token is never sealed into the same envelope twice", async () => {
  const envelopes = await Promise.all(
    Array.from({ length: 100 }, () => cipher.seal("token", "place")),
  );
  assert.equal(new Set(envelopes).size, 100);
});

Deno.test("an envelope holds nothing of the token in the clear", async () => {
  const envelope = await cipher.seal("EAAG-a-long-access-token", "place");
  assert.match(envelope, /^2026-11\.[A-Za-z0-9+/]+=*$/);
  assert.doesNotMatch(atob(envelope.split(".")[1]!), /EAAG|token/);
});

Deno.test("another key under the same id does not open", async () => {
  const other = createTokenCipher([aKey(newKey.id, 3)], randomBytes);
  assert.equal(await other.open(await cipher.seal("token", "place"), "place"), null);
});

Deno.test("a rotated key still opens what it sealed, and the new one seals", async () => {
  const before = createTokenCipher([oldKey], randomBytes);
  const sealedBefore = await before.seal("token", "place");
  assert.equal(await cipher.open(sealedBefore, "place"), "token");
  const sealedAfter = await cipher.seal("token", "place");
  assert.match(sealedAfter, /^2026-11\./);
  assert.equal(await before.open(sealedAfter, "place"), null);
});

Deno.test("what is no envelope does not open", async () => {
  const short = `${newKey.id}.${btoa("short")}`;
  for (const text of ["", ".", "token", "unknown.AAAA", `${newKey.id}.%%%`, short, "a.b.c"]) {
    assert.equal(await cipher.open(text, "place"), null, text);
  }
});

Deno.test("no key at all and two keys with one id are mistakes of whoever set them", () => {
  assert.throws(() => createTokenCipher([], randomBytes), RangeError);
  assert.throws(() => createTokenCipher([oldKey, aKey(oldKey.id, 9)], randomBytes), /one id/);
});
