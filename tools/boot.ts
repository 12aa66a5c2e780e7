// deno-lint-ignore-file no-console -- a program: what it prints is its result
/**
 * Imports one function's entry as the hosted runtime does and prints how long its modules took to
 * load, in milliseconds. Runs on Deno 2.1 as well: no newer API here.
 */
const [entry = ""] = Deno.args;
const startedAt = performance.now();
const loaded: { default?: { fetch?: unknown } } = await import(entry);
const loadMs = performance.now() - startedAt;

if (typeof loaded.default?.fetch !== "function") {
  console.error(`${entry} must export default { fetch }`);
  Deno.exit(1);
}
console.log(loadMs.toFixed(1));
// An entry may hold timers; the load is over.
Deno.exit(0);
