import { parse } from "@std/toml/mod.js";
import { dirname, resolve } from "node:path";
import { z } from "zod";

/** One function as supabase/config.toml and its folder describe it; the paths are absolute. */
export interface FunctionConfig {
  name: string;
  entrypoint: string;
  /** Undefined: Deno finds the function's own deno.json. */
  importMap: string | undefined;
  verifyJwt: boolean;
}

// Defaults as in the Supabase CLI: https://supabase.com/docs/guides/cli/config
const configSchema = z.object({
  functions: z.record(
    z.string(),
    z.object({
      enabled: z.boolean().default(true),
      verify_jwt: z.boolean().default(true),
      import_map: z.string().default(""),
      entrypoint: z.string().default(""),
    }),
  ).default({}),
});

/**
 * Lists the enabled functions, by name: each folder of `functionsDir` that is no `_folder` and has
 * an index.ts or an entrypoint in the configuration. Throws when the configuration is malformed.
 */
export async function readFunctionConfigs(options: {
  configPath: string;
  functionsDir: string;
}): Promise<FunctionConfig[]> {
  const { functions } = parseConfig(
    await Deno.readTextFile(options.configPath),
    options.configPath,
  );
  const names = new Set([...await listFolders(options.functionsDir), ...Object.keys(functions)]);
  const root = dirname(options.configPath);
  const configs: FunctionConfig[] = [];
  for (const name of [...names].sort()) {
    const declared = functions[name];
    if (declared?.enabled === false) continue;
    const entrypoint = declared?.entrypoint
      ? resolve(root, declared.entrypoint)
      : resolve(options.functionsDir, name, "index.ts");
    if (!await isFile(entrypoint)) continue;
    configs.push({
      name,
      entrypoint,
      importMap: declared?.import_map ? resolve(root, declared.import_map) : undefined,
      verifyJwt: declared?.verify_jwt ?? true,
    });
  }
  return configs;
}

function parseConfig(text: string, path: string): z.infer<typeof configSchema> {
  try {
    return configSchema.parse(parse(text));
  } catch (cause) {
    throw new Error(`Cannot read ${path}: ${explain(cause)}`, { cause });
  }
}

function explain(error: unknown): string {
  if (error instanceof z.ZodError) {
    return error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ");
  }
  return String(error);
}

async function listFolders(path: string): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(path)) {
    if (isDirectory && /^[A-Za-z][\w-]*$/.test(name)) names.push(name);
  }
  return names;
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((found) => found.isFile, () => false);
}
