import { fileURLToPath } from "node:url";
import { startProgram } from "./program.ts";

const PROGRAM = fileURLToPath(new URL("./graph_endpoint_program.ts", import.meta.url));

/** A process that answers like Meta's send endpoint and does next to nothing else. */
export interface GraphEndpoint extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  /** What came since the last call of forget(); arrivals only where it records. */
  seen(): Promise<{ calls: number; arrivals: [id: string, at: number][] }>;
  forget(): Promise<void>;
}

/**
 * Starts it; for `await using`. `records` keeps when each message came, which costs it a little; calls
 * of the senders in `failing`, by their phone_number_id, fail.
 */
export async function startGraphEndpoint(
  options: { records: boolean; failing?: string[] },
): Promise<GraphEndpoint> {
  const { records, failing = [] } = options;
  const program = startProgram({
    command: Deno.execPath(),
    args: [
      ...["run", "--allow-net", PROGRAM],
      ...records ? ["--record"] : [],
      ...failing.map((phoneNumberId) => `--fail=${phoneNumberId}`),
    ],
  });
  const url = await program.line();
  return {
    url,
    pid: program.pid,
    seen: async () => await (await fetch(url)).json(),
    forget: async () => void await fetch(url, { method: "DELETE" }),
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}
