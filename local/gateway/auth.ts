/** What the gateway's own check of a caller accepts, for functions with `verify_jwt = true`. */
export interface GatewayKeys {
  publishableKey: string;
  secretKey: string;
  jwtSecret: string;
}

/**
 * Supabase's check before a function: an API key of the project, or a session that the project
 * signed and that has not expired. Returns the platform's error code, or null when it passes.
 */
export async function refuseCaller(
  headers: Headers,
  keys: GatewayKeys,
  now: () => number,
): Promise<string | null> {
  const projectKeys = [keys.publishableKey, keys.secretKey];
  if (projectKeys.includes(headers.get("apikey") ?? "")) return null;
  const [scheme, token = ""] = (headers.get("authorization") ?? "").split(" ");
  if (scheme?.toLowerCase() !== "bearer") return "UNAUTHORIZED_NO_AUTH_HEADER";
  if (projectKeys.includes(token)) return null;
  return await isSessionOf(token, keys.jwtSecret, now) ? null : "UNAUTHORIZED_INVALID_JWT_FORMAT";
}

async function isSessionOf(token: string, secret: string, now: () => number): Promise<boolean> {
  const [header, payload, signature] = token.split(".");
  if (!header || !payload || !signature) return false;
  const text = new TextEncoder();
  try {
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("raw", text.encode(secret), algorithm, false, [
      "verify",
    ]);
    const signed = text.encode(`${header}.${payload}`);
    if (!await crypto.subtle.verify("HMAC", key, decode(signature), signed)) return false;
    const { exp } = JSON.parse(new TextDecoder().decode(decode(payload)));
    return typeof exp === "number" && exp * 1000 > now();
  } catch {
    return false; // not base64, or no JSON
  }
}

function decode(part: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.fromBase64(part, { alphabet: "base64url" });
}
