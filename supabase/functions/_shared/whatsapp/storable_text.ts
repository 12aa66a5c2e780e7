const REPLACEMENT = "\ufffd";

/** The text as Postgres can hold it: neither NUL nor half a surrogate pair, at most maxLength. */
export function storableText(text: string, maxLength: number): string {
  return text.slice(0, maxLength).replaceAll("\u0000", REPLACEMENT).toWellFormed();
}
