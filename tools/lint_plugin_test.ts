import { strict as assert } from "node:assert";
import plugin from "./lint_plugin.ts";

const behaviour = "supabase/functions/wa-sender/drain.ts";
const entry = "supabase/functions/wa-sender/index.ts";
const pure = "supabase/functions/_shared/resilience/backoff.ts";

function lint(path: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, path, source).map((found) => found.id);
}

function lines(count: number, line: string): string {
  return Array.from({ length: count }, () => line).join("\n");
}

const cases: [title: string, path: string, source: string, expected: string[]][] = [
  // layers
  ["an entry imports its behaviour", entry, `import { drain } from "./drain.ts"; drain();`, []],
  ["an entry imports runtime.ts", entry, `import { runtime } from "../_shared/runtime.ts";`, []],
  [
    "a behaviour does not import runtime.ts",
    behaviour,
    `import { runtime } from "../_shared/runtime.ts";`,
    ["switchyard/layers"],
  ],
  [
    "a behaviour names the type of runtime.ts",
    behaviour,
    `import type { Runtime } from "../_shared/runtime.ts";`,
    [],
  ],
  [
    "a behaviour imports an effect",
    behaviour,
    `import type { CallRpc } from "../_shared/database.ts";`,
    [],
  ],
  [
    "a function does not import another function",
    behaviour,
    `import { receive } from "../wa-webhook/receive.ts";`,
    ["switchyard/layers"],
  ],
  [
    "nothing imports index.ts",
    "supabase/functions/wa-sender/drain_test.ts",
    `import entry from "./index.ts";`,
    ["switchyard/layers"],
  ],
  [
    "_shared imports no function",
    "supabase/functions/_shared/queue/outbound.ts",
    `import { drain } from "../../wa-sender/drain.ts";`,
    ["switchyard/layers"],
  ],
  [
    "a pure module imports no effect, not even its type",
    pure,
    `import type { CallRpc } from "../database.ts";`,
    ["switchyard/layers"],
  ],
  [
    "a pure module imports no client library",
    pure,
    `import { Redis } from "@upstash/redis";`,
    ["switchyard/layers"],
  ],
  ["a pure module imports another", pure, `import { x } from "../whatsapp/graph_errors.ts";`, []],
  [
    "an effect builds on a foundation",
    "supabase/functions/_shared/queue/outbound.ts",
    `import type { CallRpc } from "../database.ts";`,
    [],
  ],
  [
    "an effect does not build on another business folder's effect",
    "supabase/functions/_shared/queue/outbound.ts",
    `import { readCredential } from "../credentials/credentials.ts";`,
    ["switchyard/layers"],
  ],
  [
    "deployed code imports nothing of the tests",
    "supabase/functions/wa-sender/drain_test.ts",
    `import { aMessage } from "../../../tests/support/builders.ts";`,
    ["switchyard/layers"],
  ],
  [
    "the simulator imports nothing of the product",
    "local/graph_simulator/server.ts",
    `import { sign } from "../../supabase/functions/_shared/whatsapp/signature.ts";`,
    ["switchyard/layers"],
  ],
  [
    "a test is imported by nobody",
    "tests/integration/queue_test.ts",
    `import { x } from "./wallet_test.ts";`,
    ["switchyard/layers"],
  ],
  [
    "a test stands on what stands in for the rest",
    "supabase/functions/wa-sender/drain_test.ts",
    `import { createTestDrain } from "./test_drain.ts";`,
    [],
  ],
  [
    "nothing that is deployed does",
    behaviour,
    `import { answerCalls } from "../_shared/test_database.ts";`,
    ["switchyard/layers"],
  ],
  [
    "a dynamic import obeys the layers",
    behaviour,
    `await import("../wallet/transfer.ts");`,
    ["switchyard/layers"],
  ],
  ["a relative import has its extension", pure, `import "./clock";`, ["switchyard/layers"]],
  ["a package carries no version", pure, `import "npm:zod@4.6.7";`, ["switchyard/layers"]],
  ["a package is imported by bare name", pure, `import * as z from "zod"; z;`, []],
  ["zod's named z is refused", pure, `import { z } from "zod"; z;`, ["switchyard/layers"]],
  [
    "zod's named z is allowed where nothing is deployed",
    "local/x.ts",
    `import { z } from "zod";`,
    [],
  ],
  // real world
  ["behaviour does not read the clock", behaviour, `Date.now();`, ["switchyard/real-world"]],
  ["behaviour does not date things now", behaviour, `new Date();`, ["switchyard/real-world"]],
  ["behaviour dates things by argument", behaviour, `new Date(nowMs);`, []],
  ["behaviour rolls no dice", behaviour, `Math.random();`, ["switchyard/real-world"]],
  ["behaviour makes no ids", behaviour, `crypto.randomUUID();`, ["switchyard/real-world"]],
  ["behaviour does not wait", behaviour, `setTimeout(run, 5);`, ["switchyard/real-world"]],
  ["behaviour does not dial", behaviour, `await fetch("https://x");`, ["switchyard/real-world"]],
  [
    "globalThis is no way round",
    behaviour,
    `globalThis.setTimeout(run, 5);`,
    ["switchyard/real-world"],
  ],
  [
    "a fetch that is an argument is allowed",
    behaviour,
    `export function connect({ fetch }: { fetch: typeof globalThis.fetch }) { return fetch("/"); }`,
    [],
  ],
  ["behaviour does not know Deno", behaviour, `Deno.env.get("X");`, ["switchyard/real-world"]],
  ["an entry knows Deno", entry, `Deno.serve(() => new Response());`, []],
  ["an entry does not read the clock", entry, `Date.now();`, ["switchyard/real-world"]],
  ["runtime.ts is the real world", "supabase/functions/_shared/runtime.ts", `Date.now();`, []],
  ["a test may build dates", "supabase/functions/wa-sender/drain_test.ts", `Date.now();`, []],
  ["the local platform lives in the real world", "local/ticker.ts", `Date.now();`, []],
  // names
  ["a function has a telling name", pure, `function handleRequest() {}`, ["switchyard/names"]],
  ["a class is no manager", pure, `class CredentialManager {}`, ["switchyard/names"]],
  ["an interface is no info", pure, `interface TenantInfo { id: string }`, ["switchyard/names"]],
  ["a variable is no data", pure, `const data = 1;`, ["switchyard/names"]],
  ["a library's word may be destructured", pure, `const { data, error } = await call();`, []],
  ["a file is no helper", "local/test_helpers.ts", ``, ["switchyard/names"]],
  ["a database is not data", pure, `const database = 1; const handler = 2;`, []],
  [
    "a word inside another is not it",
    "tests/support/platform_database.ts",
    `const base64 = 1;`,
    [],
  ],
  ["the Data API keeps its name", "local/data_api.ts", `function startDataApi() {}`, []],
  ["an outer word is found inside camelCase", pure, `const baseData = 1;`, ["switchyard/names"]],
  // barrels
  ["a module re-exports nothing", pure, `export { x } from "./x.ts";`, ["switchyard/no-barrel"]],
  ["a module re-exports not all", pure, `export * from "./x.ts";`, ["switchyard/no-barrel"]],
  ["a module exports its own", pure, `const x = 1; export { x };`, []],
  // sizes
  ["a file has at most 400 lines", pure, lines(401, "// x"), ["switchyard/sizes"]],
  ["an entry has at most 60 lines", entry, lines(61, "// x"), ["switchyard/sizes"]],
  ["a test may be long", "tests/integration/queue_test.ts", lines(401, "// x"), []],
  [
    "a function has at most 70 lines",
    pure,
    `export function f() {\n${lines(69, "// x")}\n}`,
    ["switchyard/sizes"],
  ],
  ["a function of 70 lines is allowed", pure, `export function f() {\n${lines(68, "// x")}\n}`, []],
  [
    "a closure counts without the functions inside it",
    pure,
    `export function f() {\n${lines(60, "// x")}\nfunction g() {\n${lines(60, "// x")}\n}\n}`,
    [],
  ],
  [
    "a function inside a closure counts by itself",
    pure,
    `export function f() {\nfunction g() {\n${lines(69, "// x")}\n}\n}`,
    ["switchyard/sizes"],
  ],
];

for (const [title, path, source, expected] of cases) {
  Deno.test(`lint: ${title}`, () => assert.deepEqual(lint(path, source), expected));
}
