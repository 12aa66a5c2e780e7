import type { BusinessNumber } from "./business_numbers.ts";
import type { Refusal } from "./error_bodies.ts";

/** The token of an `Authorization: Bearer …` header, or null where there is none. */
export function bearerToken(authorization: string | null): string | null {
  const token = authorization?.match(/^Bearer +(\S+) *$/i)?.[1];
  return token ?? null;
}

/** Any token is good that was not expired and, where a number lists its tokens, is in the list. */
export function checkToken(number: BusinessNumber, token: string | null): Refusal | null {
  if (token === null) return { code: 104 };
  const isListed = number.acceptedTokens === null || number.acceptedTokens.has(token);
  return isListed && !number.expiredTokens.has(token) ? null : { code: 190, subcode: 463 };
}

/** Expires one token, or every one but the replacement; the next call with it answers 190/463. */
export function expireTokens(
  number: BusinessNumber,
  token: string | undefined,
  replacement: string | undefined,
): void {
  if (token !== undefined) number.expiredTokens.add(token);
  else number.acceptedTokens = new Set();
  if (replacement === undefined) return;
  number.expiredTokens.delete(replacement);
  if (number.acceptedTokens !== null || token === undefined) {
    number.acceptedTokens = new Set([...(number.acceptedTokens ?? []), replacement]);
  }
}
