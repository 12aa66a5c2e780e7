import { type Context, Hono } from "hono";
import { refusalAnswer, toResponse } from "./answer.ts";
import type { BusinessNumbers } from "./business_numbers.ts";
import type { Refusal } from "./error_bodies.ts";
import { missing } from "./field_rules.ts";
import { accountNode, numberNode, selectFields } from "./graph_nodes.ts";
import type { Ids } from "../ids.ts";
import { checkUpload, type Media, type MediaStore, UPLOAD_KEPT_MS } from "./media.ts";
import { type SendCall, unknownObject } from "./sending.ts";
import type { Answer } from "./answer.ts";
import type { SettingsHolder } from "../script/settings.ts";
import { bearerToken, checkToken } from "./tokens.ts";

export interface GraphDeps {
  settings: SettingsHolder;
  numbers: BusinessNumbers;
  media: MediaStore;
  ids: Ids;
  send: (call: SendCall) => Promise<Answer>;
}

const VERSION = "/:version{v[0-9]+\\.[0-9]+}";

/** The addresses of the Graph API that a sender of messages uses. */
export function createGraphApi(deps: GraphDeps): Hono {
  const { settings, numbers, media, ids, send } = deps;
  const api = new Hono();
  const refuse = (refusal: Refusal) => toResponse(refusalAnswer(refusal, ids));
  const numberOf = (id: string) => settings.current.strict ? numbers.find(id) : numbers.resolve(id);
  const isAccount = (id: string) => numbers.all().some((one) => one.businessAccountId === id);

  api.post(`${VERSION}/:id{[0-9]+}/messages`, async (c) => {
    const authorization = c.req.header("authorization") ?? null;
    const body = await c.req.text();
    const answer = await send({ phoneNumberId: c.req.param("id"), authorization, body });
    return toResponse(answer, usageHeaders(settings.current.limits.usage_percent));
  });

  api.post(`${VERSION}/:id{[0-9]+}/media`, async (c) => {
    const number = numberOf(c.req.param("id"));
    if (number === undefined) return refuse(unknownObject(c.req.param("id")));
    const expired = checkToken(number, tokenOf(c));
    if (expired !== null) return refuse(expired);
    const file = (await c.req.formData()).get("file");
    if (!(file instanceof File)) return refuse(missing("file"));
    const refusal = checkUpload(file.type, file.size);
    if (refusal !== null) return refuse(refusal);
    const { phoneNumberId } = number;
    const bytes = new Uint8Array(await file.arrayBuffer());
    const { id } = media.put({ phoneNumberId, mimeType: file.type, bytes }, UPLOAD_KEPT_MS);
    return c.json({ id });
  });

  api.post(`${VERSION}/:id{[0-9]+}/:action{subscribed_apps|register|deregister}`, (c) => {
    return tokenOf(c) === null ? refuse({ code: 104 }) : c.json({ success: true });
  });

  api.get(`${VERSION}/:id{[0-9]+}`, (c) => {
    const id = c.req.param("id");
    if (tokenOf(c) === null) return refuse({ code: 104 });
    const file = media.find(id);
    if (file === "expired") return refuse(unknownObject(id));
    if (file !== undefined) return mediaAnswer(c, file);
    const fields = c.req.query("fields");
    if (numbers.find(id) === undefined && isAccount(id)) {
      return c.json(selectFields(accountNode(id), fields, ["id", "name"]));
    }
    const number = numberOf(id);
    if (number === undefined) return refuse(unknownObject(id));
    const refusal = checkToken(number, tokenOf(c));
    return refusal === null ? c.json(numberNode(number, fields)) : refuse(refusal);
  });

  function mediaAnswer(c: Context, file: Media): Response {
    const asked = c.req.query("phone_number_id");
    if (asked !== undefined && asked !== file.phoneNumberId) return refuse(unknownObject(file.id));
    return c.json({
      messaging_product: "whatsapp",
      url: media.urlOf(file),
      mime_type: file.mimeType,
      sha256: file.sha256,
      file_size: file.bytes.length,
      id: file.id,
    });
  }

  api.delete(`${VERSION}/:id{[0-9]+}`, (c) => {
    if (tokenOf(c) === null) return refuse({ code: 104 });
    return media.remove(c.req.param("id"))
      ? c.json({ success: true })
      : refuse(unknownObject(c.req.param("id")));
  });

  api.get("/_media/:token", (c) => {
    if (tokenOf(c) === null) return c.text("Unauthorized", 401);
    const file = media.download(c.req.param("token"));
    if (file === undefined) return c.text("Not Found", 404);
    return new Response(file.bytes, { headers: { "content-type": file.mimeType } });
  });

  return api;
}

function tokenOf(c: Context): string | null {
  return bearerToken(c.req.header("authorization") ?? null);
}

/** Meta tells how much of its call budget is used, in percent. */
export function usageHeaders(percent: number | null): Record<string, string> {
  if (percent === null) return {};
  const usage = { call_count: percent, total_time: percent, total_cputime: percent };
  return {
    "x-app-usage": JSON.stringify(usage),
    "x-business-use-case-usage": JSON.stringify({
      "0": [{
        type: "whatsapp",
        ...usage,
        estimated_time_to_regain_access: percent >= 100 ? 1 : 0,
      }],
    }),
  };
}
