import ipaddr from "ipaddr.js";

/** Where callbacks may go: to public addresses alone, or anywhere on a platform of one's own. */
export type Reach = "public" | "any";

const MAX_URL_CHARACTERS = 2_048;
/** Below the ports that anybody may use, only that of HTTPS: no mail server is spoken to. */
const FIRST_FREE_PORT = 1_024;
/** Answers with secrets to who asks from within, and looks public: Azure's platform channel. */
const PLATFORM_ADDRESSES: ReadonlySet<string> = new Set(["168.63.129.16"]);

/** Why an address cannot be a callback's, as a tenant reads it; null for one that can. */
export function refuseUrl(text: string, reach: Reach): string | null {
  if (text.length > MAX_URL_CHARACTERS) {
    return `has more than ${MAX_URL_CHARACTERS} characters`;
  }
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url === null || !["https:", "http:"].includes(url.protocol)) {
    return "must be an https address";
  }
  if (url.protocol === "http:" && reach !== "any") return "must begin with https://";
  if (url.username !== "" || url.password !== "") return "must not carry a name or password";
  if (url.hash !== "") return "must not have a fragment";
  if (reach === "any") return null;
  const port = portOf(url);
  if (port !== 443 && port < FIRST_FREE_PORT) return "must use port 443, or one from 1024 on";
  const literal = literalOf(url);
  return literal !== null && !isPublic(literal) ? "must lead to a public address" : null;
}

/** The port of an address, written or implied. */
export function portOf({ port, protocol }: URL): number {
  return port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
}

/** The IP address that a URL names in place of a host, without brackets; null where it names a host. */
export function literalOf({ hostname }: URL): string | null {
  const bare = hostname.replace(/^\[(.*)\]$/, "$1");
  return ipaddr.isValid(bare) ? bare : null;
}

/**
 * True for an address in the public internet: not private, loopback, link-local (which metadata
 * services use), unique-local, shared by a carrier, multicast, reserved, or IPv4 in any wrapping.
 */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  return parsed.range() === "unicast" && !PLATFORM_ADDRESSES.has(parsed.toNormalizedString());
}
