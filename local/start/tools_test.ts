import { strict as assert } from "node:assert";
import { refuseMissingTools } from "./tools.ts";

async function inFolderWith(tools: string[], test: (path: string) => void): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "switchyard-" });
  try {
    for (const tool of tools) await Deno.writeTextFile(`${dir}/${tool}`, "");
    test(`/nowhere:${dir}`);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("refuseMissingTools() accepts a PATH with all of them", async () => {
  await inFolderWith(["npx", "sh", "env", "cat"], (path) => refuseMissingTools(path));
});

Deno.test("refuseMissingTools() names the one that is missing and where it comes from", async () => {
  await inFolderWith(["sh", "env", "cat"], (path) => {
    assert.throws(
      () => refuseMissingTools(path),
      /^Error: npx is not on the PATH: install Node 20/,
    );
  });
});
