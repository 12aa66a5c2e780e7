import * as z from "zod";
import type { Json } from "../_shared/database_types.ts";
import { text } from "../_shared/fields.ts";
import { parseBody } from "../_shared/http/parse_body.ts";
import { problem } from "../_shared/http/problem.ts";
import { CURRENCY_EXPONENTS } from "../_shared/wallet/currencies.ts";
import { microsToDecimal } from "../_shared/wallet/money.ts";
import type { Command } from "./command.ts";

const MAX_ANSWER_BYTES = 2 * 1_024 * 1_024;
const MAX_POINTS = 10_000;
const MAX_PERIOD_SECONDS = 92 * 24 * 60 * 60;
/** The year 2100; what is larger was meant in milliseconds. */
const MAX_SECONDS = 4_102_444_800;

const seconds = z.int().min(0).max(MAX_SECONDS);
const label = text(50).regex(/^[A-Za-z_-]+$/, "must be letters, such as REGULAR")
  .transform((written) => written.toLowerCase().replaceAll("-", "_"));
const point = z.looseObject({
  start: seconds,
  end: seconds,
  phone_number: text(32).regex(/^\+?[\d ()-]*\d[\d ()-]*$/, "must be a phone number").optional(),
  pricing_category: label,
  pricing_type: label,
  volume: z.int().min(0).max(1_000_000_000),
  cost: z.number().min(0).max(1_000_000_000).optional(),
});
// https://developers.facebook.com/docs/whatsapp/business-management-api/analytics (2026-10)
const pricingAnalytics = z.looseObject({
  data: z.array(z.looseObject({ data_points: z.array(point).max(MAX_POINTS) })).max(MAX_POINTS),
  paging: z.looseObject({ next: z.unknown().optional() }).optional(),
});
const analyticsBody = z.strictObject({
  start: seconds,
  end: seconds,
  currency: z.string().refine((code) => CURRENCY_EXPONENTS.has(code), "must be a known currency")
    .optional(),
  dry_run: z.boolean().optional(),
  answer: z.looseObject({
    id: z.string().regex(/^\d{1,32}$/, "must be the id of the business account"),
    pricing_analytics: pricingAnalytics,
  }),
}).superRefine(refusePeriod).superRefine(refusePoints);

type AnalyticsBody = z.infer<typeof analyticsBody>;

const micros = z.string().regex(/^\d+$/).transform(BigInt).optional();
const compared = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.literal("unknown_business_account") }),
  z.object({
    outcome: z.enum(["compared", "previewed"]),
    compared: z.int(),
    differences: z.array(z.looseObject({ meta_micros: micros, our_micros: micros })),
    not_compared: z.array(z.looseObject({ reason: z.string() })),
  }),
]);

/**
 * Holds what Meta counted of a business account in a period against what was charged. What differs is
 * answered and becomes a finding; the same answer again changes nothing, a later one takes its place.
 */
export async function compareMetaAnalytics(command: Command): Promise<Response> {
  const { call, request, actor, log } = command;
  const body = await parseBody(analyticsBody, request, MAX_ANSWER_BYTES);
  if (!body.ok) return body.response;
  const { dry_run = false, currency } = body.value;
  const told = compared.parse(
    await call("compare_meta_analytics", { answer: toAnswer(body.value), dry_run, actor }),
  );
  if (told.outcome === "unknown_business_account") {
    return problem(404, "not_found", "No sender belongs to this business account.");
  }
  const { differences, not_compared } = told;
  if (!dry_run) {
    log.info("meta_analytics.compared", {
      compared: told.compared,
      differences: differences.length,
      not_compared: not_compared.length,
    });
  }
  return Response.json({
    dry_run,
    compared: told.compared,
    differences: differences.map((difference) => withCosts(difference, currency)),
    not_compared,
  });
}

function refusePeriod({ start, end }: { start: number; end: number }, context: z.RefinementCtx) {
  const refuse = (message: string) =>
    context.addIssue({ code: "custom", path: ["end"], message, input: end });
  if (end <= start) refuse("must be after the start");
  else if (end - start > MAX_PERIOD_SECONDS) refuse("must be at most 92 days after the start");
}

function refusePoints(body: AnalyticsBody, context: z.RefinementCtx) {
  const at = ["answer", "pricing_analytics"];
  const refuse = (path: (string | number)[], message: string) =>
    context.addIssue({ code: "custom", path: [...at, ...path], message, input: undefined });
  const { data, paging } = body.answer.pricing_analytics;
  if (paging?.next !== undefined) {
    refuse(["paging", "next"], "is a page of several; the data of all belong together");
  }
  const points = pointsOf(body);
  if (points.length > MAX_POINTS) refuse(["data"], `must have at most ${MAX_POINTS} points`);
  const namesNumbers = points[0]?.phone_number !== undefined;
  data.forEach(({ data_points }, nth) =>
    data_points.forEach((one, index) => {
      const path = ["data", nth, "data_points", index];
      if (one.start < body.start || one.end > body.end || one.end <= one.start) {
        refuse([...path, "start"], "must lie, with its end, within the period");
      }
      if ((one.phone_number !== undefined) !== namesNumbers) {
        refuse([...path, "phone_number"], "must be told of all points or of none");
      }
    })
  );
}

function pointsOf({ answer }: AnalyticsBody) {
  return answer.pricing_analytics.data.flatMap(({ data_points }) => data_points);
}

function toAnswer(body: AnalyticsBody): Json {
  return {
    business_account_id: body.answer.id,
    starts_at: toInstant(body.start),
    ends_at: toInstant(body.end),
    currency: body.currency ?? null,
    points: pointsOf(body).map((one) => ({
      phone_number: one.phone_number?.replaceAll(/\D/g, "") ?? null,
      category: one.pricing_category,
      type: one.pricing_type,
      volume: one.volume,
      cost_micros: one.cost === undefined ? null : Math.round(one.cost * 1_000_000),
    })),
  };
}

function toInstant(epochSeconds: number): string {
  return new Date(epochSeconds * 1_000).toISOString();
}

function withCosts(
  { meta_micros, our_micros, ...rest }: {
    meta_micros?: bigint | undefined;
    our_micros?: bigint | undefined;
  },
  currency: string | undefined,
): Record<string, unknown> {
  if (meta_micros === undefined || our_micros === undefined || currency === undefined) return rest;
  return {
    ...rest,
    currency,
    meta_cost: microsToDecimal(meta_micros, currency),
    our_cost: microsToDecimal(our_micros, currency),
  };
}
