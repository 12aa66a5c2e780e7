/** Who may import whom, as a table and one function: the rule behind `switchyard/layers`. */

/**
 * Modules of `_shared` that reach the network, the database or Redis. Everything else there is
 * pure, so a new file is held to the stricter rule until it is named here.
 */
const effects: readonly RegExp[] = [
  /^(database|project|redis)\.ts$/,
  /^credentials\//,
  /^queue\//,
  /^http\//,
  /^telemetry\/(log|metrics)\.ts$/,
  /^resilience\/(\w+_store|layered_cache)\.ts$/,
];

/** Folders whose effects every other effect may build on; the rest are business and stay apart. */
const foundations: readonly string[] = ["", "resilience", "telemetry", "http"];

/** Packages that reach the network, which pure modules therefore may not import. */
const effectPackages: readonly RegExp[] = [
  /^@supabase\/(supabase|postgrest|storage)-js$/,
  /^@supabase\/server\b/,
  /^@upstash\//,
  /^hono\b/,
  /^postgres$/,
  /^ioredis/,
];

type Place =
  | { zone: "entry"; of: string }
  | { zone: "behaviour"; of: string }
  | { zone: "runtime" }
  | { zone: "effect"; folder: string }
  | { zone: "pure" }
  | { zone: "outside" };

/** Says whether a path of the repository is a test, or what tests alone stand on. */
export function isTest(path: string): boolean {
  return /_test\.tsx?$/.test(path) || isDouble(path);
}

/** A stand-in for tests, beside what it stands for. */
function isDouble(path: string): boolean {
  return /^(supabase|local)\/.+\/test_\w+\.ts$/.test(path);
}

function locate(path: string): Place {
  const inFunctions = /^supabase\/functions\/([^/]+)\/(.+)$/.exec(path);
  if (inFunctions === null) return { zone: "outside" };
  const [, folder = "", rest = ""] = inFunctions;
  if (folder !== "_shared") {
    return { zone: rest === "index.ts" ? "entry" : "behaviour", of: folder };
  }
  if (rest === "runtime.ts") return { zone: "runtime" };
  if (!effects.some((pattern) => pattern.test(rest))) return { zone: "pure" };
  return { zone: "effect", folder: rest.includes("/") ? rest.slice(0, rest.indexOf("/")) : "" };
}

/**
 * Returns why `importer` must not import `imported` (both relative to the repository), or null.
 * `typeOnly` matters for `runtime.ts` alone, whose interface may be named anywhere.
 */
export function refuseImport(importer: string, imported: string, typeOnly: boolean): string | null {
  if (isDouble(imported)) {
    if (!isTest(importer)) return "test_*.ts stands in for something, and only in tests";
  } else if (isTest(imported)) {
    return "a test is imported by nobody: move what is shared to tests/support";
  }
  if (importer.startsWith("supabase/") && !imported.startsWith("supabase/")) {
    return "what is deployed imports nothing from outside supabase/";
  }
  if (importer.startsWith("local/graph_simulator/") && imported.startsWith("supabase/")) {
    return "the simulator stands for Meta: sharing code with what it tests would hide faults";
  }
  return refuseLayer(importer, locate(imported), typeOnly);
}

function refuseLayer(importer: string, to: Place, typeOnly: boolean): string | null {
  const from = locate(importer);
  if (from.zone === "outside") return null;
  if (to.zone === "entry") return "index.ts only wires: nothing imports it";
  if (to.zone === "behaviour") return refuseBehaviour(from, to.of);
  if (to.zone === "runtime") return refuseRuntime(from, isTest(importer) || typeOnly);
  if (to.zone === "effect" && !isTest(importer)) return refuseEffect(from, to.folder);
  return null;
}

function refuseBehaviour(from: Place, target: string): string | null {
  if (from.zone !== "entry" && from.zone !== "behaviour") return "_shared imports no function";
  return from.of === target ? null : "functions do not import each other: move it to _shared";
}

function refuseRuntime(from: Place, allowed: boolean): string | null {
  if (from.zone === "entry" || allowed) return null;
  return "only index.ts imports runtime.ts: take what you need of it as an argument";
}

function refuseEffect(from: Place, folder: string): string | null {
  if (from.zone === "pure" || from.zone === "runtime") {
    return "a pure module imports no effect (tools/lint/layers.ts lists the effects)";
  }
  if (from.zone !== "effect" || from.folder === folder || foundations.includes(folder)) return null;
  return `effects of ${from.folder || "_shared"} do not build on those of ${folder}`;
}

/** Returns why `importer` must not import a third-party package, or null. */
export function refusePackage(importer: string, specifier: string): string | null {
  if (/^(npm|jsr|https?):/.test(specifier)) {
    return "import by bare name: versions live in import_map.json alone";
  }
  const isPure = locate(importer).zone === "pure" && !isTest(importer);
  if (isPure && effectPackages.some((pattern) => pattern.test(specifier))) {
    return "a pure module imports no package that reaches the network";
  }
  return null;
}
