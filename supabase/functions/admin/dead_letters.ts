import * as z from "zod";
import { instant, text } from "../_shared/fields.ts";
import { parseBody, parseQuery } from "../_shared/http/parse_body.ts";
import { pageLimit, queriedInstant, withPlus } from "../_shared/http/query_fields.ts";
import { mayDo } from "../_shared/http/roles.ts";
import { MAX_BODY_BYTES } from "./command.ts";
import type { Command } from "./command.ts";

const MAX_CAUSE_CHARACTERS = 200;
/** Messages a second: slower than any number, so that what is redriven stays in the background. */
const DEFAULT_RATE = 10;
const MIN_RATE = 0.1;
const MAX_RATE = 1_000;

const cause = text(MAX_CAUSE_CHARACTERS);
const from = z.string().regex(/^\d{1,32}$/, "must be a sender's phone_number_id");
const to = z.string().regex(/^\+?[1-9]\d{4,14}$/, "must be a phone number with its country code")
  .transform((written) => written.startsWith("+") ? written : `+${written}`);
const source = z.enum(["message", "event"]);

const page = z.object({
  cause: cause.optional(),
  from: from.optional(),
  to: withPlus().pipe(to).optional(),
  since: queriedInstant().optional(),
  until: queriedInstant().optional(),
  source: source.optional(),
  cursor: z.guid("must be the next_cursor of a page").optional(),
  limit: pageLimit({ usual: 50, most: 200 }),
});

const redrive = z.strictObject({
  filter: z.strictObject({
    cause: cause.optional(),
    from: from.optional(),
    to: to.optional(),
    since: instant().optional(),
    until: instant().optional(),
    source: source.optional(),
    /** Takes up what has expired too, and gives it another day. */
    expired: z.boolean().optional(),
  }),
  dry_run: z.boolean().optional(),
  rate: z.number().min(MIN_RATE).max(MAX_RATE).optional(),
});

const letters = z.looseObject({ dead_letters: z.array(z.record(z.string(), z.unknown())) });
const redriven = z.looseObject({
  redrive_id: z.string().nullable(),
  messages: z.int(),
  events: z.int(),
  left: z.int(),
});

/**
 * Open dead letters: how many by cause, and a page of them, newest first; of the caller's tenant, or
 * of all for a secret caller. Who may not read messages does not learn to whom they went.
 */
export async function listDeadLetters({ call, request, caller }: Command): Promise<Response> {
  const parsed = parseQuery(page, request);
  if (!parsed.ok) return parsed.response;
  const { cursor = null, limit, ...filter } = parsed.value;
  const listed = letters.parse(
    await call("list_dead_letters", {
      wanted_tenant_id: caller.tenantId,
      filter,
      cursor,
      page_limit: limit,
    }),
  );
  if (mayDo(caller, "use_messages")) return Response.json(listed);
  const shown = listed.dead_letters.map(({ to: _, ...letter }) => letter);
  return Response.json({ ...listed, dead_letters: shown });
}

/**
 * Takes up to 10,000 dead letters up again at `rate` messages a second, each once, and says how many
 * are `left` for the next call; with `dry_run` says what would be taken up and what held back.
 */
export async function redriveDeadLetters(command: Command): Promise<Response> {
  const { call, request, caller, actor, log } = command;
  const body = await parseBody(redrive, request, MAX_BODY_BYTES);
  if (!body.ok) return body.response;
  const { filter, dry_run = false, rate = DEFAULT_RATE } = body.value;
  const wanted = {
    wanted_tenant_id: caller.tenantId,
    filter,
    rate_per_second: rate,
  };
  if (dry_run) {
    const preview = z.looseObject({}).parse(await call("preview_redrive", wanted));
    return Response.json({ dry_run, ...preview });
  }
  const answer = redriven.parse(await call("redrive_dead_letters", { ...wanted, actor }));
  const { redrive_id, messages, events, left } = answer;
  if (redrive_id !== null) {
    log.info("dead_letters.redriven", { redrive_id, messages, events, left });
  }
  return Response.json({ dry_run, ...answer });
}
