import { strict as assert } from "node:assert";
import { errorBody, httpStatus, type Refusal, webhookError } from "./error_bodies.ts";
import { errorTable } from "./error_table.ts";

Deno.test("errorBody() of a Cloud API code has the code before its title, and details", () => {
  assert.deepEqual(errorBody({ code: 131009, details: "Param to is wrong." }, "trace"), {
    error: {
      message: "(#131009) Parameter value is not valid",
      type: "OAuthException",
      code: 131009,
      error_data: { messaging_product: "whatsapp", details: "Param to is wrong." },
      fbtrace_id: "trace",
    },
  });
});

Deno.test("errorBody() of an expired token is that of any Graph call, with its subcode", () => {
  assert.deepEqual(errorBody({ code: 190, subcode: 463 }, "trace"), {
    error: {
      message: "Error validating access token: Session has expired.",
      type: "OAuthException",
      code: 190,
      error_subcode: 463,
      fbtrace_id: "trace",
    },
  });
});

Deno.test("errorBody() says whether an error is transient only where it was asked to", () => {
  const { error } = errorBody({ code: 2, isTransient: true }, "trace");
  assert.equal(error.is_transient, true);
  assert.equal("is_transient" in errorBody({ code: 2 }, "trace").error, false);
});

const statuses: [Refusal, number][] = [
  [{ code: 0 }, 401],
  [{ code: 2 }, 503],
  [{ code: 3 }, 500],
  [{ code: 10 }, 403],
  [{ code: 190 }, 401],
  [{ code: 130429 }, 400],
  [{ code: 130429, http: 429 }, 429],
  [{ code: 131000 }, 500],
  [{ code: 131031 }, 403],
  [{ code: 131056 }, 400],
  [{ code: 132001 }, 404],
  [{ code: 999_999 }, 400],
];

for (const [refusal, http] of statuses) {
  Deno.test(`httpStatus() of ${JSON.stringify(refusal)} is ${http}`, () => {
    assert.equal(httpStatus(refusal), http);
  });
}

Deno.test("webhookError() repeats its title as message and explains itself in error_data", () => {
  const error = webhookError(131026);
  assert.equal(error.title, "Message undeliverable");
  assert.equal(error.message, error.title);
  assert.deepEqual(error.error_data, { details: "Unable to deliver message." });
  assert.match(String(error.href), /^https:\/\//);
});

Deno.test("every code of the table has an HTTP status of an error, a title and details", () => {
  for (const [code, { http, title, details }] of Object.entries(errorTable)) {
    assert.ok(http >= 400 && http < 600 && title && details, code);
  }
});
