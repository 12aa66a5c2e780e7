import { createHmac } from "node:crypto";

import type { CallRpc } from "../../supabase/functions/_shared/database.ts";
import { serve } from "../../supabase/functions/_shared/http/serve.ts";
import { createInboundQueue } from "../../supabase/functions/_shared/queue/inbound.ts";
import { createLog, type Fields } from "../../supabase/functions/_shared/telemetry/log.ts";
import { createSignatureVerifier } from "../../supabase/functions/_shared/whatsapp/signature.ts";
import { drain, type DrainReport } from "../../supabase/functions/wa-inbound/drain.ts";
import { createEventStore } from "../../supabase/functions/wa-webhook/event_store.ts";
import { createHandler } from "../../supabase/functions/wa-webhook/webhook.ts";
import { NO_CONVERSATIONS } from "./conversations.ts";

const SECRET = "test-app-secret";

/** wa-webhook and wa-inbound as their index.ts wires them, in process, over one database. */
export interface Receiving {
  /** Signs the body and posts it; the status that Meta would see. */
  post(body: unknown, signature?: string | null): Promise<number>;
  /** One drain, which ends when nothing is visible in the queue. */
  drain(batch?: number): Promise<DrainReport>;
  /** What wa-webhook said of what it stored, added up. */
  readonly counts: { stored: number; duplicates: number; quarantined: number };
  /** Every line that was logged. */
  readonly lines: Fields[];
}

/** Wires both over whatever calls the database: the real one, or one that loses answers. */
export function wireReceiving(callRpc: CallRpc): Receiving {
  const counts = { stored: 0, duplicates: 0, quarantined: 0 };
  const lines: Fields[] = [];
  const write = (text: string) => {
    const line = JSON.parse(text) as Fields;
    if (line.event === "request.answered") return;
    lines.push(line);
    if (line.event !== "events.stored") return;
    for (const name of ["stored", "duplicates", "quarantined"] as const) {
      counts[name] += Number(line[name]);
    }
  };
  const log = createLog({ write, now: Date.now, fields: {} });
  const handler = createHandler({
    verifyToken: "unused",
    verifySignature: createSignatureVerifier([SECRET]),
    storeEvents: createEventStore({ call: callRpc, log, now: Date.now }),
    reportRefusal: () => {},
  });
  const webhook = serve("wa-webhook", handler, { log, now: Date.now });
  const queue = createInboundQueue(callRpc, { leaseSeconds: 60 });
  const deps = {
    queue,
    conversations: NO_CONVERSATIONS,
    log,
    now: Date.now,
    sleep: () => Promise.resolve(),
    random: () => 0,
  };
  return {
    counts,
    lines,
    async post(body, signature) {
      const bytes = bytesOf(body);
      const signed = signature === undefined ? sign(bytes) : signature;
      const headers: HeadersInit = signed === null ? {} : { "x-hub-signature-256": signed };
      const url = "http://localhost/wa-webhook";
      return (await webhook(new Request(url, { method: "POST", body: bytes, headers }))).status;
    },
    drain: (batch = 200) =>
      drain(
        deps,
        { batch, maxEvents: Infinity, maxDurationMs: Infinity, maxIdleMs: 0 },
        { stop: new AbortController().signal },
      ),
  };
}

function bytesOf(body: unknown): Uint8Array<ArrayBuffer> {
  if (body instanceof Uint8Array) return Uint8Array.from(body);
  return new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body));
}

function sign(bytes: Uint8Array): string {
  return `sha256=${createHmac("sha256", SECRET).update(bytes).digest("hex")}`;
}
