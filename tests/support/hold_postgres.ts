// deno-lint-ignore-file no-console -- a program: what it prints is its result
/** Starts Postgres on a folder and a port, prints "ready" and waits to be ended. */
import { startPostgres } from "../../local/postgres/postgres.ts";

const [dir = "", port = "0"] = Deno.args;
await startPostgres({ dir, port: Number(port), log: () => {} });
console.log("ready");
await new Promise((resolve) => setTimeout(resolve, 600_000));
