import { strict as assert } from "node:assert";
import { createTemplates, fillTemplate, type Template, templateSchema } from "./templates.ts";
import type { Component } from "./template_rules.ts";

const ACCOUNT = "2";

function check(change: Partial<Template>, components: Component[], strict = false) {
  const templates = createTemplates();
  templates.put(templateSchema.parse({
    business_account_id: ACCOUNT,
    name: "order",
    language: "en_US",
    body: "Hello {{1}}, {{2}} is ready",
    ...change,
  }));
  const sent = { name: "order", language: { code: "en-US" }, components };
  return templates.check(ACCOUNT, sent, strict)?.code ?? null;
}

const texts = (...list: string[]) => list.map((text) => ({ type: "text", text }));
const body = (...list: string[]): Component => ({ type: "body", parameters: texts(...list) });
const picture = { type: "image", image: { id: "1" } };
const url = { type: "URL" as const, text: "See", url: "https://a.example/{{1}}" };
const filledUrl = { type: "button", sub_type: "url", index: "0", parameters: texts("x") };

const cases: [string, Partial<Template>, Component[], number | null][] = [
  ["all parameters", {}, [body("Ann", "rye")], null],
  ["one parameter too few", {}, [body("Ann")], 132000],
  ["one parameter too many", {}, [body("a", "b", "c")], 132000],
  ["no components", {}, [], 132000],
  ["a paused template", { status: "PAUSED" }, [body("Ann", "rye")], 132015],
  ["a disabled template", { status: "DISABLED" }, [body("Ann", "rye")], 132016],
  ["one that waits for approval", { status: "PENDING" }, [body("Ann", "rye")], 132001],
  ["a picture header without picture", { header: { format: "IMAGE" } }, [body("a", "b")], 132012],
  [
    "a picture header with picture",
    { header: { format: "IMAGE" } },
    [{ type: "header", parameters: [picture] }, body("a", "b")],
    null,
  ],
  [
    "a header text without its parameter",
    { header: { format: "TEXT", text: "Order {{1}}" } },
    [body("a", "b")],
    132000,
  ],
  ["a dynamic address without parameter", { buttons: [url] }, [body("a", "b")], 131008],
  ["a dynamic address with parameter", { buttons: [url] }, [body("a", "b"), filledUrl], null],
  ["text that is too long when filled", {}, [body("a", "x".repeat(1_020))], 132005],
];

for (const [label, change, components, code] of cases) {
  Deno.test(`check() of ${label} answers ${code ?? "nothing"}`, () => {
    assert.equal(check(change, components), code);
  });
}

Deno.test("an account without templates accepts any, unless the settings are strict", () => {
  const templates = createTemplates();
  const sent = { name: "unseen", language: { code: "en" } };
  assert.equal(templates.check(ACCOUNT, sent, false), null);
  assert.equal(templates.check(ACCOUNT, sent, true)?.code, 132001);
});

Deno.test("an account with templates knows no other name and no other language", () => {
  const templates = createTemplates();
  const known = { business_account_id: ACCOUNT, name: "a", language: "en", body: "Hi" };
  templates.put(templateSchema.parse(known));
  const check = (name: string, code: string) =>
    templates.check(ACCOUNT, { name, language: { code } }, false)?.code;
  assert.equal(check("a", "en"), undefined);
  assert.equal(check("b", "en"), 132001);
  assert.equal(check("a", "de"), 132001);
});

Deno.test("fillTemplate() fills by position, by name and by fallback value", () => {
  const parameters = [
    { type: "text", parameter_name: "who", text: "Ann" },
    { type: "currency", currency: { fallback_value: "4.80 €" } },
  ];
  assert.equal(fillTemplate("{{who}} pays {{2}}, {{3}}", parameters), "Ann pays 4.80 €, {{3}}");
});
