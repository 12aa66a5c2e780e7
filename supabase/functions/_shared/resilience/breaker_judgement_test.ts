import { strict as assert } from "node:assert";
import { GRAPH_ERROR_RULES } from "../whatsapp/graph_error_table.ts";
import { classifyGraphAnswer, type SendOutcome } from "../whatsapp/send_outcome.ts";
import { judgeOutcome } from "./breaker_judgement.ts";

const everything = ["app", "tenant", "business_account", "sender", "template"];

function refused(code: number, status = 400, details?: string): SendOutcome {
  const error = { message: "Refused", code, ...(details && { error_data: { details } }) };
  const body = JSON.stringify({ error });
  return classifyGraphAnswer({ kind: "response", status, body, headers: {} }, "text");
}

function answered(status: number, body: string): SendOutcome {
  return classifyGraphAnswer({ kind: "response", status, body, headers: {} }, "text");
}

const accepted = answered(200, JSON.stringify({ messages: [{ id: "wamid.A" }] }));
const lost = (reason: "timeout" | "reset" | "aborted") =>
  classifyGraphAnswer({ kind: "no_answer", reason, detail: "" }, "text");
const notSent = classifyGraphAnswer({ kind: "not_sent", reason: "refused", detail: "" }, "text");

const rows: [what: string, outcome: SendOutcome, failed: string[], succeeded: string[]][] = [
  ["an accepted message", accepted, [], everything],
  ["a recipient who cannot be reached (131026)", refused(131026), [], everything],
  ["a malformed message (400, 131009)", refused(131009), [], everything],
  ["a closed window (131047)", refused(131047), [], everything],
  ["a pair that is too fast (131056)", refused(131056), [], everything],
  ["a code that nobody knows", refused(987654), [], everything],
  ["media that did not load in time (131053)", refused(131053, 400, "timed out"), [], everything],
  ["a number that is too fast (130429)", refused(130429), ["sender"], everything.slice(0, 3)],
  ["a number in maintenance (131057)", refused(131057), ["sender"], everything.slice(0, 3)],
  ["a number that is gone (33)", refused(33), ["sender"], everything.slice(0, 3)],
  ["a template that is paused (132015)", refused(132015), ["template"], everything.slice(0, 4)],
  ["a template that does not exist (132001)", refused(132001), ["template"], [
    ...everything.slice(0, 4),
  ]],
  ["a business account that is too fast (80007)", refused(80007), ["business_account"], [
    "app",
    "tenant",
  ]],
  ["a token that is refused (190)", refused(190, 401), [], ["app"]],
  ["an account that is locked (131031)", refused(131031), ["tenant"], ["app"]],
  ["an app that calls too often (4)", refused(4), ["app"], []],
  ["an unexplained refusal (131000)", refused(131000, 500), ["app", "tenant"], []],
  ["an overloaded API (2)", refused(2, 503), ["app", "tenant"], []],
  ["a 500 without a code", answered(500, "<html>"), ["app", "tenant"], []],
  ["a 200 without a wamid", answered(200, "{}"), ["app", "tenant"], []],
  ["an answer that never came", lost("timeout"), ["app", "tenant"], []],
  ["a connection that broke", lost("reset"), ["app", "tenant"], []],
  ["a connection that was refused", notSent, ["app", "tenant"], []],
  ["a call that we broke off ourselves", lost("aborted"), [], []],
];

for (const [what, outcome, failed, succeeded] of rows) {
  Deno.test(`${what} is a failure of ${failed.join(" and ") || "nothing"}`, () => {
    const judgement = judgeOutcome(outcome);
    assert.deepEqual(judgement.failed, failed);
    assert.deepEqual(judgement.succeeded, succeeded);
  });
}

Deno.test("R19: 5xx and timeouts are failures, a 4xx of one message is none", () => {
  assert.ok(judgeOutcome(answered(503, "")).failed.length > 0);
  assert.ok(judgeOutcome(lost("timeout")).failed.length > 0);
  assert.deepEqual(judgeOutcome(refused(100)).failed, []);
});

Deno.test("what Meta asks to leave alone comes with the time that it asks for", () => {
  assert.equal(judgeOutcome(refused(131042)).pauseMs, 15 * 60_000);
  assert.equal(judgeOutcome(refused(132016)).pauseMs, 24 * 60 * 60_000);
  assert.equal(judgeOutcome(refused(130429)).pauseMs, 0);
});

Deno.test("Meta names whom a code concerns; of a 500 nobody knows whose it is", () => {
  assert.equal(judgeOutcome(refused(4)).named, true);
  assert.equal(judgeOutcome(answered(500, "")).named, false);
});

for (const { code, subcode, details, scope, outcome, cause, pause_ms } of GRAPH_ERROR_RULES) {
  if (subcode !== undefined || details !== undefined) continue;
  Deno.test(`${code} (${cause}) fails its own scope or none, unless it is unexplained`, () => {
    const { failed, named } = judgeOutcome(refused(code));
    const isAnswerOnly = outcome === "credential" || outcome === "dead" && pause_ms === null;
    const isNobodys = scope === "pair" || scope === "none" || isAnswerOnly;
    if (named || failed.length === 0) assert.deepEqual(failed, isNobodys ? [] : [scope]);
    else assert.ok(outcome === "retry" && (scope === "app" || scope === "none"));
  });
}
