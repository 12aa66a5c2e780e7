import { connectSimulator, type Simulator } from "./simulator.ts";

export type TestCaller =
  | { kind: "nobody" }
  | { kind: "secret"; tenantId?: string }
  | { kind: "tenant"; apiKey: string };

export interface ApiOptions {
  caller?: TestCaller;
  /** POST where there is a body, else GET. */
  method?: string;
  /** Sent as JSON, a string as it is. */
  body?: unknown;
  headers?: Record<string, string>;
}

/** An answer that was read whole; `json()` trusts the test about its shape. */
export interface Answer {
  status: number;
  headers: Headers;
  text: string;
  json<T = Record<string, unknown>>(): T;
}

/** A tenant of one test's own, with one sender that the simulator knows. */
export interface Tenant {
  id: string;
  apiKey: string;
  phoneNumberId: string;
  businessAccountId: string;
  accessToken: string;
  /** Calls the API with the tenant's key. */
  api(path: string, options?: Omit<ApiOptions, "caller">): Promise<Answer>;
  /** Posts a text from the tenant's sender to a new recipient; `overrides` replace its fields. */
  send(overrides?: Record<string, unknown>, idempotencyKey?: string): Promise<Answer>;
}

/** A running platform as its callers see it. */
export interface Platform {
  /** The lines of the env file that `deno task start` wrote. */
  env: Record<string, string>;
  simulator: Simulator;
  /** Calls `/functions/v1<path>`, as the holder of the secret key unless told otherwise. */
  api(path: string, options?: ApiOptions): Promise<Answer>;
  /** Its limit is far away unless `sender` names another one. */
  createTenant(sender?: Record<string, unknown>): Promise<Tenant>;
}

/** Connects to the platform whose env file is `path`: for scenarios, the one that the runner started. */
export function connectPlatform(path = Deno.env.get("SWITCHYARD_ENV_FILE")): Platform {
  if (path === undefined) {
    throw new Error("SWITCHYARD_ENV_FILE is not set: run `deno task test:scenarios`.");
  }
  const env = parseEnvFile(Deno.readTextFileSync(path));
  const simulator = connectSimulator(valueOf(env, "SIMULATOR_URL"));
  const api = createApi(valueOf(env, "SUPABASE_URL"), valueOf(env, "SUPABASE_SECRET_KEY"));
  return { env, simulator, api, createTenant: (sender) => createTenant(api, simulator, sender) };
}

/** A German mobile number in E.164 form that no other test uses. */
export function aPhoneNumber(): string {
  return `+491512${randomDigits(7)}`;
}

function createApi(projectUrl: string, secretKey: string): Platform["api"] {
  return async (path, { caller, method, body, headers = {} } = {}) => {
    const response = await fetch(`${projectUrl}/functions/v1${path}`, {
      method: method ?? (body === undefined ? "GET" : "POST"),
      headers: {
        ...headersOf(caller ?? { kind: "secret" }, secretKey),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined ? {} : {
        body: typeof body === "string" ? body : JSON.stringify(body),
      }),
    });
    const text = await response.text();
    const { status } = response;
    return { status, headers: response.headers, text, json: <T>() => parseJson<T>(status, text) };
  };
}

function headersOf(caller: TestCaller, secretKey: string): Record<string, string> {
  switch (caller.kind) {
    case "nobody":
      return {};
    case "secret":
      return {
        apikey: secretKey,
        ...(caller.tenantId === undefined ? {} : { "x-tenant-id": caller.tenantId }),
      };
    case "tenant":
      return { authorization: `Bearer ${caller.apiKey}` };
  }
}

async function createTenant(
  api: Platform["api"],
  simulator: Simulator,
  sender: Record<string, unknown> = {},
): Promise<Tenant> {
  const phoneNumberId = `1${randomDigits(14)}`;
  const businessAccountId = `2${randomDigits(14)}`;
  const accessToken = `token-${phoneNumberId}`;
  const display_phone_number = `+1 555 ${randomDigits(3)} ${randomDigits(4)}`;
  const slug = `t${phoneNumberId}`;
  const { id } = await create<{ id: string }>(api, "/admin/tenants", { slug, name: slug });
  await create(api, `/admin/tenants/${id}/senders`, {
    phone_number_id: phoneNumberId,
    business_account_id: businessAccountId,
    display_phone_number,
    access_token: accessToken,
    limit: { messages: 1_000_000, window_seconds: 60 },
    ...sender,
  });
  await simulator.putNumber(phoneNumberId, {
    business_account_id: businessAccountId,
    display_phone_number,
    access_tokens: [accessToken],
  });
  const keyRequest = { name: "test", role: "operator" };
  const { key: apiKey } = await create<{ key: string }>(
    api,
    `/admin/tenants/${id}/api-keys`,
    keyRequest,
  );
  const tenantApi: Tenant["api"] = (path, options) =>
    api(path, { ...options, caller: { kind: "tenant", apiKey } });
  return {
    ...{ id, apiKey, phoneNumberId, businessAccountId, accessToken, api: tenantApi },
    send: (overrides = {}, idempotencyKey = crypto.randomUUID()) =>
      tenantApi("/wa-messages", {
        headers: { "idempotency-key": idempotencyKey },
        body: { ...aTextFrom(phoneNumberId), ...overrides },
      }),
  };
}

function aTextFrom(phoneNumberId: string): Record<string, unknown> {
  return { from: phoneNumberId, to: aPhoneNumber(), type: "text", text: { body: "Hello" } };
}

async function create<T>(api: Platform["api"], path: string, body: unknown): Promise<T> {
  const answer = await api(path, { body });
  if (answer.status >= 200 && answer.status < 300) return answer.json<T>();
  throw new Error(`Cannot POST ${path}: ${answer.status} ${answer.text}`);
}

function parseJson<T>(status: number, text: string): T {
  try {
    return JSON.parse(text) as T;
  } catch (cause) {
    throw new Error(`Cannot read the answer (${status}) as JSON: ${text}`, { cause });
  }
}

/** Reads `KEY=value` lines. */
export function parseEnvFile(text: string): Record<string, string> {
  const lines = text.split("\n").filter((line) => line.includes("="));
  return Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]),
  );
}

function valueOf(env: Record<string, string>, name: string): string {
  const value = env[name];
  if (value === undefined) throw new Error(`The platform's env file lacks ${name}`);
  return value;
}

function randomDigits(length: number): string {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  return Array.from(bytes, (byte) => byte % 10).join("");
}
