import * as z from "zod";
import { isPublic, literalOf, refuseUrl } from "../_shared/callbacks/address.ts";
import { SECRET_PREFIX } from "../_shared/callbacks/signing.ts";
import { instant, storableText } from "../_shared/fields.ts";
import { parseBody } from "../_shared/http/parse_body.ts";
import { problem } from "../_shared/http/problem.ts";
import { UUID } from "../_shared/uuid.ts";
import { MAX_BODY_BYTES } from "./command.ts";
import type { Command } from "./command.ts";
import { noSuchTenant } from "./tenants.ts";

/** What a tenant may want to hear of. */
const EVENT_TYPES = [
  "message.status",
  "message.received",
  "wallet.low",
  "wallet.top_up_wanted",
  "sender.attention",
] as const;
const SECRET_BYTES = 32;

const types = z.array(z.enum(EVENT_TYPES)).min(1)
  .transform((wanted) => EVENT_TYPES.filter((type) => wanted.includes(type)));
const newCallback = z.strictObject({ url: storableText(), events: types });
const changes = z.strictObject({
  url: storableText().optional(),
  events: types.optional(),
  status: z.enum(["active", "disabled"]).optional(),
}).refine((body) => Object.keys(body).length > 0, "must change something");
const replay = z.strictObject({
  since: instant(),
  until: instant().optional(),
  types: types.optional(),
  dry_run: z.boolean().optional(),
});

const creation = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.literal("created"), id: z.string() }),
  z.object({ outcome: z.enum(["tenant_not_found", "too_many"]) }),
]);
const notFound = z.object({ outcome: z.literal("not_found") });
const update = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.literal("updated"), starts_anew: z.boolean() }),
  notFound,
]);
const deletion = z.object({ outcome: z.enum(["deleted", "not_found"]) });
const rotation = z.discriminatedUnion("outcome", [
  z.object({ outcome: z.literal("rotated"), previous_secret_until: z.string() }),
  notFound,
]);
const replayed = z.discriminatedUnion("outcome", [
  z.object({
    outcome: z.enum(["counted", "replayed"]),
    events: z.int(),
    next_since: z.string().nullable(),
  }),
  notFound,
]);

/** Gives the tenant an endpoint and shows its signing secret this once. */
export async function createCallback(command: Command): Promise<Response> {
  const { call, request, actor, param } = command;
  const body = await parseBody(newCallback, request, MAX_BODY_BYTES);
  if (!body.ok) return body.response;
  const refused = await refuseAddress(command, body.value.url);
  if (refused) return refused;
  const secret = newSecret(command);
  const created = creation.parse(
    await call("create_callback", { tenant_id: param("id"), callback: body.value, secret, actor }),
  );
  switch (created.outcome) {
    case "created":
      return Response.json({ id: created.id, secret, ...body.value }, { status: 201 });
    case "tenant_not_found":
      return noSuchTenant();
    case "too_many":
      return problem(409, "conflict", "The tenant has as many callbacks as it may have.");
  }
}

/** The tenant's endpoints, with how they do and how much waits for each. */
export async function listCallbacks({ call, param }: Command): Promise<Response> {
  return Response.json({ callbacks: await call("list_callbacks", { tenant_id: param("id") }) });
}

/** Changes an endpoint. One that is made active again is tried at once, its breaker closed. */
export async function updateCallback(command: Command): Promise<Response> {
  const { call, request, actor, breakers, log } = command;
  const body = await parseBody(changes, request, MAX_BODY_BYTES);
  if (!body.ok) return body.response;
  const { url } = body.value;
  const refused = url === undefined ? null : await refuseAddress(command, url);
  if (refused) return refused;
  const named = nameCallback(command);
  if (named === null) return noSuchCallback();
  const updated = update.parse(
    await call("update_callback", { ...named, changes: body.value, actor }),
  );
  if (updated.outcome === "not_found") return noSuchCallback();
  if (updated.starts_anew) {
    await breakers?.reset(`callback:${named.callback_id}`)
      .catch((error) => log.warn("breakers.unreachable", { error }));
  }
  return Response.json({ id: named.callback_id, ...body.value });
}

/** Takes an endpoint away, with its secret and all that waits for it. */
export async function deleteCallback(command: Command): Promise<Response> {
  const named = nameCallback(command);
  if (named === null) return noSuchCallback();
  const { outcome } = deletion.parse(
    await command.call("delete_callback", { ...named, actor: command.actor }),
  );
  return outcome === "deleted" ? Response.json({ id: named.callback_id }) : noSuchCallback();
}

/** Gives an endpoint another secret, shown this once; the one before signs beside it for a day. */
export async function rotateCallbackSecret(command: Command): Promise<Response> {
  const named = nameCallback(command);
  if (named === null) return noSuchCallback();
  const secret = newSecret(command);
  const rotated = rotation.parse(
    await command.call("rotate_callback_secret", { ...named, secret, actor: command.actor }),
  );
  if (rotated.outcome === "not_found") return noSuchCallback();
  return Response.json({ secret, previous_secret_until: rotated.previous_secret_until });
}

/** Sends up to 10,000 events of a time again, or with `dry_run` counts them. */
export async function replayCallbacks(command: Command): Promise<Response> {
  const body = await parseBody(replay, command.request, MAX_BODY_BYTES);
  if (!body.ok) return body.response;
  const { dry_run = false, ...filter } = body.value;
  const named = nameCallback(command);
  if (named === null) return noSuchCallback();
  const answer = replayed.parse(
    await command.call("replay_callbacks", {
      ...named,
      filter,
      dry_run,
      actor: command.actor,
    }),
  );
  if (answer.outcome === "not_found") return noSuchCallback();
  const { events, next_since } = answer;
  return Response.json({ dry_run, events, next_since });
}

// Every call checks again: this only tells who asks at once.
async function refuseAddress(
  { resolve, reach }: Command,
  text: string,
): Promise<Response | null> {
  const reason = refuseUrl(text, reach) ?? await refuseHost(new URL(text), resolve, reach);
  if (reason === null) return null;
  return problem(422, "invalid_request", "The address cannot be called.", {
    errors: [{ pointer: "/url", detail: reason }],
  });
}

async function refuseHost(
  url: URL,
  resolve: Command["resolve"],
  reach: Command["reach"],
): Promise<string | null> {
  if (reach === "any" || literalOf(url) !== null) return null;
  const addresses = await resolve(url.hostname).catch(() => []);
  if (addresses.length === 0) return "must have a host that can be found";
  return addresses.every(isPublic) ? null : "must lead to a public address";
}

function nameCallback({ param }: Command): { tenant_id: string; callback_id: string } | null {
  const callback_id = param("callback_id");
  return UUID.test(callback_id) ? { tenant_id: param("id"), callback_id } : null;
}

function newSecret({ randomBytes }: Command): string {
  return `${SECRET_PREFIX}${btoa(String.fromCharCode(...randomBytes(SECRET_BYTES)))}`;
}

function noSuchCallback(): Response {
  return problem(404, "not_found", "The tenant has no such callback.");
}
