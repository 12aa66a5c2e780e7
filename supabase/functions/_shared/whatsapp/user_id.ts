/**
 * Meta's business-scoped user ids name a customer who may hide the phone number: the country, then
 * `ENT.` for linked portfolios, then up to 128 letters and digits. The same person has another one
 * for each business portfolio.
 * https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids (2026-09)
 */
const USER_ID = /^[A-Z]{2}\.(ENT\.)?[A-Za-z0-9]{1,128}$/;

/** Says whether the text is a business-scoped user id; no phone number is one. */
export function isUserId(text: string): boolean {
  return USER_ID.test(text);
}
