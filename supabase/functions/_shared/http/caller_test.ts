import { strict as assert } from "node:assert";
import { sha256Hex } from "../bytes.ts";
import type { CallRpc } from "../database.ts";
import { createIdentify } from "./caller.ts";
import type { Caller } from "./caller.ts";

const tenantId = "11111111-1111-4111-8111-111111111111";
const otherTenantId = "22222222-2222-4222-8222-222222222222";
const userId = "33333333-3333-4333-8333-333333333333";
const keyId = "44444444-4444-4444-8444-444444444444";
const signingKey = crypto.getRandomValues(new Uint8Array(32));
const apiKey = "swy_valid";
const publishable = "sb_publishable_x";
const secret = "sb_secret_b";

interface World {
  role?: string;
  status?: string;
}

async function setup({ role = "operator", status = "active" }: World = {}) {
  const keyHash = await sha256Hex(apiKey);
  const rows: Record<string, (args: Record<string, unknown>) => boolean> = {
    resolve_api_key: (args) => args.key_hash === keyHash,
    resolve_member: (args) => args.wanted_tenant_id === tenantId && args.wanted_user_id === userId,
    resolve_tenant: (args) => args.wanted_tenant_id === tenantId,
  };
  const row = { tenant_id: tenantId, tenant_status: status, role, key_id: keyId };
  const call =
    ((name: string, args: Record<string, unknown>) =>
      Promise.resolve(rows[name]?.(args) ? [row] : [])) as unknown as CallRpc;
  const k = base64url(signingKey);
  const identify = createIdentify({
    call,
    keys: {
      url: "http://localhost:1",
      publishableKeys: { default: publishable },
      secretKeys: { default: "sb_secret_a", cron: secret },
      jwks: { keys: [{ kty: "oct", alg: "HS256", kid: "test", k } as { kty: string }] },
    },
  });
  return {
    ask: (headers: HeadersInit) => identify(new Request("http://localhost/x", { headers })),
  };
}

async function sign(claims: Record<string, unknown>, keyBytes = signingKey): Promise<string> {
  const head = base64url(new TextEncoder().encode(`{"alg":"HS256","typ":"JWT","kid":"test"}`));
  const body = base64url(new TextEncoder().encode(JSON.stringify(claims)));
  const key = await crypto.subtle.importKey(
    "raw",
    keyBytes,
    { name: "HMAC", hash: "SHA-256" },
    false,
    ["sign"],
  );
  const text = new TextEncoder().encode(`${head}.${body}`);
  return `${head}.${body}.${
    base64url(new Uint8Array(await crypto.subtle.sign("HMAC", key, text)))
  }`;
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes)).replace(/=+$/, "").replaceAll("+", "-")
    .replaceAll("/", "_");
}

const validSession = await sign({ sub: userId, role: "authenticated", exp: 4_102_444_800 });
const expiredSession = await sign({ sub: userId, exp: 1_000 });
const forgedSession = await sign(
  { sub: userId, exp: 4_102_444_800 },
  crypto.getRandomValues(new Uint8Array(32)),
);
const machineSession = await sign({ sub: "machine", exp: 4_102_444_800 });

const welcome: [label: string, headers: Record<string, string>, caller: Caller][] = [
  ["a secret key", { apikey: secret }, { kind: "secret", tenantId: null }],
  ["a secret key that names a tenant", { apikey: secret, "x-tenant-id": tenantId }, {
    kind: "secret",
    tenantId,
  }],
  ["a secret key in both headers", { apikey: secret, authorization: `Bearer ${secret}` }, {
    kind: "secret",
    tenantId: null,
  }],
  ["an API key", { authorization: `Bearer ${apiKey}` }, {
    kind: "tenant",
    tenantId,
    role: "operator",
    keyId,
  }],
  ["an API key beside its own tenant", {
    authorization: `bearer ${apiKey}`,
    "x-tenant-id": tenantId,
  }, { kind: "tenant", tenantId, role: "operator", keyId }],
  ["a session with its tenant", {
    apikey: publishable,
    authorization: `Bearer ${validSession}`,
    "x-tenant-id": tenantId.toUpperCase(),
  }, { kind: "user", tenantId, role: "operator", userId }],
];

for (const [label, headers, caller] of welcome) {
  Deno.test(`identify knows ${label}`, async () => {
    assert.deepEqual(await (await setup()).ask(headers), { ok: true, caller });
  });
}

const session = { apikey: publishable, authorization: `Bearer ${validSession}` };

const refused: [label: string, headers: Record<string, string>, status: number, code: string][] = [
  ["nothing", {}, 401, "missing_credentials"],
  ["a publishable key alone", { apikey: publishable }, 401, "missing_credentials"],
  ["an unknown key", { apikey: "sb_secret_c" }, 401, "invalid_credentials"],
  ["an unknown API key", { authorization: "Bearer swy_other" }, 401, "invalid_credentials"],
  [
    "an unknown API key beside a secret key",
    {
      authorization: "Bearer swy_other",
      apikey: secret,
    },
    401,
    "invalid_credentials",
  ],
  [
    "an expired session",
    {
      ...session,
      authorization: `Bearer ${expiredSession}`,
      "x-tenant-id": tenantId,
    },
    401,
    "invalid_credentials",
  ],
  [
    "a forged session",
    {
      ...session,
      authorization: `Bearer ${forgedSession}`,
      "x-tenant-id": tenantId,
    },
    401,
    "invalid_credentials",
  ],
  [
    "a forged session beside a secret key",
    {
      apikey: secret,
      authorization: `Bearer ${forgedSession}`,
      "x-tenant-id": tenantId,
    },
    401,
    "invalid_credentials",
  ],
  [
    "a session of no user",
    {
      ...session,
      authorization: `Bearer ${machineSession}`,
      "x-tenant-id": tenantId,
    },
    401,
    "invalid_credentials",
  ],
  [
    "a session without the project's key",
    {
      authorization: `Bearer ${validSession}`,
      "x-tenant-id": tenantId,
    },
    401,
    "invalid_credentials",
  ],
  [
    "a scheme other than bearer",
    { authorization: "Basic abc", apikey: secret },
    401,
    "invalid_credentials",
  ],
  [
    "a secret key as bearer alone",
    { authorization: `Bearer ${secret}` },
    401,
    "invalid_credentials",
  ],
  ["a session that names no tenant", session, 400, "invalid_tenant_id"],
  [
    "a session whose tenant is no UUID",
    { ...session, "x-tenant-id": "demo" },
    400,
    "invalid_tenant_id",
  ],
  [
    "a secret key whose tenant is no UUID",
    { apikey: secret, "x-tenant-id": "demo" },
    400,
    "invalid_tenant_id",
  ],
  [
    "an API key whose tenant is no UUID",
    {
      authorization: `Bearer ${apiKey}`,
      "x-tenant-id": "demo",
    },
    400,
    "invalid_tenant_id",
  ],
  [
    "a secret key that names an unknown tenant",
    {
      apikey: secret,
      "x-tenant-id": otherTenantId,
    },
    404,
    "not_found",
  ],
  ["a session of another tenant", { ...session, "x-tenant-id": otherTenantId }, 403, "forbidden"],
  [
    "an API key of another tenant",
    {
      authorization: `Bearer ${apiKey}`,
      "x-tenant-id": otherTenantId,
    },
    403,
    "forbidden",
  ],
];

for (const [label, headers, status, code] of refused) {
  Deno.test(`identify refuses ${label} with ${status} ${code}`, async () => {
    const identified = await (await setup()).ask(headers);
    assert.ok(!identified.ok);
    assert.equal(identified.response.status, status);
    assert.equal((await identified.response.json()).code, code);
    assert.equal(identified.response.headers.has("www-authenticate"), status === 401);
  });
}

const ofTenant: [label: string, headers: Record<string, string>][] = [
  ["a secret key", { apikey: secret, "x-tenant-id": tenantId }],
  ["an API key", { authorization: `Bearer ${apiKey}` }],
  ["a session", { ...session, "x-tenant-id": tenantId }],
];

for (const [label, headers] of ofTenant) {
  Deno.test(`identify refuses ${label} of a suspended tenant with 403`, async () => {
    const identified = await (await setup({ status: "suspended" })).ask(headers);
    assert.ok(!identified.ok);
    assert.equal(identified.response.status, 403);
    assert.equal((await identified.response.json()).code, "tenant_suspended");
  });
}

Deno.test("identify throws on a role that this version does not know", async () => {
  const { ask } = await setup({ role: "emperor" });
  await assert.rejects(ask({ authorization: `Bearer ${apiKey}` }), /unknown role emperor/);
});

Deno.test("identify throws where the project has no keys: that is not the caller's fault", async () => {
  const identify = createIdentify({
    call: (() => Promise.resolve([])) as unknown as CallRpc,
    keys: { url: "http://localhost:1", publishableKeys: {}, secretKeys: {} },
  });
  const request = new Request("http://localhost/x", { headers: { apikey: secret } });
  await assert.rejects(identify(request), /Cannot verify credentials/);
});
