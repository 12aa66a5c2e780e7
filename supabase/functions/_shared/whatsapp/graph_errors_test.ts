import { strict as assert } from "node:assert";
import { findGraphErrorRule } from "./graph_errors.ts";
import { GRAPH_ERROR_RULES, SEND_SUBCODE_RULES } from "./graph_error_table.ts";
import type { GraphErrorRule } from "./graph_error_table.ts";

// What was decided for every code that Meta documents, once more and by hand: outcome and scope.
type Decision = `${GraphErrorRule["outcome"]} ${GraphErrorRule["scope"]}`;

const decisions: [decision: Decision, codes: number[]][] = [
  ["credential sender", [0, 3, 10, 102, 104, 190, 200, 201, 250, 299, 131005]],
  ["retry app", [2, 4, 341, 613, 131016]],
  ["retry business_account", [80007, 80008]],
  ["retry sender", [130429]],
  ["retry pair", [131056]],
  ["retry template", [134101]],
  ["retry none", [1, 131000, 131208, 132069, 133004, 135000, 139102, 139103]],
  ["pause tenant", [368, 131031, 131042]],
  ["pause sender", [131037, 131045, 131048, 131057, 133006, 133010, 133015, 2494100]],
  ["pause template", [131064, 132015]],
  ["dead sender", [33, 133000, 133005, 133008, 133009, 133016]],
  ["dead template", [132001, 132007, 132016, 134102]],
  ["dead pair", [131026, 131047, 131049, 131050]],
  ["dead none", [100, 803, 130403, 130472, 130497, 131008, 131009, 131020, 131021, 131030]],
  ["dead none", [131035, 131036, 131041, 131044, 131051, 131052, 131053, 131055, 131059]],
  ["dead none", [131060, 131062, 131063, 131201, 131204, 131207, 131209, 131215, 136024]],
  ["dead none", [137000, 134011, 139200, 138000, 138021, 138999, 147001, 147005]],
  ["dead none", [132000, 132005, 132008, 132012, 132018, 132068, 134100]],
  ["dead none", [139000, 139001, 139004, 139100, 139101, 1752041]],
  ["dead none", [2388039, 2388040, 2388047, 2388072, 2388073, 2388293, 2388299, 2388019]],
  ["dead none", [2388001, 2388012, 2388091, 2388093, 2388103, 2388318, 2388330]],
  ["dead none", [200005, 200006, 200007, 2593079, 2593085, 2593107, 2593108]],
];

for (const [decision, codes] of decisions) {
  for (const code of codes) {
    Deno.test(`code ${code} is ${decision}`, () => {
      const rule = findGraphErrorRule({ code });
      assert.equal(`${rule?.outcome} ${rule?.scope}`, decision);
    });
  }
}

Deno.test("every rule is among the decisions", () => {
  const decided = new Set(decisions.flatMap(([, codes]) => codes));
  const missing = GRAPH_ERROR_RULES.filter(({ code }) => !decided.has(code));
  assert.deepEqual(missing.map(({ code }) => code), []);
});

const subcodes: [code: number, subcode: number, outcome: string, cause: string][] = [
  [190, 458, "credential", "app_removed"],
  [190, 459, "credential", "user_checkpoint"],
  [190, 460, "credential", "password_changed"],
  [190, 463, "credential", "token_expired"],
  [190, 464, "credential", "user_unconfirmed"],
  [190, 467, "credential", "token_invalidated"],
  [190, 492, "credential", "session_invalid"],
  [190, 999, "credential", "token_expired"],
  [100, 33, "dead", "object_not_accessible"],
  [100, 2388003, "dead", "invalid_phone"],
  [130429, 2494055, "retry", "sender_throughput"],
  [131000, 2388001, "dead", "template_not_found"],
  [100, 2388002, "dead", "template_parameters_mismatch"],
  [100, 2388005, "retry", "media_download_failed"],
  [100, 2388009, "dead", "recipient_not_on_whatsapp"],
  [100, 2388054, "dead", "phone_not_registered"],
];

for (const [code, subcode, outcome, cause] of subcodes) {
  Deno.test(`code ${code} with subcode ${subcode} is ${outcome}: ${cause}`, () => {
    const rule = findGraphErrorRule({ code, subcode });
    assert.deepEqual([rule?.outcome, rule?.cause], [outcome, cause]);
  });
}

const SECOND = 1_000;
const limits: [code: number, changed: Partial<GraphErrorRule>][] = [
  [1, { max_tries: 3, unknown_on_5xx: true }],
  [2, { max_tries: 4, delay_ms: SECOND, growth: 2 }],
  [4, { max_tries: Infinity, delay_ms: 10 * SECOND, throttled: true }],
  [190, { max_tries: 2, alert: true }],
  [130429, { max_tries: Infinity, delay_ms: 10 * SECOND, throttled: true, pause_ms: null }],
  [131000, { max_tries: 4, unknown_on_5xx: false }],
  [131026, { suppress: "recipient_when_repeated", alert: false }],
  [131042, { pause_ms: 900 * SECOND, delay_ms: 900 * SECOND, max_tries: Infinity, alert: true }],
  [131047, { alert: true, suppress: "none", max_tries: 1 }],
  [131048, { pause_ms: 3_600 * SECOND, alert: true }],
  [131049, { suppress: "marketing_for_a_day" }],
  [131050, { suppress: "marketing" }],
  [131056, { max_tries: Infinity, delay_ms: SECOND, growth: 4, throttled: true }],
  [131057, { pause_ms: 60 * SECOND, alert: false }],
  [130403, { suppress: "recipient" }],
  [130497, { alert: true }],
  [132001, { pause_ms: 600 * SECOND, alert: true }],
  [133010, { pause_ms: 900 * SECOND, alert: true }],
  [134101, { delay_ms: 600 * SECOND }],
  [135000, { max_tries: 2 }],
];

for (const [code, changed] of limits) {
  Deno.test(`code ${code} has ${JSON.stringify(changed)}`, () => {
    const rule = findGraphErrorRule({ code })!;
    assert.deepEqual({ ...rule, ...changed }, rule);
  });
}

Deno.test("media is tried once more only where the link was slow", () => {
  const slow = ["Media download timed out", "link: timeout", "Request time-out"];
  for (const details of slow) {
    const rule = findGraphErrorRule({ code: 131053, details })!;
    assert.deepEqual([rule.outcome, rule.max_tries], ["retry", 2]);
  }
  assert.equal(findGraphErrorRule({ code: 131053, details: "bad mime type" })?.outcome, "dead");
});

Deno.test("a code that nobody knows has no rule, be it between two that have", () => {
  for (const code of [-1, 5, 131001, 131216, 999_999, 1e15]) {
    assert.equal(findGraphErrorRule({ code }), null);
  }
});

Deno.test("rules say what they mean: dead is tried once, pause waits, causes are names", () => {
  for (const rule of [...GRAPH_ERROR_RULES, ...SEND_SUBCODE_RULES]) {
    assert.match(rule.cause, /^[a-z][a-z_]+$/);
    assert.equal(rule.outcome === "dead", rule.max_tries === 1);
    if (rule.outcome === "pause") assert.equal(rule.pause_ms, rule.delay_ms);
    if (rule.pause_ms !== null) assert.notEqual(rule.scope, "none");
    assert.ok(rule.through === undefined || rule.through > rule.code);
  }
});
