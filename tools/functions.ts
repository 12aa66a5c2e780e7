import { fileURLToPath } from "node:url";

/** The repository's folder. */
export const repository = fileURLToPath(new URL("../", import.meta.url));

/** The names of the Edge Functions, in order: each folder with an index.ts that is no `_folder`. */
export async function listFunctions(): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(`${repository}supabase/functions`)) {
    if (entry.isDirectory && !entry.name.startsWith("_")) names.push(entry.name);
  }
  return names.sort();
}

/** The path of a function's entry, relative to the repository. */
export function entryOf(name: string): string {
  return `supabase/functions/${name}/index.ts`;
}
