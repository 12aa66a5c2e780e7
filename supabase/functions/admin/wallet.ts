import * as z from "zod";
import { parseBody } from "../_shared/http/parse_body.ts";
import { MAX_BODY_BYTES } from "./command.ts";
import type { Command } from "./command.ts";

const MAX_CHECKPOINTS = 1_000;

const page = z.strictObject({
  after: z.int().nonnegative().default(0),
  limit: z.int().min(1).max(MAX_CHECKPOINTS).default(100),
});

/** Proves a page of the ledger's checkpoints against its entries, and names every entry that differs. */
export async function verifyWallet({ call, request }: Command): Promise<Response> {
  const body = await parseBody(page, request, MAX_BODY_BYTES);
  if (!body.ok) return body.response;
  const { after, limit } = body.value;
  return Response.json(
    await call("verify_wallet", { after_id: after, checkpoint_limit: limit }),
  );
}
