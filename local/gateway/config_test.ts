import { strict as assert } from "node:assert";
import { type FunctionConfig, readFunctionConfigs } from "./config.ts";

async function read(toml: string, files: string[]): Promise<FunctionConfig[]> {
  const dir = await Deno.makeTempDir({ prefix: "switchyard-" });
  try {
    await Deno.mkdir(`${dir}/functions`);
    await Deno.writeTextFile(`${dir}/config.toml`, toml);
    for (const file of files) {
      await Deno.mkdir(`${dir}/functions/${file.slice(0, file.indexOf("/"))}`, { recursive: true });
      await Deno.writeTextFile(`${dir}/functions/${file}`, "");
    }
    const found = await readFunctionConfigs({
      configPath: `${dir}/config.toml`,
      functionsDir: `${dir}/functions`,
    });
    const relative = (path: string) => path.replace(`${dir}/`, "");
    return found.map((config) => ({
      ...config,
      entrypoint: relative(config.entrypoint),
      importMap: config.importMap && relative(config.importMap),
    }));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("a function that config.toml does not name gets Supabase's defaults", async () => {
  assert.deepEqual(await read("", ["hello/index.ts"]), [{
    name: "hello",
    entrypoint: "functions/hello/index.ts",
    importMap: undefined,
    verifyJwt: true,
  }]);
});

Deno.test("paths of config.toml are relative to its folder", async () => {
  const toml = `[functions.hello]
verify_jwt = false
import_map = "./shared/map.json"
entrypoint = "./functions/hello/main.ts"`;
  assert.deepEqual(await read(toml, ["hello/main.ts"]), [{
    name: "hello",
    entrypoint: "functions/hello/main.ts",
    importMap: "shared/map.json",
    verifyJwt: false,
  }]);
});

Deno.test("a disabled function, a _folder and a folder without index.ts are not served", async () => {
  const toml = `[functions.off]
enabled = false
[functions.absent]
enabled = true`;
  const found = await read(toml, ["off/index.ts", "_shared/index.ts", "notes/readme.md"]);
  assert.deepEqual(found, []);
});

Deno.test("functions come in the order of their names", async () => {
  const found = await read("", ["wallet/index.ts", "admin/index.ts"]);
  assert.deepEqual(found.map(({ name }) => name), ["admin", "wallet"]);
});

Deno.test("a malformed config.toml is refused with the key at fault", async () => {
  const toml = `[functions.hello]
verify_jwt = "no"`;
  await assert.rejects(
    read(toml, ["hello/index.ts"]),
    /config\.toml: functions\.hello\.verify_jwt/,
  );
  await assert.rejects(read("[functions", []), /Cannot read .*config\.toml/);
});
