import { verifyCredentials } from "@supabase/server/core";
import { sha256Hex } from "../bytes.ts";
import type { CallRpc } from "../database.ts";
import { UUID } from "../uuid.ts";
import { coalesce } from "./coalesce.ts";
import { problem } from "./problem.ts";

export const ROLES = ["owner", "admin", "finance", "operator", "viewer"] as const;
export type Role = (typeof ROLES)[number];

/** Who calls, proven; `tenantId` is null for a secret caller who named no tenant. */
export type Caller =
  | { kind: "secret"; tenantId: string | null }
  | { kind: "tenant"; tenantId: string; role: Role; keyId: string }
  | { kind: "user"; tenantId: string; role: Role; userId: string };

export type Identified = { ok: true; caller: Caller } | { ok: false; response: Response };
export type Identify = (request: Request) => Promise<Identified>;

/** What proves a key or a session to be of this project. */
export interface ProjectKeys {
  url: string;
  publishableKeys: Record<string, string>;
  secretKeys: Record<string, string>;
  /** Absent: fetched from the project's Auth. */
  jwks?: { keys: { kty: string }[] } | undefined;
}

export interface CallerDeps {
  call: CallRpc;
  keys: ProjectKeys;
}

/** Every API key of a tenant begins with this. */
export const API_KEY_PREFIX = "swy_";

/**
 * Tells who calls. What is named first decides: a tenant's API key, then a session, then a secret
 * key. A credential that is present and wrong ends in 401, whatever else the request carries.
 */
export function createIdentify({ call, keys }: CallerDeps): Identify {
  const lookups = createLookups(call);
  return (request) => {
    const authorization = request.headers.get("authorization");
    const apikey = request.headers.get("apikey");
    const token = bearerToken(authorization);
    if (authorization !== null && token === null) {
      return refuse("the header must read `Authorization: Bearer …`");
    }
    if (token?.startsWith(API_KEY_PREFIX)) return identifyTenant(lookups, request, token);
    // Clients of old send the project key in both headers: it is no session.
    if (token !== null && token !== apikey) {
      return identifyUser(lookups, keys, request, token, apikey);
    }
    if (apikey !== null) return identifySecret(lookups, keys, request, apikey);
    return refuse(
      "send a tenant's key as `Authorization: Bearer swy_…`, the project's secret key as `apikey`, " +
        "or a user's session with `x-tenant-id`",
      "missing_credentials",
    );
  };
}

function bearerToken(authorization: string | null): string | null {
  return /^bearer +(\S+) *$/i.exec(authorization ?? "")?.[1] ?? null;
}

/** What the database knows of keys and people. A burst of one caller asks it once. */
function createLookups(call: CallRpc) {
  return {
    apiKey: coalesce(async (key_hash) => (await call("resolve_api_key", { key_hash }))[0]),
    tenant: coalesce(async (wanted_tenant_id) =>
      (await call("resolve_tenant", { wanted_tenant_id }))[0]
    ),
    member: coalesce(async (place) => {
      const [wanted_tenant_id = "", wanted_user_id = ""] = place.split(" ");
      return (await call("resolve_member", { wanted_tenant_id, wanted_user_id }))[0];
    }),
  };
}
type Lookups = ReturnType<typeof createLookups>;

async function identifyTenant(
  lookups: Lookups,
  request: Request,
  key: string,
): Promise<Identified> {
  const found = await lookups.apiKey(await sha256Hex(key));
  if (!found) return refuse("the API key is unknown or revoked");
  const named = namedTenant(request);
  if (named === "malformed") return refuseTenantId();
  if (named !== null && named !== found.tenant_id) {
    return refuseMembership("The API key belongs to another tenant.");
  }
  if (found.tenant_status === "suspended") return refuseSuspended();
  const { tenant_id: tenantId, key_id: keyId } = found;
  return { ok: true, caller: { kind: "tenant", tenantId, role: roleOf(found.role), keyId } };
}

async function identifyUser(
  lookups: Lookups,
  keys: ProjectKeys,
  request: Request,
  token: string,
  apikey: string | null,
): Promise<Identified> {
  const project = await verify(keys, { token: null, apikey }, ["publishable:*", "secret:*"]);
  if (!project) return refuse("a session needs the project's publishable key beside it");
  const session = await verify(keys, { token, apikey: null }, ["user"]);
  const userId = session?.userClaims?.id;
  if (userId === undefined || !UUID.test(userId)) return refuse("the session is not valid");
  const named = namedTenant(request);
  if (named === null || named === "malformed") return refuseTenantId();
  const found = await lookups.member(`${named} ${userId}`);
  if (!found) return refuseMembership("The user is not of this tenant.");
  if (found.tenant_status === "suspended") return refuseSuspended();
  return {
    ok: true,
    caller: { kind: "user", tenantId: found.tenant_id, role: roleOf(found.role), userId },
  };
}

async function identifySecret(
  lookups: Lookups,
  keys: ProjectKeys,
  request: Request,
  apikey: string,
): Promise<Identified> {
  const matched = await verify(keys, { token: null, apikey }, ["secret:*", "publishable:*"]);
  if (matched?.authMode === "publishable") {
    return refuse(
      "a publishable key tells nobody apart: send the user's session with it, as " +
        "`Authorization: Bearer …`",
      "missing_credentials",
    );
  }
  if (!matched) return refuse("the key is not one of this project");
  const named = namedTenant(request);
  if (named === "malformed") return refuseTenantId();
  if (named === null) return { ok: true, caller: { kind: "secret", tenantId: null } };
  const found = await lookups.tenant(named);
  if (!found) {
    return { ok: false, response: problem(404, "not_found", "x-tenant-id names no tenant.") };
  }
  if (found.tenant_status === "suspended") return refuseSuspended();
  return { ok: true, caller: { kind: "secret", tenantId: named } };
}

type Mode = "user" | "secret:*" | "publishable:*";

async function verify(
  keys: ProjectKeys,
  credentials: { token: string | null; apikey: string | null },
  auth: Mode[],
) {
  const jwks = keys.jwks ?? new URL(`${keys.url}/auth/v1/.well-known/jwks.json`);
  const verified = await verifyCredentials(credentials, { auth, env: { ...keys, jwks } });
  if (verified.error === null) return verified.data;
  // Ours to mend, not the caller's: a key set that cannot be fetched, or no keys at all.
  if (verified.error.status >= 500) {
    throw new Error("Cannot verify credentials", { cause: verified.error });
  }
  return null;
}

function namedTenant(request: Request): string | "malformed" | null {
  const named = request.headers.get("x-tenant-id");
  if (named === null) return null;
  return UUID.test(named) ? named.toLowerCase() : "malformed";
}

// The database constrains the names: another one is a migration ahead of this code.
function roleOf(name: string): Role {
  const role = ROLES.find((known) => known === name);
  if (role === undefined) throw new TypeError(`Cannot identify the caller: unknown role ${name}`);
  return role;
}

function refuse(
  reason: string,
  code: "missing_credentials" | "invalid_credentials" = "invalid_credentials",
): Promise<Identified> {
  const response = problem(401, code, `The caller is not known: ${reason}.`, {
    headers: { "www-authenticate": "Bearer" },
  });
  return Promise.resolve({ ok: false, response });
}

function refuseMembership(detail: string): Identified {
  return { ok: false, response: problem(403, "forbidden", detail) };
}

function refuseTenantId(): Identified {
  const detail = "The header x-tenant-id must be the UUID of the tenant.";
  return { ok: false, response: problem(400, "invalid_tenant_id", detail) };
}

function refuseSuspended(): Identified {
  return { ok: false, response: problem(403, "tenant_suspended", "The tenant is suspended.") };
}
