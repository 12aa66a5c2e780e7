import { strict as assert } from "node:assert";
import { coalesce } from "./coalesce.ts";

Deno.test("coalesce loads a key once for all who ask meanwhile, and again for who asks later", async () => {
  const loaded: string[] = [];
  const find = coalesce((key) => {
    loaded.push(key);
    return Promise.resolve(`${key}${loaded.length}`);
  });
  assert.deepEqual(await Promise.all([find("a"), find("a"), find("b")]), ["a1", "a1", "b2"]);
  assert.equal(await find("a"), "a3");
  assert.deepEqual(loaded, ["a", "b", "a"]);
});

Deno.test("coalesce fails all who asked meanwhile and nobody later", async () => {
  let isDown = true;
  const find = coalesce(() =>
    isDown ? Promise.reject(new Error("down")) : Promise.resolve("found")
  );
  const asking = [find("a"), find("a")];
  for (const { status } of await Promise.allSettled(asking)) assert.equal(status, "rejected");
  isDown = false;
  assert.equal(await find("a"), "found");
});
