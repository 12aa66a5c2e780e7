// deno-lint-ignore-file no-console -- a program: what it prints is its result
/**
 * `deno task diagrams` writes the diagram of each registered machine into docs/conversations.md, between
 * its marks; with `--check` it only compares, and fails when the page is not what the machines are.
 */
import { nameOf } from "../supabase/functions/_shared/conversation/machine.ts";
import { machines } from "../supabase/functions/_shared/conversation/machines.ts";
import { repository } from "./functions.ts";
import { machineDiagram } from "./machine_diagram.ts";

const path = `${repository}docs/conversations.md`;

/** The page with the diagrams of today; throws where a machine has no place in it. */
export function withDiagrams(page: string): string {
  return machines.all.reduce((text, machine) => {
    const name = nameOf(machine);
    const marked = new RegExp(`(<!-- diagram ${name} -->\n)[\\s\\S]*?(<!-- end -->)`);
    if (!marked.test(text)) throw new Error(`docs/conversations.md has no place for ${name}`);
    const diagram = `\n\`\`\`mermaid\n${machineDiagram(machine.chart)}\n\`\`\`\n\n`;
    return text.replace(marked, (_, begin, end) => begin + diagram + end);
  }, page);
}

if (import.meta.main) {
  const page = await Deno.readTextFile(path);
  const current = withDiagrams(page);
  if (!Deno.args.includes("--check")) {
    await Deno.writeTextFile(path, current);
    console.log("Wrote docs/conversations.md");
  } else if (page !== current) {
    console.error("docs/conversations.md is not what the machines are: run `deno task diagrams`.");
    Deno.exit(1);
  }
}
