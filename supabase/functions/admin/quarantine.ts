import * as z from "zod";
import { instant, text } from "../_shared/fields.ts";
import { parseBody, parseQuery } from "../_shared/http/parse_body.ts";
import { numberedCursor, pageLimit, queriedInstant } from "../_shared/http/query_fields.ts";
import { splitAgain } from "../_shared/whatsapp/webhook_again.ts";
import { MAX_BODY_BYTES } from "./command.ts";
import type { Command } from "./command.ts";

/** Events that one replay looks at. */
const REPLAYED_PAGE = 500;
const MAX_REASON_CHARACTERS = 200;

const reason = text(MAX_REASON_CHARACTERS);
const businessAccount = z.string().regex(/^\d{1,32}$/, "must be an id of Meta: 1 to 32 digits");
const cursor = numberedCursor();

const page = z.object({
  reason: reason.optional(),
  business_account: businessAccount.optional(),
  since: queriedInstant().optional(),
  until: queriedInstant().optional(),
  cursor: cursor.optional(),
  limit: pageLimit({ usual: 50, most: 200 }),
});

const replay = z.strictObject({
  filter: z.strictObject({
    reason: reason.optional(),
    business_account: businessAccount.optional(),
    since: instant().optional(),
    until: instant().optional(),
  }),
  dry_run: z.boolean().optional(),
  cursor: cursor.optional(),
});

const quarantine = z.looseObject({
  events: z.array(z.looseObject({
    id: z.int(),
    kind: z.string(),
    field: z.string(),
    business_account_id: z.string().nullable(),
    payload: z.record(z.string(), z.unknown()),
  })),
  next_cursor: z.string().nullable(),
});
const replayed = z.object({ given_to_owners: z.int(), understood: z.int() });

/** A page of the quarantine, the oldest first, and how much there is of each reason. */
export async function listQuarantine({ call, request }: Command): Promise<Response> {
  const parsed = parseQuery(page, request);
  if (!parsed.ok) return parsed.response;
  const { cursor: after_id = 0, limit, ...filter } = parsed.value;
  return Response.json(
    await call("list_quarantine", {
      filter,
      after_id,
      page_limit: limit,
    }),
  );
}

/**
 * Looks at up to 500 quarantined events, from `cursor` on: those whose owner is known now, and those
 * that today's code understands, are applied, each once. `next_cursor` is where the next call goes
 * on; with `dry_run` nothing changes.
 */
export async function replayQuarantine(command: Command): Promise<Response> {
  const { call, request, actor, log } = command;
  const body = await parseBody(replay, request, MAX_BODY_BYTES);
  if (!body.ok) return body.response;
  const { filter, dry_run = false, cursor: after_id = 0 } = body.value;
  const { events, next_cursor } = quarantine.parse(
    await call("list_quarantine", { filter, after_id, page_limit: REPLAYED_PAGE }),
  );
  const splits = events.filter(({ kind }) => kind === "unknown").flatMap((event) => {
    const split = splitAgain(event);
    return split === null ? [] : [{ id: event.id, events: split }];
  });
  const counts = replayed.parse(
    await call("replay_quarantine", {
      event_ids: events.map(({ id }) => id),
      splits,
      dry_run,
      filter,
      actor,
    }),
  );
  const still_quarantined = events.length - counts.given_to_owners - counts.understood;
  const answer = { looked_at: events.length, ...counts, still_quarantined, next_cursor };
  if (!dry_run) log.info("quarantine.replayed", answer);
  return Response.json({ dry_run, ...answer });
}
