import * as z from "zod";
import { normalizePhone } from "./phone_number.ts";
import { isUserId } from "./user_id.ts";

/** Whom a message is for, as the database names them: a phone number in E.164, or a user id. */
export const recipient = z.string().transform((written, context) => {
  if (isUserId(written)) return written;
  const normalized = normalizePhone(written);
  if (normalized.ok) return normalized.e164;
  context.addIssue({ code: "custom", message: normalized.reason });
  return z.NEVER;
});
