/**
 * What wa-webhook is compared with, in a process of its own: `one_rpc` is the same handler that stores
 * each request by a call of its own, `nothing` verifies the signature, parses and stores nothing.
 */
import { connectDatabase } from "../supabase/functions/_shared/database.ts";
import { serve } from "../supabase/functions/_shared/http/serve.ts";
import { createLog } from "../supabase/functions/_shared/telemetry/log.ts";
import { createSignatureVerifier } from "../supabase/functions/_shared/whatsapp/signature.ts";
import { createHandler } from "../supabase/functions/wa-webhook/webhook.ts";

interface Options {
  kind: "one_rpc" | "nothing";
  supabaseUrl: string;
  secretKey: string;
  appSecret: string;
}

const { kind, supabaseUrl, secretKey, appSecret }: Options = JSON.parse(Deno.args[0]!);
const verifySignature = createSignatureVerifier([appSecret]);

async function verifyOnly(request: Request): Promise<Response> {
  const body = new Uint8Array(await request.arrayBuffer());
  const signature = request.headers.get("x-hub-signature-256");
  if (!verifySignature(body, signature)) return new Response(null, { status: 401 });
  JSON.parse(new TextDecoder().decode(body));
  return new Response(null, { status: 200 });
}

function storeEach(): (request: Request) => Promise<Response> {
  const call = connectDatabase({ url: supabaseUrl, secretKey, fetch });
  const handler = createHandler({
    verifyToken: "unused",
    verifySignature,
    async storeEvents(events) {
      await call("store_events", { events: events as never });
      return "stored";
    },
    reportRefusal: () => {},
  });
  const log = createLog({ write: () => {}, now: Date.now, fields: {} });
  return serve("wa-webhook", handler, { log, now: Date.now });
}

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  // deno-lint-ignore no-console -- whoever started this program reads where it listens
  onListen: ({ port }) => console.log(`http://127.0.0.1:${port}`),
}, kind === "nothing" ? verifyOnly : storeEach());
