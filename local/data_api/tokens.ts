const KEY_ID = "local";

/** The key set (SUPABASE_JWKS) that verifies the users' tokens signed with this secret. */
export function jwksOf(secret: string): string {
  const k = toBase64Url(new TextEncoder().encode(secret));
  return JSON.stringify({ keys: [{ kty: "oct", kid: KEY_ID, alg: "HS256", use: "sig", k }] });
}

/**
 * Signs the access token in an answer of Auth anew with the name of its key in the header, as
 * hosted Auth does: @supabase/server refuses a token without one, and @supabase/lite leaves it out.
 */
export async function nameKeyOfTokens(response: Response, secret: string): Promise<Response> {
  if (!response.headers.get("content-type")?.includes("application/json")) return response;
  const answer = await response.clone().json().catch(() => null);
  if (typeof answer?.access_token !== "string") return response;
  answer.access_token = await resign(answer.access_token, secret);
  const headers = new Headers(response.headers);
  headers.delete("content-length");
  return Response.json(answer, { status: response.status, headers });
}

async function resign(token: string, secret: string): Promise<string> {
  const bytes = new TextEncoder();
  const header = JSON.stringify({ alg: "HS256", kid: KEY_ID, typ: "JWT" });
  const signed = `${toBase64Url(bytes.encode(header))}.${token.split(".")[1]}`;
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", bytes.encode(secret), algorithm, false, [
    "sign",
  ]);
  const signature = await crypto.subtle.sign("HMAC", key, bytes.encode(signed));
  return `${signed}.${toBase64Url(new Uint8Array(signature))}`;
}

function toBase64Url(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}
