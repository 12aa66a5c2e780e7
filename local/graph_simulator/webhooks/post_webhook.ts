import type { Clock } from "../clock.ts";
import type { Settings } from "../script/settings.ts";
import { type Secrets, signatureHeader, type SignatureMode } from "./signature.ts";

/** An app that is subscribed: where its webhooks go and what they are signed with. */
export interface Subscriber {
  url: string;
  secrets: Secrets;
}

/** One attempt at a webhook, as `GET /_control/webhooks` lists the last ones. */
export interface WebhookAttempt {
  at: number;
  url: string;
  /** null: no answer in time, or no connection. */
  status: number | null;
  attempt: number;
  updates: number;
  bytes: number;
  duration_ms: number;
}

/** Posts one signed body and says what HTTP status came back; null when none did. */
export type PostWebhook = (
  subscriber: Subscriber,
  body: string | Uint8Array<ArrayBuffer>,
  signature: SignatureMode,
  about: { updates: number; attempt: number },
) => Promise<number | null>;

export interface WebhookTally {
  posts: number;
  accepted: number;
  not_accepted: number;
  updates_accepted: number;
}

export interface WebhookPoster {
  post: PostWebhook;
  tally(): WebhookTally;
  recent(): WebhookAttempt[];
  clear(): void;
  stop(): void;
}

const REMEMBERED_ATTEMPTS = 1_000;

export function createWebhookPoster(deps: {
  clock: Clock;
  fetch: typeof fetch;
  timeoutMs: () => number;
}): WebhookPoster {
  const stopping = new AbortController();
  let recent: WebhookAttempt[] = [];
  let tally = noTally();

  function note(attempt: WebhookAttempt): void {
    if (recent.length >= 2 * REMEMBERED_ATTEMPTS) recent = recent.slice(-REMEMBERED_ATTEMPTS);
    recent.push(attempt);
    const accepted = attempt.status === 200;
    tally.posts++;
    tally[accepted ? "accepted" : "not_accepted"]++;
    if (accepted) tally.updates_accepted += attempt.updates;
  }

  async function send(
    subscriber: Subscriber,
    body: string | Uint8Array<ArrayBuffer>,
    signature: SignatureMode,
  ) {
    const headers = new Headers({
      "content-type": "application/json",
      "user-agent": "facebookexternalua",
    });
    const header = signatureHeader(body, subscriber.secrets, signature);
    if (header !== null) headers.set("x-hub-signature-256", header);
    const late = new AbortController();
    const cancel = deps.clock.after(deps.timeoutMs(), () => late.abort());
    try {
      const signal = AbortSignal.any([late.signal, stopping.signal]);
      const response = await deps.fetch(subscriber.url, { method: "POST", headers, body, signal });
      // Read to the end, or the connection cannot be used again.
      await response.arrayBuffer();
      return response.status;
    } catch {
      // No connection, no answer in time: to Meta that is a webhook to be retried.
      return null;
    } finally {
      cancel();
    }
  }

  return {
    async post(subscriber, body, signature, about) {
      const at = deps.clock.now();
      const status = await send(subscriber, body, signature);
      const duration_ms = deps.clock.now() - at;
      note({ at, url: subscriber.url, status, bytes: body.length, duration_ms, ...about });
      return status;
    },
    tally: () => ({ ...tally }),
    recent: () => recent.slice(-REMEMBERED_ATTEMPTS),
    clear() {
      recent = [];
      tally = noTally();
    },
    stop: () => stopping.abort(),
  };
}

const noTally = (): WebhookTally => ({
  posts: 0,
  accepted: 0,
  not_accepted: 0,
  updates_accepted: 0,
});

/** The app itself and whoever else is subscribed to the same account. */
export function toSubscribers(own: Subscriber, settings: Settings): Subscriber[] {
  const others = settings.webhooks.also_subscribed.map(({ url, app_secret }) => ({
    url,
    secrets: { current: app_secret, previous: null },
  }));
  return [own, ...others];
}
