/**
 * Gives an error of the database the status that PostgREST gives it, in the form that
 * @supabase/lite hands on as it is; by itself lite answers most of them 500 and hides their code.
 * What lite answers rightly, and what is no error of the database, is returned unchanged.
 */
export function toPostgrestError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const { code, detail, hint } = error as Error & Record<"code" | "detail" | "hint", unknown>;
  if (typeof code !== "string") return error;
  if (isConnectionFailure(code)) {
    const message = "Database client error. Retrying the connection.";
    return raise(503, { code: "PGRST001", message, details: error.message, hint: null });
  }
  const status = statusOf(code);
  if (status === undefined) return quiet(error, `${code} ${error.message}`);
  return raise(status, {
    code,
    message: error.message,
    details: detail ?? null,
    hint: hint ?? null,
  });
}

function isConnectionFailure(code: string): boolean {
  return /^(ECONN|CONNECT|EPIPE|ETIMEDOUT|57P0[1-3])/.test(code);
}

// https://docs.postgrest.org/en/stable/references/errors.html (2026-11). The longest prefix wins.
// 42501 and the PTxxx and PGRST codes are lite's: the first depends on who asks.
const STATUSES: Record<string, number> = {
  "08": 503,
  "09": 500,
  "0L": 403,
  "0P": 403,
  "21": 400,
  "22": 400,
  "23": 400,
  "23503": 409,
  "23505": 409,
  "25": 500,
  "25006": 405,
  "28": 403,
  "2D": 500,
  "38": 500,
  "39": 500,
  "3B": 500,
  "40": 500,
  "53": 503,
  "53400": 500,
  "54": 500,
  "55": 500,
  "57": 500,
  "58": 500,
  "F0": 500,
  "HV": 500,
  "P0": 500,
  "P0001": 400,
  "XX": 500,
};

function statusOf(code: string): number | undefined {
  if (!/^[0-9A-Z]{5}$/.test(code)) return undefined;
  return STATUSES[code] ?? STATUSES[code.slice(0, 2)];
}

function raise(status: number, answer: Record<string, unknown>): Error {
  const error = Object.assign(new Error(JSON.stringify(answer)), {
    code: "PGRST",
    detail: JSON.stringify({ status, headers: {} }),
  });
  return quiet(error, `${status} ${answer.code} ${answer.message}`);
}

// lite prints every error that it answers: one line of it, not the driver's stack.
function quiet(error: Error, said: string): Error {
  const inspect = { value: () => `data api: ${said}`, enumerable: false };
  return Object.defineProperty(error, Symbol.for("Deno.customInspect"), inspect);
}
