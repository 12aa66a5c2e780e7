import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The path of a linted file relative to the repository, with forward slashes. */
export function repositoryPath(filename: string): string {
  const path = filename.startsWith(root) ? filename.slice(root.length) : filename;
  return path.replaceAll("\\", "/");
}
