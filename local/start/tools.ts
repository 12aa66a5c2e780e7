// What a bare machine with Node has.
const TOOLS = {
  npx: "install Node 20 or newer",
  sh: "it belongs to every POSIX system",
  env: "it belongs to every POSIX system",
  cat: "it belongs to every POSIX system",
};

/** Throws a sentence that says what to do when a program that the platform needs is not there. */
export function refuseMissingTools(path: string): void {
  const folders = path.split(":");
  for (const [tool, advice] of Object.entries(TOOLS)) {
    if (folders.some((folder) => isFile(`${folder}/${tool}`))) continue;
    throw new Error(`${tool} is not on the PATH: ${advice}.`);
  }
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
