import { join } from "node:path";

import { removePostgresFolder } from "../postgres/folder.ts";
import { clearLeftover } from "../postgres/leftover.ts";
import { type Ledger, openLedger } from "./ledger.ts";

/** The platform's folder, taken for this run. */
export interface PlatformFolder extends AsyncDisposable {
  ledger: Ledger;
}

// Everything that holds data or speaks of it; the keys stay, and so does what is not ours.
const EMPTIED = ["redis", "logs", "demo.json"];

/**
 * Takes the folder and ends what a killed run left behind in it; `fresh` empties it of data. Throws
 * a sentence that says what to do when that cannot be.
 */
export async function openFolder(
  dir: string,
  options: { fresh: boolean },
): Promise<PlatformFolder> {
  const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
  const ledger = await openLedger(dir, sleep);
  try {
    const postgres = await Deno.realPath(join(dir, "postgres")).catch(() => null);
    if (postgres !== null) await clearLeftover(join(postgres, "data"));
    // Who finds the file takes the platform for ready.
    await remove(join(dir, "env"));
    if (options.fresh) {
      await removePostgresFolder(dir);
      for (const name of EMPTIED) await remove(join(dir, name));
    }
  } catch (error) {
    await ledger.close();
    throw error;
  }
  return { ledger, [Symbol.asyncDispose]: () => ledger.close() };
}

async function remove(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
