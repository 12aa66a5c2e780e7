/** What became of registering a callback URL. */
export type Handshake = { ok: true } | { ok: false; status: number | null; reason: string };

/**
 * Verifies a callback URL as Meta does when it is saved: an unsigned GET that must be answered
 * 200 with the challenge and nothing else.
 */
export async function shakeHands(deps: {
  fetch: typeof fetch;
  url: string;
  verifyToken: string;
  challenge: string;
}): Promise<Handshake> {
  const url = new URL(deps.url);
  url.searchParams.set("hub.mode", "subscribe");
  url.searchParams.set("hub.challenge", deps.challenge);
  url.searchParams.set("hub.verify_token", deps.verifyToken);
  try {
    const response = await deps.fetch(url.href);
    const text = await response.text();
    if (response.status !== 200) {
      return { ok: false, status: response.status, reason: "The callback did not answer 200." };
    }
    if (text === deps.challenge) return { ok: true };
    return { ok: false, status: 200, reason: "The callback did not return the bare challenge." };
  } catch (error) {
    return { ok: false, status: null, reason: `The callback cannot be reached: ${error}` };
  }
}
