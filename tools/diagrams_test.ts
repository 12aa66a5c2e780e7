import { strict as assert } from "node:assert";

import { menuV1 } from "../supabase/functions/_shared/conversation/menu_machine.ts";
import { withDiagrams } from "./diagrams.ts";
import { repository } from "./functions.ts";
import { machineDiagram } from "./machine_diagram.ts";

Deno.test("the diagrams in docs/conversations.md are those of the machines", async () => {
  const page = await Deno.readTextFile(`${repository}docs/conversations.md`);
  assert.equal(page, withDiagrams(page), "run `deno task diagrams`");
});

Deno.test("a diagram has every state of its machine, and what leads from one to the next", () => {
  const diagram = machineDiagram(menuV1.chart);
  for (const state of Object.keys(menuV1.chart.states)) assert.match(diagram, new RegExp(state));
  assert.match(diagram, /fallback --> processing_intent : customer\.\*/);
  assert.match(diagram, /agent_active --> processing_intent : customer\.wrote, customer\.chose \[/);
  assert.match(diagram, /processing_intent --> fallback : \[hasFallbacksLeft\]/);
  assert.match(diagram, /awaiting_input --> completed : after 30 min/);
});

Deno.test("a page without a place for a machine is refused", () => {
  assert.throws(() => withDiagrams("# Nothing"), /no place for menu@1/);
});
