import * as z from "zod";
import { instant } from "../fields.ts";

/** How many lines a page has; `usual` where the query does not say it. */
export function pageLimit({ usual, most }: { usual: number; most: number }) {
  return z.string().regex(/^\d{1,9}$/, "must be a number").transform(Number)
    .pipe(z.int().min(1).max(most)).default(usual);
}

/** Where a page begins that goes on after a numbered line. */
export function numberedCursor() {
  return z.string().regex(/^\d{1,15}$/, "must be the next_cursor of a page").transform(Number);
}

/** Text in which a plus sign may have arrived as a space, since nobody escaped it. */
export function withPlus() {
  return z.string().transform((written) => written.replace(" ", "+"));
}

/** A time with its offset, as a query carries it. */
export function queriedInstant() {
  return withPlus().pipe(instant());
}
