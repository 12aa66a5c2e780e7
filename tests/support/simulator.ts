/** One call that the simulator received, as it lists it. */
export interface ReceivedCall {
  at: number;
  phone_number_id: string;
  to: string | null;
  type: string;
  access_token: string | null;
  outcome: "accepted" | "refused" | "dropped" | "hung";
  code: number | null;
  wamid: string | null;
  body: unknown;
}

/** The control API of a running Graph API simulator; local/graph_simulator/README.md lists it all. */
export interface Simulator {
  /** Calls of a number, oldest first; with `waitFor`, once there are so many or after `timeoutMs`. */
  received(
    filter: { phone_number_id: string; to?: string },
    wait?: { waitFor: number; timeoutMs?: number },
  ): Promise<ReceivedCall[]>;
  /** Tells what a number is: its account, tokens and limits. */
  putNumber(phoneNumberId: string, properties: Record<string, unknown>): Promise<void>;
  /** Adds a rule of misbehaviour and returns its id. Match it by your own number. */
  addRule(rule: Record<string, unknown>): Promise<number>;
  removeRule(id: number): Promise<void>;
  /** Lets a customer write to a number; returns Meta's id of the message. */
  receiveFromCustomer(message: Record<string, unknown>): Promise<string>;
  /** Posts these bytes to the webhook at once and returns the statuses of the answers. */
  postRawWebhook(
    body: string,
    options?: { signature?: string; copies?: number },
  ): Promise<(number | null)[]>;
}

/** Connects to the simulator at `url`; every call throws with the answer when it is refused. */
export function connectSimulator(url: string): Simulator {
  async function call<T>(path: string, init: RequestInit = {}): Promise<T> {
    const response = await fetch(`${url}/_control${path}`, init);
    const text = await response.text();
    if (response.ok) return JSON.parse(text) as T;
    throw new Error(`Cannot ${init.method ?? "GET"} ${path}: ${response.status} ${text}`);
  }

  const send = <T>(method: string, path: string, body: unknown) =>
    call<T>(path, { method, body: JSON.stringify(body) });

  return {
    async received(filter, wait) {
      const query = new URLSearchParams({ ...filter, limit: "200000" });
      if (wait) {
        query.set("wait_for", String(wait.waitFor));
        query.set("timeout_ms", String(wait.timeoutMs ?? 15_000));
      }
      return (await call<{ received: ReceivedCall[] }>(`/received?${query}`)).received;
    },
    putNumber: (phoneNumberId, properties) => send("PUT", `/numbers/${phoneNumberId}`, properties),
    addRule: async (rule) => (await send<{ id: number }>("POST", "/rules", rule)).id,
    removeRule: (id) => call(`/rules/${id}`, { method: "DELETE" }),
    receiveFromCustomer: async (message) =>
      (await send<{ message_id: string }>("POST", "/inbound", message)).message_id,
    async postRawWebhook(body, { signature = "valid", copies = 1 } = {}) {
      const query = new URLSearchParams({ signature, copies: String(copies) });
      const init = { method: "POST", body };
      return (await call<{ statuses: (number | null)[] }>(`/webhooks/raw?${query}`, init)).statuses;
    },
  };
}
